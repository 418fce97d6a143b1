"""What browsers ask for: a number for each tag of a campaign, and the life of their visit.

A visitor who may get no number of a pool (a crawler, one of too many requests, an address that holds too
many) is shown the primary number.  So is everybody while the store can not write (Rule: number pools).
"""

import asyncio
import hashlib
import math
import re
import secrets
from asyncio import Future
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

from edge.clock import Clock
from edge.ids import new_id
from edge.model.config import Number
from edge.model.ledger import Unavailable
from edge.model.pool import CallTrackingTag
from edge.model.tags import Tags
from edge.model.visits import (
    Allocate,
    CloseVisit,
    CountPool,
    Given,
    PageView,
    PoolEvent,
    Terms,
    Touch,
    Touched,
    VisitCommand,
)
from edge.networks import source_of
from edge.routing.openness import open_at, opens_at
from edge.routing.pools import active_primary
from edge.routing.snapshot import Snapshot
from edge.services.buckets import Buckets
from edge.services.errors import NotFound, StoreDown
from edge.services.guard import translated
from edge.services.insight import Current
from edge.services.numbering import area_code_of, formatted
from edge.settings.sections import PublicSection
from edge.store.duplicates import DuplicateSnippets
from edge.tracking.tags import cleaned

# CUBOT makes telephones.
_CRAWLERS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|facebookexternalhit|mediapartners|preview|lighthouse|pingdom|uptime|monitor"
    r"|archiver|python-requests|curl/|wget/",
    re.IGNORECASE,
)
# A page beats at most four times a minute, and many visitors may stand behind one address.
_BEATS_PER_ALLOCATION = 10
_LEAST_SHARE = 3

Reason = Literal["rate_limited", "crawler", "unavailable"]


class VisitStore(Protocol):
    """The group-commit writer, as far as visits need it."""

    def submit(self, command: VisitCommand) -> "Future[Any]": ...
    def post(self, command: VisitCommand) -> None: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks: the browser's address, the site its page is of (None: no browser), what it calls itself."""

    address: str
    origin: str | None = None
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who is to be shown something; ``reason``: why that may be no number of a pool."""

    visitor_id: str
    view: PageView
    asking: Asking
    reason: Reason | None


class _Fresh(NamedTuple):
    """Who may need a number, from which address, and the visit that it becomes."""

    visitor_id: str
    address: str
    impression_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows for one tag.  ``number`` None: the tag is not active (404)."""

    tag: CallTrackingTag
    number: Number | None
    e164: str = ""
    formatted: str = ""
    impression_id: str | None = None
    generation: int = 0
    is_pool: bool = False
    pool_miss: bool = False
    reason: Reason | None = None
    open_now: bool = False
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NumbersAnswer:
    """``ignored``: keys of the page's data that may not be written."""

    shown: tuple[Shown, ...]
    ignored: tuple[str, ...]


class VisitService:
    """Raises ``NotFound`` where nothing may be given out, and ``StoreDown``."""

    def __init__(
        self,
        configuration: Current,
        store: VisitStore,
        duplicates: DuplicateSnippets,
        clock: Clock,
        limits: PublicSection,
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._duplicates = duplicates
        self._clock = clock
        self._limits = limits
        self._by_address = Buckets(limits.allocations_per_minute, clock.monotonic)
        self._by_visitor = Buckets(limits.allocations_per_minute, clock.monotonic)
        self._beats = Buckets(limits.allocations_per_minute * _BEATS_PER_ALLOCATION, clock.monotonic)
        self._kept = timedelta(days=limits.keep_visits_days)
        self._salt = secrets.token_bytes(16)

    def active_tags(self, campaign_id: str) -> tuple[CallTrackingTag, ...]:
        """The tags that a campaign's snippet serves now; raises NotFound when there is none."""
        snapshot = self._configuration.current
        found = tuple(
            tag for tag in snapshot.pools.tags_of(campaign_id) if active_primary(tag, snapshot) is not None
        )
        if not found:
            raise NotFound("there is nothing at this path")
        return found

    def active(self, campaign_id: str) -> None:
        """Raises NotFound unless a campaign takes calls."""
        campaign = self._configuration.current.campaign(campaign_id)
        if campaign is None or campaign.state != "active":
            raise NotFound("there is nothing at this path")

    def allows(self, campaign_id: str, origin: str | None) -> bool:
        """Whether pages of a site may use the campaign's snippet; who is no browser always may."""
        campaign = self._configuration.current.campaign(campaign_id)
        if campaign is None or origin is None or not campaign.allowed_origins:
            return True
        return origin.lower() in campaign.allowed_origins

    async def numbers(
        self, campaign_id: str, visitor_id: str, view: PageView, data: Mapping[str, object], asking: Asking
    ) -> NumbersAnswer:
        """A number for every tag of a campaign, each answered for itself."""
        self.active_tags(campaign_id)
        snapshot = self._configuration.current
        tags, ignored = cleaned(data)
        ip = asking.address if self._limits.keep_ip else None
        seen = replace(view, user_agent=asking.user_agent[:500], ip=ip, tags=tags)
        visitor = _Visitor(visitor_id, seen, asking, self._limited(visitor_id, asking))
        tags_of = snapshot.pools.tags_of(campaign_id)
        shown = await asyncio.gather(*(self._show(tag, snapshot, visitor) for tag in tags_of))
        return NumbersAnswer(tuple(shown), tuple(ignored))

    async def activity(
        self, impression_id: str, visitor_id: str, generation: int, data: Mapping[str, object], asking: Asking
    ) -> Shown | None:
        """Real use of a page; what it has to show now, None: what it shows."""
        snapshot = self._configuration.current
        tags, _ = cleaned(data)
        terms, now = self._terms(snapshot, asking.origin), self._clock.utc()
        again = partial(self._wanted, _Fresh(visitor_id, asking.address, new_id("imp"), now), snapshot)
        command = Touch(
            impression_id, visitor_id, generation, tags, terms, again, now, known_since=now - self._kept
        )
        touched = await self._submitted(command)
        if not isinstance(touched, Touched):
            raise NotFound("there is no such visit")
        tag = snapshot.pools.tag(touched.tag_id)
        if touched.given is None or tag is None:
            return None
        self._count_limited(touched.given, tag.pool_id or "")
        return self._shown(tag, snapshot, touched.given)

    async def close(self, impression_id: str, visitor_id: str, generation: int, asking: Asking) -> None:
        """The page was closed."""
        terms = self._terms(self._configuration.current, asking.origin)
        self._store.post(CloseVisit(impression_id, visitor_id, generation, terms, self._clock.utc()))

    def may_beat(self, asking: Asking) -> bool:
        """Whether an address has not sent too much lately."""
        return self._beats.take(source_of(asking.address))

    async def duplicate(self, campaign_id: str, page_url: str) -> None:
        """A second snippet ran on a page and did nothing."""
        self.active_tags(campaign_id)
        page = page_url.partition("?")[0].partition("#")[0][:500]
        with translated("page"):
            await self._duplicates.note(campaign_id, page, self._clock.utc())

    def _limited(self, visitor_id: str, asking: Asking) -> Reason | None:
        if _CRAWLERS.search(asking.user_agent):
            return "crawler"
        both = self._by_address.take(source_of(asking.address)), self._by_visitor.take(visitor_id)
        return None if all(both) else "rate_limited"

    def _terms(self, snapshot: Snapshot, origin: str | None) -> Any:
        """What holds for a tag, for pages of that site; made of one snapshot, so any thread may ask."""

        def terms(tag_id: str) -> Terms | None:
            tag = snapshot.pools.tag(tag_id)
            if tag is None or not self.allows(tag.campaign_id, origin):
                return None
            return snapshot.pools.terms(tag, snapshot)

        return terms

    async def _show(self, tag: CallTrackingTag, snapshot: Snapshot, visitor: _Visitor) -> Shown:
        terms = snapshot.pools.terms(tag, snapshot)
        if terms is None:
            return self._shown(tag, snapshot, None)
        reason = visitor.reason
        if reason is not None:
            self._count(terms.rules.pool_id, "crawlers" if reason == "crawler" else "throttled")
            return self._shown(tag, snapshot, None, reason)
        who = _Fresh(visitor.visitor_id, visitor.asking.address, new_id("imp"), self._clock.utc())
        given = await self._store.submit(self._wanted(who, snapshot, terms, visitor.view))
        if isinstance(given, Unavailable):
            return self._shown(tag, snapshot, None, "unavailable")
        self._count_limited(given, terms.rules.pool_id)
        return self._shown(tag, snapshot, given)

    def _wanted(self, who: _Fresh, snapshot: Snapshot, terms: Terms, view: PageView) -> Allocate:
        """A number for a visitor: within its address's share, near by if the pool wants that."""
        most = max(_LEAST_SHARE, math.floor(self._limits.max_share_per_address * len(terms.members)))
        source, near = self._source(who.address), _near(terms, view.tags, snapshot)
        return Allocate(terms, who.visitor_id, who.impression_id, view, who.at, source, most, near)

    def _shown(
        self, tag: CallTrackingTag, snapshot: Snapshot, given: Given | None, reason: Reason | None = None
    ) -> Shown:
        number = active_primary(tag, snapshot)
        campaign = snapshot.campaign(tag.campaign_id)
        if number is None or campaign is None:
            return Shown(tag, None)
        now = self._clock.utc()
        member = given.member if given is not None else None
        e164 = number.e164 if member is None else member.e164
        is_open = open_at(number, campaign, snapshot, now)
        return Shown(
            tag,
            number,
            e164,
            formatted(e164),
            given.impression_id if given is not None else None,
            given.generation if given is not None else 0,
            is_pool=member is not None,
            pool_miss=given is not None and member is None and not given.limited,
            reason="rate_limited" if given is not None and given.limited else reason,
            open_now=is_open,
            opens_at=None if is_open else opens_at(number, campaign, snapshot, now),
        )

    def _count(self, pool_id: str, event: PoolEvent) -> None:
        self._store.post(CountPool(pool_id, event, self._clock.utc()))

    def _count_limited(self, given: Given, pool_id: str) -> None:
        """A number that the visitor's address has too many to get."""
        if given.limited:
            self._count(pool_id, "throttled")

    def _source(self, address: str) -> str:
        """Stands for an address while this server runs, and is not one."""
        return hashlib.blake2b(source_of(address).encode(), key=self._salt, digest_size=12).hexdigest()

    async def _submitted(self, command: VisitCommand) -> Any:
        answer = await self._store.submit(command)
        if isinstance(answer, Unavailable):
            raise StoreDown("the store can not write now")
        return answer


def _near(terms: Terms, tags: Tags, snapshot: Snapshot) -> tuple[str | None, str | None]:
    """The area code, and the region, that a pool prefers for this visitor."""
    pool, tag = snapshot.pools.pool(terms.rules.pool_id), snapshot.pools.tag(terms.tag_id)
    if pool is None or tag is None or pool.area_code_match == "off":
        return (None, None)
    replaced = snapshot.number(tag.number_to_replace)
    region = replaced.region if replaced is not None else None
    told = tags.get("area_code") if pool.area_code_match == "visitor" else None
    if isinstance(told, str) and told:
        return (told, region)
    return (area_code_of(tag.number_to_replace), region)
