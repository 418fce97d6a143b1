"""Where everything that happens to a call waits until its story asks for it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# Deadlines are met to this many seconds, so that one told again a moment later needs no new timer.
GRAIN_S = 0.001


class Inbox(Generic[T]):
    """A queue with one reader and a deadline: cheaper than a task or a timeout scope per wait.

    One timer serves all waits: it is left running when a wait ends, and moved only for an earlier
    deadline.  ``close`` stops it when nobody will read any more.
    """

    __slots__ = ("_due", "_items", "_loop", "_timer", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def put(self, item: T) -> None:
        """Adds an item; never blocks."""
        self._items.append(item)
        self._wake()

    @property
    def idle(self) -> bool:
        """Whether the story waits and nothing has happened since: what happens now is next."""
        return self._waiter is not None and not self._waiter.done()

    def __iter__(self) -> Iterator[T]:
        """What waits, the oldest first; it stays."""
        return iter(tuple(self._items))

    def take(self, wanted: Callable[[T], bool]) -> list[T]:
        """Takes out what waits and is ``wanted``, the oldest first."""
        taken = [item for item in self._items if wanted(item)]
        if taken:
            self._items = deque(item for item in self._items if not wanted(item))
        return taken

    def put_back(self, items: Iterable[T]) -> None:
        """What was taken too early waits again, before everything else."""
        self._items.extendleft(reversed(tuple(items)))

    async def get(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None after ``timeout_s`` seconds."""
        if self._items:
            return self._items.popleft()
        until = None if timeout_s is None else self._loop.time() + max(0.0, timeout_s)
        while True:
            if until is not None:
                self._wake_by(until)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            if self._items:
                return self._items.popleft()
            if until is not None and self._due + GRAIN_S >= until:
                return None

    def close(self) -> None:
        """No wait comes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake_by(self, until: float) -> None:
        if self._timer is not None:
            if self._due <= until + GRAIN_S:
                return
            self._timer.cancel()
        self._due = until
        self._timer = self._loop.call_at(until, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
