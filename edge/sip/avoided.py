"""Addresses that just failed are tried last for a while: not every call waits for them (RFC 3263 4.3)."""

from collections.abc import Callable, Sequence
from typing import Final

from edge.sip.events import Destination

AVOID_S: Final = 30.0
MAX_AVOIDED: Final = 1000


class Avoided:
    """Who failed, and until when that counts; ``clock`` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[Destination, float] = {}

    def add(self, destination: Destination, seconds: float = AVOID_S) -> None:
        """It failed now, or said that it is to be left alone for so long."""
        self._until.pop(destination, None)
        if len(self._until) >= MAX_AVOIDED:
            del self._until[next(iter(self._until))]
        self._until[destination] = self._clock() + seconds

    def remove(self, destination: Destination) -> None:
        """It works."""
        self._until.pop(destination, None)

    def holds(self, destination: Destination) -> bool:
        """Whether it failed not long ago."""
        return self._until.get(destination, 0.0) > self._clock()

    def sorted(self, destinations: Sequence[Destination]) -> list[Destination]:
        """The same ones, those that failed last: none is left out, as it may be the only one."""
        if not self._until:
            return list(destinations)
        until, now = self._until, self._clock()
        return sorted(destinations, key=lambda destination: until.get(destination, 0.0) > now)
