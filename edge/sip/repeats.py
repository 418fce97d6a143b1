"""Which datagrams come again as an honest peer's do: the same octets, T1 after the last time or later
(RFC 3261 17.1).  A flood in somebody's name seldom has that patience.  No IO; nothing is parsed."""

from typing import Final

from edge.sip.strangers import remember
from edge.sip.timers import T1

LEAST_S: Final = 0.8 * T1
"""Between two copies: networks and machines delay one more than the other."""
MOST: Final = 30_000
"""Datagrams that are remembered, some 150 octets each: those of the last 0.5 s of 50,000 a second."""


class Repeats:
    """The last instant of each of the newest datagrams, by a hash that nobody outside can foresee."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}

    def is_patient(self, host: str, data: bytes, now: float) -> bool:
        """Whether this datagram of ``host`` came before, and not too soon; notes that it has come now.

        One that comes sooner begins anew: what is sent again and again without a pause never waits.
        """
        key = hash((host, data))
        last = self._last.pop(key, now)
        remember(self._last, key, now, MOST)
        return now - last >= LEAST_S
