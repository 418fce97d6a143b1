"""Pacing on an absolute grid of milliseconds: no stream drifts, many streams spread over the grid."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

Step = Callable[[int], int]
"""Called with its tick in milliseconds; answers in how many it wants to be called again, 0: never."""

SPREAD_MS: Final = 20
_BEHIND_MS: Final = 200


class Pacer:
    """Steps due at a tick.  Sans-IO: ticks are whole milliseconds of the monotonic clock.

    After a stall of more than 200 ms the missed ticks are left out rather than sent in one burst.
    """

    __slots__ = ("_due", "_ticks")

    def __init__(self) -> None:
        self._due: dict[int, list[Step]] = {}
        self._ticks: list[int] = []

    @property
    def next_tick(self) -> int | None:
        """When ``run`` has work, None when never."""
        return self._ticks[0] if self._ticks else None

    def start(self, step: Step, now: int) -> None:
        """A new stream: its first step falls on the emptiest of the next 20 ticks."""
        due = self._due
        best = min(range(now + 1, now + 1 + SPREAD_MS), key=lambda tick: len(due.get(tick, ())))
        self._put(step, best)

    def run(self, now: int) -> None:
        """Does all steps due until ``now``."""
        ticks = self._ticks
        while ticks and ticks[0] <= now:
            tick = heappop(ticks)
            base = tick if now - tick <= _BEHIND_MS else now
            steps = iter(self._due.pop(tick))
            try:
                for step in steps:
                    again = step(tick)
                    if again:
                        self._put(step, base + again)
            except BaseException:
                for step in steps:  # one stream's fault must not end the others
                    self._put(step, base + 1)
                raise

    def _put(self, step: Step, tick: int) -> None:
        steps = self._due.get(tick)
        if steps is None:
            self._due[tick] = [step]
            heappush(self._ticks, tick)
        else:
            steps.append(step)
