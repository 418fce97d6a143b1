"""What each trunk uses of its own limits: calls at once and calls per second."""

from edge.model.config import Trunk


class TrunkLoad:
    """Live calls and a token bucket per trunk (``max_calls``, ``max_cps`` with a burst of one second)."""

    def __init__(self) -> None:
        self._live: dict[str, int] = {}
        self._buckets: dict[str, tuple[float, float]] = {}

    def admit(self, trunk: Trunk, now: float) -> str | None:
        """Takes a call onto a trunk; answers which limit is full instead, or None.

        ``now`` is monotonic seconds.  What was taken is given back with ``leave``.
        """
        live = self._live.get(trunk.id, 0)
        if trunk.max_calls is not None and live >= trunk.max_calls:
            return f"max_calls {trunk.max_calls} of trunk {trunk.name}"
        if trunk.max_cps is not None and not self._take(trunk.id, trunk.max_cps, now):
            return f"max_cps {trunk.max_cps:g} of trunk {trunk.name}"
        self._live[trunk.id] = live + 1
        return None

    def leave(self, trunk_id: str) -> None:
        """A call of the trunk has ended."""
        live = self._live.get(trunk_id, 0) - 1
        if live > 0:
            self._live[trunk_id] = live
        else:
            self._live.pop(trunk_id, None)

    def live(self, trunk_id: str) -> int:
        """Calls of the trunk at this moment."""
        return self._live.get(trunk_id, 0)

    def _take(self, trunk_id: str, rate: float, now: float) -> bool:
        burst = max(1.0, rate)
        tokens, last = self._buckets.get(trunk_id, (burst, now))
        tokens = min(burst, tokens + (now - last) * rate)
        if tokens < 1.0:
            self._buckets[trunk_id] = (tokens, now)
            return False
        self._buckets[trunk_id] = (tokens - 1.0, now)
        return True
