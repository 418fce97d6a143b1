"""Tasks that follow the configuration: one for each object that wants one, as long as it is as it was."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Generic, Self, TypeVar

from edge.calls.ports import ConfigurationHolder
from edge.logs import get_logger
from edge.model.config import Target, Trunk
from edge.routing.snapshot import Snapshot

log = get_logger("edge.calls")

SETTLE_S = 0.2
"""Seconds until a change is looked at: a set-up that is being written is walked once, not each time."""

AGAIN_S = 30.0
"""Seconds until a task that failed is begun anew."""

T = TypeVar("T", bound=Target | Trunk)


class Watches(Generic[T]):
    """An async context manager: runs ``run(item)`` for every item that ``wanted`` names.

    An item that is changed, or not wanted any more, has its task cancelled, and ended by ``gone``
    when it is not wanted any more.
    """

    def __init__(
        self,
        configuration: ConfigurationHolder,
        wanted: Callable[[Snapshot], Iterable[T]],
        run: Callable[[T], Coroutine[Any, Any, None]],
        gone: Callable[[str], None],
    ) -> None:
        self._configuration = configuration
        self._wanted = wanted
        self._run = run
        self._gone = gone
        self._watched: dict[str, tuple[T, asyncio.Task[None]]] = {}
        self._ending: dict[asyncio.Task[None], str] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._look()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for item_id in list(self._watched):
            self._end(item_id)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def changed(self) -> None:
        """The configuration has changed."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._look)

    def _look(self) -> None:
        self._timer = None
        wanted = {item.id: item for item in self._wanted(self._configuration.current)}
        for item_id in self._watched.keys() - wanted.keys():
            self._end(item_id)
            self._gone(item_id)
        for item_id, item in wanted.items():
            watched = self._watched.get(item_id)
            if watched is None or watched[0] != item:
                self._end(item_id)
                before = [task for task, of in self._ending.items() if of == item_id]
                task = asyncio.get_running_loop().create_task(self._guarded(item, before))
                self._watched[item_id] = item, task

    def _end(self, item_id: str) -> None:
        watched = self._watched.pop(item_id, None)
        if watched is not None:
            task = watched[1]
            task.cancel()
            self._ending[task] = item_id
            task.add_done_callback(self._ending.pop)

    async def _guarded(self, item: T, before: list[asyncio.Task[None]]) -> None:
        """One task of an item at a time: those before may still have to say goodbye.  One that fails is begun
        anew after a while."""
        if before:
            await asyncio.wait(before)
        while True:
            try:
                await self._run(item)
            except Exception:
                log.exception("peer.watch_failed", id=item.id)
            else:
                return
            await asyncio.sleep(AGAIN_S)
