"""The sources that the SIP side has banned, with instants of the wall clock; kept over restarts."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Self

from edge.clock import Clock
from edge.model.bans import Banned
from edge.services.audit import AuditService
from edge.services.errors import NotFound
from edge.services.periodic import Periodic
from edge.sip.bans import MAX_BANS, MEMORY_S, Ban, as_reason
from edge.sip.guard import Guard
from edge.store.audit import Entry
from edge.store.bans import BanRecords
from edge.store.errors import StoreError

WRITE_EVERY_S: Final = 10.0


class KeptBans:
    """An async context manager: the guard's bans go on after a restart, as long as they would have without.

    Written every ``WRITE_EVERY_S`` seconds, when one was lifted and at the end, by a thread, as far as they
    have changed; what a crash takes is a ban of the last seconds.
    """

    def __init__(self, guard: Guard, records: BanRecords, clock: Clock) -> None:
        self._guard = guard
        self._records = records
        self._clock = clock
        self._written: dict[str, float] = {}
        self._one = asyncio.Lock()
        self._writing = Periodic("bans", self.write, WRITE_EVERY_S, first_s=WRITE_EVERY_S)

    async def __aenter__(self) -> Self:
        remembered = self._clock.utc() - timedelta(seconds=MEMORY_S)
        with contextlib.suppress(StoreError):
            rows = await self._records.all(remembered, MAX_BANS)
            start = _start(self._clock)
            bans = [_ban(row, start) for row in rows]
            self._written = {ban.source: ban.until for ban in bans}
            self._guard.remember(bans)
        await self._writing.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._writing.__aexit__(*exc)
        await self.write()

    async def write(self) -> None:
        """Stores what has changed; tried again later when the store can not write."""
        async with self._one:
            bans = self._guard.remembered()
            if bans or self._written:
                work = asyncio.create_task(asyncio.to_thread(self._write, bans, _start(self._clock)))
                try:
                    await asyncio.shield(work)
                finally:  # a thread goes on when its caller is cancelled: the next one must not run beside it
                    await asyncio.wait([work])

    def _write(self, bans: Sequence[Ban], start: datetime) -> None:
        with contextlib.suppress(StoreError):
            self._write_changes(bans, start)

    def _write_changes(self, bans: Sequence[Ban], start: datetime) -> None:
        now = {ban.source: ban.until for ban in bans}
        gone = [source for source in self._written if source not in now]
        new = [ban for ban in bans if self._written.get(ban.source) != ban.until]
        if gone:
            self._records.drop(gone)
        if new:
            self._records.put(_row(ban, start) for ban in new)
        self._written = now


class BanService:
    """Reads and lifts bans; ``kept`` is told of those that were lifted."""

    def __init__(self, guard: Guard, kept: KeptBans, clock: Clock, audit: AuditService) -> None:
        self._guard = guard
        self._kept = kept
        self._clock = clock
        self._audit = audit

    def active(self, limit: int) -> Sequence[Banned]:
        """The newest bans that hold."""
        start = _start(self._clock)
        return [_row(ban, start) for ban in self._guard.active(limit)]

    async def lift(self, source: str | None) -> None:
        """Lifts the ban of one source, or of all; raises NotFound if that one is not banned."""
        if not self._guard.lift(source):
            raise NotFound(f"{source} is not banned")
        await self._kept.write()
        await self._audit.note(Entry("lift", "ban", source or "all", source or "every ban"))


def _start(clock: Clock) -> datetime:
    """When the guard's clock was at zero."""
    return clock.utc() - timedelta(seconds=clock.monotonic())


def _row(ban: Ban, start: datetime) -> Banned:
    since, until = (start + timedelta(seconds=at) for at in (ban.since, ban.until))
    return Banned(ban.source, ban.reason, since, until, ban.times, ban.dropped)


def _ban(row: Banned, start: datetime) -> Ban:
    since, until = ((at - start).total_seconds() for at in (row.since, row.until))
    return Ban(row.source, as_reason(row.reason), since, until, row.times, row.dropped)
