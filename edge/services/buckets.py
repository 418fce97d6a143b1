"""So many a minute for each of many, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable

_MOST = 50_000


class Buckets:
    """Token buckets by key, each of one minute's worth; the longest unused are forgotten first."""

    def __init__(self, per_minute: float, monotonic: Callable[[], float]) -> None:
        self._full = per_minute
        self._monotonic = monotonic
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Takes one; False when none is left."""
        now = self._monotonic()
        left, since = self._held.pop(key, (self._full, now))
        left = min(self._full, left + (now - since) * self._full / 60)
        self._held[key] = (left - 1 if left >= 1 else left, now)
        if len(self._held) > _MOST:
            self._held.popitem(last=False)
        return left >= 1
