"""The sources that the SIP side has banned, with instants of the wall clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from edge.clock import Clock
from edge.services.audit import AuditService
from edge.services.errors import NotFound
from edge.store.audit import Entry


class Held(Protocol):
    """A ban as the guard keeps it: instants are seconds of its clock."""

    source: str
    since: float
    until: float
    times: int
    dropped: int

    @property
    def reason(self) -> str: ...


class BanList(Protocol):
    """The guard, as far as its bans go."""

    def active(self, limit: int) -> Sequence[Held]: ...

    def lift(self, source: str | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ban:
    """A banned source; ``times`` counts its bans, ``dropped`` what it has sent since this one began."""

    source: str
    reason: str
    since: datetime
    until: datetime
    times: int
    dropped: int


class BanService:
    """Reads and lifts bans."""

    def __init__(self, bans: BanList, clock: Clock, audit: AuditService) -> None:
        self._bans = bans
        self._clock = clock
        self._audit = audit

    def active(self, limit: int) -> Sequence[Ban]:
        """The newest bans that hold."""
        start = self._clock.utc() - timedelta(seconds=self._clock.monotonic())
        return [
            Ban(
                held.source,
                held.reason,
                start + timedelta(seconds=held.since),
                start + timedelta(seconds=held.until),
                held.times,
                held.dropped,
            )
            for held in self._bans.active(limit)
        ]

    async def lift(self, source: str | None) -> None:
        """Lifts the ban of one source, or of all; raises NotFound if that one is not banned."""
        if not self._bans.lift(source):
            raise NotFound(f"{source} is not banned")
        await self._audit.note(Entry("lift", "ban", source or "all", source or "every ban"))
