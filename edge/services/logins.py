"""The addresses from which trunks without any have logged in: no strangers for a day, over restarts too."""

from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from edge.calls.sources import MAX_LOGINS, Login, Sources
from edge.clock import Clock
from edge.model.bans import LoggedIn
from edge.services.kept import Kept
from edge.sip.guard import Guard
from edge.store.logins import LoginRecords

GRAIN_S: Final = 3600.0
"""A phone may log in with every call: what is kept of it is written again once an hour."""


class KeptLogins(Kept[Login, LoggedIn]):
    """See ``Kept``.  The ``guard`` has who is trusted for it, ``sources`` as which trunk."""

    def __init__(self, guard: Guard, sources: Sources, records: LoginRecords, clock: Clock) -> None:
        super().__init__("logins", records, clock)
        self._guard = guard
        self._sources = sources
        self._logins = records

    async def _restore(self, start: datetime) -> Iterable[Login]:
        rows = await self._logins.all(self._clock.utc(), MAX_LOGINS)
        logins = [Login(row.address, row.trunk_id, (row.until - start).total_seconds()) for row in rows]
        for login in logins:
            if self._sources.remember(login):
                self._guard.proven(login.host, login.until)
        return logins

    def _now(self) -> Sequence[Login]:
        return [login for login in self._sources.logins() if self._guard.is_proven(login.host)]

    def _key(self, known: Login) -> str:
        return known.host

    def _mark(self, known: Login) -> Hashable:
        return known.trunk_id, known.until // GRAIN_S

    def _row(self, known: Login, start: datetime) -> LoggedIn:
        return LoggedIn(known.host, known.trunk_id, start + timedelta(seconds=known.until))
