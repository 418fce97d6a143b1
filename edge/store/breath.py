"""Pauses of a thread that works for seconds: the loop takes its turn meanwhile, and calls go on."""

import time

# Giving the lock up without a pause is not enough: it is taken again before another thread has woken.
_PAUSE_S = 0.0002
_AT_MOST_S = 0.002


class Breath:
    """To be called often; pauses if the last pause is 2 ms ago."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self) -> None:
        if time.perf_counter() - self._last >= _AT_MOST_S:
            time.sleep(_PAUSE_S)
            self._last = time.perf_counter()
