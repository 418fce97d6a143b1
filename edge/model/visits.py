"""Visits and their leases: the commands of the pool engine and what they are answered.

All are run by the store's writer, in the order in which they were given, so that what an allocation and
a call see of a number is one state.  Instants are UTC; ``terms`` tell what holds for a tag by the
configuration of the moment, None where nothing may be given out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from edge.model.tags import Tags

Attribution = Literal["exact", "last_impression", "caller_affinity"]
PoolEvent = Literal[
    "impressions", "hand_outs", "misses", "reissues", "throttled", "crawlers", "unlinked", "ambiguous",
    "linked",
]  # fmt: skip


class Member(NamedTuple):
    """A number of a pool that may be handed out."""

    number_id: str
    e164: str
    area_code: str | None = None
    region: str | None = None


class Members:
    """The numbers of a pool that may be handed out, by id; one object as long as they stay the same."""

    __slots__ = ("by_id",)

    def __init__(self, by_id: Mapping[str, Member]) -> None:
        self.by_id = by_id

    def __len__(self) -> int:
        return len(self.by_id)


@dataclass(frozen=True, slots=True)
class PoolRules:
    """How a pool hands out its numbers, in milliseconds (Rule: number pools)."""

    pool_id: str
    hold_ms: int
    closed_ms: int
    call_end_frees: bool = True
    post_call_ms: int = 0
    early_close: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """A tag whose campaign and primary number are active, and the pool that it gives numbers of."""

    tag_id: str
    campaign_id: str
    publisher_id: str | None
    primary_number_id: str
    rules: PoolRules
    members: Members


TermsOf = Callable[[str], Terms | None]


@dataclass(frozen=True, slots=True)
class PageView:
    """What a browser says of itself on one page view; ``ip`` None where none is kept."""

    page_url: str = ""
    first_url: str = ""
    referrer: str = ""
    language: str = ""
    screen: str = ""
    user_agent: str = ""
    ip: str | None = None
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allocate:
    """A number for a visitor (Rule: allocation): its own again, a free one, ..., or none (a miss).

    ``impression_id`` is that of the visit if it is a new one.  ``source`` stands for the visitor's address,
    which may hold ``most`` leases of the pool at once.  ``near`` is an area code and a region to prefer.
    Answered by ``Given``.
    """

    terms: Terms
    visitor_id: str
    impression_id: str
    view: PageView
    at: datetime
    source: str = ""
    most: int = 1 << 30
    near: tuple[str | None, str | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Given:
    """The number that a visitor was given, or ``member`` None: the primary number, a miss.

    ``limited``: not for want of numbers, but because the address holds too many.
    """

    impression_id: str | None
    generation: int
    member: Member | None
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """Real use of a page, or data that it brings: renews the lease of that generation.

    A visit that has lost its number asks ``again``, with what is known of it; one that was last used before
    ``known_since`` is known no longer, swept or not.
    Answered by ``Touched``, or None: there is no such visit of this visitor, or its tag is not active.
    """

    impression_id: str
    visitor_id: str
    generation: int
    tags: Tags
    terms: TermsOf
    again: Callable[[Terms, PageView], Allocate]
    at: datetime
    known_since: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Touched:
    """``given`` None: the visit still has its number; else what it has now, by the terms of its tag."""

    tag_id: str
    given: Given | None = None


@dataclass(frozen=True, slots=True)
class CloseVisit:
    """The browser says that the page was closed.  Answered by None."""

    impression_id: str
    visitor_id: str
    generation: int
    terms: TermsOf
    at: datetime


@dataclass(frozen=True, slots=True)
class LinkCall:
    """A call to a pool number: which visit is it of?  Answered by ``Link``, or None: nobody's.

    The number is busy from now on, until the call's Finish.  ``affinity_h``: a caller who dials again
    within so many hours keeps the visit of the earlier call.
    """

    call_id: str
    number_id: str
    pool_id: str
    caller: str | None
    called: str
    affinity_h: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """The visit that a call belongs to: its data, copied, so that no later hand-out alters the call.

    ``landing`` and ``latest`` are the parameters of the URLs that the visit began and was last seen with,
    ``data`` what its pages added.
    """

    impression_id: str
    pool_id: str
    tag_id: str
    primary_number_id: str
    visitor_id: str
    attribution: Attribution
    rivals: tuple[str, ...]
    started_at: datetime
    active_at: datetime
    first: PageView
    last: PageView
    landing: Tags = field(default_factory=dict)
    latest: Tags = field(default_factory=dict)
    data: Tags = field(default_factory=dict)


class Said(NamedTuple):
    """What a publisher said of a caller before the call, and when."""

    tags: Tags
    at: datetime


@dataclass(frozen=True, slots=True)
class CountPool:
    """Something that the pool's page shows happened; nobody waits for it."""

    pool_id: str
    event: PoolEvent
    at: datetime


@dataclass(frozen=True, slots=True)
class LookAtNumbers:
    """How these numbers of a pool stand now.  Answered by a list of ``Standing`` in the same order."""

    rules: PoolRules
    number_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A number and its newest visit, if there ever was one; ``linked_until`` is when its link ends or ended.

    ``state`` is ``busy`` while a call lives, ``free``, ``leased``, ``lapsed`` or ``call_done``.
    """

    number_id: str
    state: str
    impression_id: str | None = None
    generation: int = 0
    last_activity_at: datetime | None = None
    lease_until: datetime | None = None
    linked_until: datetime | None = None


Swept = Literal["visits", "counts", "callers", "audit", "secrets"]
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removes what is older than ``before`` of one slice: of visits without a call, of hourly counts, of
    what was said of callers, of the audit, or of the secrets that edits took away.  Answered by the
    ``after`` of the next slice, or None: that was the last.
    """

    what: Swept
    before: datetime
    after: Place = ("", "")


VisitCommand = Allocate | Touch | CloseVisit | LinkCall | CountPool | LookAtNumbers | Sweep
