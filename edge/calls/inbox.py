"""Where everything that happens to a call waits until its story asks for it."""

import asyncio
import heapq
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Deadlines are met to this many seconds, so that one told again a moment later needs no new timer.
GRAIN_S = 0.001


_Alarm = list[Any]
"""When (loop seconds), a number that puts equals in order, and what is to be called: None if no more."""
_MOST_DEAD = 100


class _Alarms:
    """The deadlines of all inboxes of a loop: one timer of the loop for the earliest.

    A loop compares its timers in Python, twenty times a call if each has one; lists compare themselves.
    """

    __slots__ = ("_alarms", "_dead", "_number", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._alarms: list[_Alarm] = []
        self._number = 0
        self._dead = 0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float, ring: Callable[[], None]) -> _Alarm:
        """Calls ``ring`` at that time, unless it is stopped before."""
        self._number += 1
        alarm = [at, self._number, ring]
        heapq.heappush(self._alarms, alarm)
        if self._alarms[0] is alarm:
            self._arm(at)
        return alarm

    def stop(self, alarm: _Alarm) -> None:
        """It stays in its place until its time, or until most are like it."""
        alarm[2] = None
        self._dead += 1
        if self._dead > _MOST_DEAD and self._dead > len(self._alarms) // 2:
            self._alarms = [each for each in self._alarms if each[2] is not None]
            heapq.heapify(self._alarms)
            self._dead = 0

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(at, self._ring)

    def _ring(self) -> None:
        """A timer of the loop may ring a little early, by its clock's resolution."""
        self._timer = None
        until = self.loop.time() + GRAIN_S
        while self._alarms and (self._alarms[0][2] is None or self._alarms[0][0] <= until):
            ring = heapq.heappop(self._alarms)[2]
            if ring is None:
                self._dead -= 1
            else:
                ring()
        if self._alarms:
            self._arm(self._alarms[0][0])


_latest: _Alarms | None = None


def _alarms() -> _Alarms:
    """Those of the running loop."""
    global _latest  # noqa: PLW0603 - a process has one loop, tests one after the other
    loop = asyncio.get_running_loop()
    if _latest is None or _latest.loop is not loop:
        _latest = _Alarms(loop)
    return _latest


class Inbox(Generic[T]):
    """A queue with one reader and a deadline: cheaper than a task or a timeout scope per wait.

    One alarm serves all waits: it is left running when a wait ends, and moved only for an earlier
    deadline.  ``close`` stops it when nobody will read any more.  ``items`` are what waits, the oldest first.
    """

    __slots__ = ("_alarm", "_alarms", "_waiter", "items")

    def __init__(self) -> None:
        self._alarms = _alarms()
        self.items: list[T] = []  # few ever wait, and a deque is ten times as large
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: _Alarm | None = None

    def put(self, item: T) -> None:
        """Adds an item; never blocks."""
        self.items.append(item)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def idle(self) -> bool:
        """Whether the story waits and nothing has happened since: what happens now is next."""
        return self._waiter is not None and not self._waiter.done()

    def take(self, wanted: Callable[[T], bool]) -> list[T]:
        """Takes out what waits and is ``wanted``, the oldest first."""
        taken = [item for item in self.items if wanted(item)]
        if taken:
            self.items = [item for item in self.items if not wanted(item)]
        return taken

    def put_back(self, items: Iterable[T]) -> None:
        """What was taken too early waits again, before everything else."""
        self.items[:0] = items

    async def get(self, timeout_s: float | None = None) -> T | None:
        """The next item, or None after ``timeout_s`` seconds."""
        if self.items:
            return self.items.pop(0)
        loop = self._alarms.loop
        until = None if timeout_s is None else loop.time() + max(0.0, timeout_s)
        while True:
            if until is not None and (self._alarm is None or self._alarm[0] > until + GRAIN_S):
                self._wake_by(until)
            self._waiter = loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            if self.items:
                return self.items.pop(0)
            if until is not None and loop.time() + GRAIN_S >= until:
                return None

    def close(self) -> None:
        """No wait comes any more."""
        if self._alarm is not None:
            self._alarms.stop(self._alarm)
            self._alarm = None

    def _wake_by(self, until: float) -> None:
        if self._alarm is not None:
            self._alarms.stop(self._alarm)
        self._alarm = self._alarms.set(until, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
