"""The call path's store commands: each atomic, each answered, never raising.

A command is durable when it is answered.  ``edge/store/writer.py`` runs them in group commits.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from edge.model.decision import CapClaim
from edge.model.visits import VisitCommand


class OpenCall(NamedTuple):
    """A call has arrived: its open record, closed as ``interrupted`` if the server dies."""

    call_id: str
    started_at: datetime
    trunk_id: str
    caller: str | None
    called: str
    number_id: str | None
    campaign_id: str | None
    publisher_id: str | None = None
    sub_id: str | None = None
    pool_id: str | None = None
    impression_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take one slot of every claim, or none.  ``attempt`` 0 is the admission, then each dial.

    Answered by ``None`` (taken) or by the ``cap_id`` that was full.  ``instead_of`` is a call's attempt
    whose slots pass on: what it had reserved is given back in the same step, and kept if a claim is full.
    """

    call_id: str
    attempt: int
    claims: tuple[CapClaim, ...]
    at: datetime
    instead_of: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """The call is bridged: uses up the ``connect`` claims of admission and of ``attempt``."""

    call_id: str
    attempt: int
    target_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """An attempt is over, or (None) the whole call: gives back what it reserved and did not use, and its
    concurrency.  ``unbridged``: what a Connect used up of it as well, for no bridge came of that.
    """

    call_id: str
    attempt: int | None
    at: datetime
    unbridged: bool = False


@dataclass(frozen=True, slots=True)
class HandBack:
    """An attempt that took slots ``instead_of`` another call's came to nothing: those of ``cap_ids`` go back
    to ``to_attempt`` of ``to_call_id``, if that call is still up; everything else is given back.
    """

    call_id: str
    attempt: int
    to_call_id: str
    to_attempt: int
    cap_ids: Collection[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Convert:
    """The call has converted, while it was up or after: uses up its ``convert`` claims, once.

    Only a call that was bridged converts.
    """

    call_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ResetCap:
    """Sets what is used of one window of a cap to zero, by hand; what is reserved stays.

    ``by`` names who asked, for the audit.  Answered by what was used before.
    """

    cap_id: str
    window: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finish:
    """The call is over: its whole record, and everything it still held is given back.

    ``record`` holds the call's fields by the names of the API's ``call`` resource, JSON-ready; or makes
    them when they are asked for, which is on the writer's thread, for many calls in a row.  ``unbridged``:
    its Connect was written, but the caller was gone before our answer: what that used up is given back.
    """

    call_id: str
    ended_at: datetime
    disposition: str
    record: Mapping[str, Any] | Callable[[], Mapping[str, Any]]
    unbridged: bool = False

    def told(self) -> Mapping[str, Any]:
        """The record; raises whatever its maker does, and that must cost nobody more than the record."""
        return self.record() if callable(self.record) else self.record


Command = OpenCall | Reserve | Connect | Release | HandBack | Convert | ResetCap | Finish | VisitCommand


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The answer to any command that the store could not write (disk full, locked, read-only)."""

    reason: str


@dataclass(frozen=True, slots=True)
class CapCount:
    """What is taken of one window of one cap: used up, and reserved on top of it."""

    cap_id: str
    window: str
    used: int
    reserved: int


@dataclass(frozen=True, slots=True)
class CapNotice:
    """A window of a cap that has just been used up (``cap.reached``), or nearly (``cap.warning``).

    Told once a window, and again only after a reset.
    """

    event: Literal["cap.reached", "cap.warning"]
    cap_id: str
    owner_id: str
    window: str
    used: int
    limit: int
