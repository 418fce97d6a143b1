"""Where everything that happens to a call waits until its story asks for it."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue with one reader and a deadline: cheaper than a task or a timeout scope per wait."""

    __slots__ = ("_items", "_loop", "_waiter")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Adds an item; never blocks."""
        self._items.append(item)
        self._wake()

    def __iter__(self) -> Iterator[T]:
        """What waits, the oldest first; it stays."""
        return iter(tuple(self._items))

    def put_back(self, items: Iterable[T]) -> None:
        """What was taken too early waits again, before everything else."""
        self._items.extendleft(reversed(tuple(items)))

    async def get(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None after ``timeout_s`` seconds."""
        if self._items:
            return self._items.popleft()
        waiter = self._waiter = self._loop.create_future()
        timer = None if timeout_s is None else self._loop.call_later(max(0.0, timeout_s), self._wake)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
        return self._items.popleft() if self._items else None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
