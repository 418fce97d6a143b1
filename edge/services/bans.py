"""The sources that the SIP side has banned, with instants of the wall clock; kept over restarts."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta

from edge.clock import Clock
from edge.model.bans import Banned
from edge.services.audit import AuditService
from edge.services.errors import NotFound
from edge.services.kept import Kept, start_of
from edge.sip.bans import MAX_BANS, MEMORY_S, Ban, as_reason
from edge.sip.guard import Guard
from edge.store.audit import Entry
from edge.store.bans import BanRecords


class KeptBans(Kept[Ban, Banned]):
    """See ``Kept``."""

    def __init__(self, guard: Guard, records: BanRecords, clock: Clock) -> None:
        super().__init__("bans", records, clock)
        self._guard = guard
        self._bans = records

    async def _restore(self, start: datetime) -> Iterable[Ban]:
        remembered = self._clock.utc() - timedelta(seconds=MEMORY_S)
        bans = [_ban(row, start) for row in await self._bans.all(remembered, 2 * MAX_BANS)]
        self._guard.remember(bans)
        return bans

    def _now(self) -> Sequence[Ban]:
        return self._guard.remembered()

    def _key(self, known: Ban) -> str:
        return known.source

    def _mark(self, known: Ban) -> Hashable:
        return known.until, known.datagrams_only

    def _row(self, known: Ban, start: datetime) -> Banned:
        return _row(known, start)


class BanService:
    """Reads and lifts bans; ``kept`` is told of those that were lifted."""

    def __init__(self, guard: Guard, kept: KeptBans, clock: Clock, audit: AuditService) -> None:
        self._guard = guard
        self._kept = kept
        self._clock = clock
        self._audit = audit

    def active(self, limit: int) -> Sequence[Banned]:
        """The newest bans that hold."""
        start = start_of(self._clock)
        return [_row(ban, start) for ban in self._guard.active(limit)]

    async def lift(self, source: str | None) -> None:
        """Lifts the ban of one source, or of all; raises NotFound if that one is not banned."""
        if not self._guard.lift(source):
            raise NotFound(f"{source} is not banned")
        await self._kept.write()
        await self._audit.note(Entry("lift", "ban", source or "all", source or "every ban"))


def _row(ban: Ban, start: datetime) -> Banned:
    since, until = (start + timedelta(seconds=at) for at in (ban.since, ban.until))
    return Banned(ban.source, ban.reason, since, until, ban.times, ban.dropped, ban.datagrams_only)


def _ban(row: Banned, start: datetime) -> Ban:
    since, until = ((at - start).total_seconds() for at in (row.since, row.until))
    return Ban(row.source, as_reason(row.reason), since, until, row.times, row.dropped, row.datagrams_only)
