"""What nobody asks for any more leaves the database (Rule: number pools).

Late or early makes no difference: whatever is decided by a visit goes by its stamps.
"""

import asyncio
import contextlib
from asyncio import Future
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.ledger import Unavailable
from edge.model.visits import Place, Sweep, Swept

EVERY_S = 3600.0
# Between two slices: calls' commits go first.
PAUSE_S = 0.05
log = get_logger("edge.retention")


class SweepStore(Protocol):
    """The group-commit writer, as far as sweeping needs it."""

    def submit(self, command: Sweep) -> "Future[Any]": ...


class RetentionService:
    """An async context manager: while the block runs, old visits, counts and data by caller are removed.

    ``days`` is how long visits without a call and counts stay, ``said_since`` from when on data by
    caller is still known.
    """

    def __init__(
        self, store: SweepStore, clock: Clock, days: int, said_since: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._clock = clock
        self._kept = timedelta(days=days)
        self._said_since = said_since
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="retention")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> None:
        """Once through everything; what the store can not do now is done the next time."""
        visits = self._clock.utc() - self._kept
        for what, before in self._due(visits):
            place: Place | None = ("", "")
            while place is not None:
                answer = await self._store.submit(Sweep(what, before, place))
                if isinstance(answer, Unavailable):
                    log.warning("retention.postponed", what=what, reason=answer.reason)
                    return
                place = answer
                await asyncio.sleep(PAUSE_S)

    def _due(self, visits: datetime) -> tuple[tuple[Swept, datetime], ...]:
        return (("visits", visits), ("counts", visits), ("callers", self._said_since()))

    async def _run(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY_S)
