"""An event loop on virtual time: when nothing is ready, its clock jumps to the next timer.

Hours of protocol time pass in milliseconds, in the same order as they would in reality.  When
nothing is ready and no timer waits, nothing could ever happen any more: that is a deadlock in the
code under test, and an error here.  Threads and sockets are invisible to virtual time: use it for
cores and orchestration, and the real loop for IO.

    async def story(clock): ...
    run_virtual(story)
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(Exception):
    """Nothing is ready and no timer waits: the test would hang for ever."""


class _NothingWaits(selectors.SelectSelector):
    """A selector that never sleeps: a wait for a timer moves the clock instead."""

    def __init__(self, clock: "VirtualClock") -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Deadlock(f"nothing will ever happen after {self._clock.monotonic():.3f} s")
        self._clock.advance(timeout)
        return ready


class VirtualClock:
    """Both clocks of ``edge.clock``: monotonic from 1000.0, UTC from ``starts_at``; settable by hand too."""

    def __init__(self, starts_at: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)) -> None:
        self._elapsed = 0.0
        self._starts_at = starts_at

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    def utc(self) -> datetime:
        return self._starts_at + timedelta(seconds=self._elapsed)

    def advance(self, seconds: float) -> None:
        """Lets time pass, without running anything."""
        self._elapsed += max(0.0, seconds)


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; ``clock`` shows its time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        super().__init__(_NothingWaits(self.clock))

    def time(self) -> float:
        return self.clock.monotonic()


def run_virtual(story: Callable[[VirtualClock], Awaitable[T]]) -> T:
    """Runs ``story(clock)`` to its end on virtual time; Deadlock if it can not get there."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_awaited(story(loop.clock)))


async def _awaited(what: Awaitable[Any]) -> Any:
    return await what
