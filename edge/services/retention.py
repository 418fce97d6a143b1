"""What nobody asks for any more leaves the database (Rules: number pools, audit).

Late or early makes no difference: whatever is decided by a visit or an edit goes by its stamps.
"""

import asyncio
from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.ledger import Unavailable
from edge.model.visits import Place, Sweep, Swept
from edge.services.periodic import Periodic

EVERY_S = 3600.0
# Between two slices: calls' commits go first.
PAUSE_S = 0.05
log = get_logger("edge.retention")


class SweepStore(Protocol):
    """The group-commit writer, as far as sweeping needs it."""

    def submit(self, command: Sweep) -> "Future[Any]": ...


@dataclass(frozen=True, slots=True)
class KeptDays:
    """For how many days: visits without a call and counts; the audit; versions of the set-up that one can
    go back to, with the secrets that they would need."""

    visits: int = 90
    audit: int = 1095
    versions: int = 365


class RetentionService:
    """An async context manager: while the block runs, what is older than ``kept`` is removed.

    ``said_since`` is from when on data by caller is still known.
    """

    def __init__(
        self, store: SweepStore, clock: Clock, kept: KeptDays, said_since: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._clock = clock
        self._kept = kept
        self._said_since = said_since
        self._sweeper = Periodic("retention", self.sweep, EVERY_S)

    async def __aenter__(self) -> Self:
        await self._sweeper.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._sweeper.__aexit__(*exc)

    async def sweep(self) -> None:
        """Once through everything; what the store can not do now is done the next time."""
        for what, before in self._due(self._clock.utc()):
            place: Place | None = ("", "")
            while place is not None:
                answer = await self._store.submit(Sweep(what, before, place))
                if isinstance(answer, Unavailable):
                    log.warning("retention.postponed", what=what, reason=answer.reason)
                    return
                place = answer
                await asyncio.sleep(PAUSE_S)

    def _due(self, now: datetime) -> tuple[tuple[Swept, datetime], ...]:
        visits = now - timedelta(days=self._kept.visits)
        return (
            ("visits", visits),
            ("counts", visits),
            ("callers", self._said_since()),
            ("secrets", now - timedelta(days=self._kept.versions)),
            ("audit", now - timedelta(days=self._kept.audit)),
        )
