"""One timer of the loop for many deadlines."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``ring`` at the earliest of the deadlines that it was told, in seconds of the loop's clock.

    A timer that is there and comes first stays, though what it was for may be done before: to be woken for
    nothing now and then is cheaper than to set and cancel one each time.
    """

    __slots__ = ("_loop", "_ring", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def by(self, due: float) -> None:
        """Rings then at the latest."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._rings)

    def stop(self) -> None:
        """Does not ring any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
