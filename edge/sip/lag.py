"""How late the timers are: the sign of a loop that has more to do than it can."""

from collections.abc import Callable
from typing import Final

MAX_LAG_S: Final = 0.5
"""Seconds by which the timers may be late, twice running, before new calls get 503 (for ``LAG_HOLDS_S``)."""
LAG_HOLDS_S: Final = 1.0


class Lag:
    """The last two times that the timers ran.  ``clock`` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._before_s = self._late_s = self._at = 0.0

    def note(self, due: float) -> None:
        """The timers run now; they were ``due`` at that instant."""
        self._at = self._clock()
        self._before_s, self._late_s = self._late_s, self._at - due

    def is_too_much(self) -> bool:
        """Whether the loop lags so much that new calls are to go elsewhere."""
        return min(self._before_s, self._late_s) > MAX_LAG_S and self._clock() - self._at < LAG_HOLDS_S
