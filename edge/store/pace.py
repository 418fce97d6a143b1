"""When a commit goes.  Pure: told the time, in seconds of the loop's clock."""

from typing import Final

# A new call's way on, or a visitor's page, waits for it: at once, while no more than one each SOON_S is asked
# for on average, BURST of them ahead of it.
SOON_S: Final = 0.005
BURST: Final = 4
# An answered call waits for it, which nobody hears.  A commit costs some 0.4 ms of CPU however little is in
# it, most of it in the kernel and on waking, so answers wait for each other, a crowd of them less long.
ANSWER_S: Final = 0.08
CROWD: Final = 4
CROWD_S: Final = 0.015


class Pace:
    """Says by when what waits is to be written, and is told when that happens."""

    __slots__ = ("_answers", "_next", "last")

    def __init__(self) -> None:
        self.last = 0.0
        self._next = 0.0
        self._answers = 0

    def soon(self) -> float:
        """By when what somebody waits for is to go."""
        return self._next - BURST * SOON_S

    def answer(self) -> float:
        """By when a call's answer that waits from now on is to go."""
        self._answers += 1
        return self.last + (ANSWER_S if self._answers < CROWD else CROWD_S)

    def went(self, now: float) -> None:
        """A commit takes everything that waits."""
        self._next = max(self._next, now) + SOON_S
        self._answers = 0
        self.last = now
