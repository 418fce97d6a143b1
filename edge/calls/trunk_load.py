"""What each trunk uses of its own limits: calls at once and calls per second."""

from edge.model.config import Trunk


class Rate:
    """A token bucket: ``per_second`` with a burst of one second (never less than one)."""

    __slots__ = ("_last", "_tokens", "per_second")

    def __init__(self, per_second: float, now: float) -> None:
        self.per_second = per_second
        self._tokens = max(1.0, per_second)
        self._last = now

    def take(self, now: float) -> bool:
        """Takes one, if there is one (``now``: monotonic seconds)."""
        refilled = self._tokens + (now - self._last) * self.per_second
        self._tokens, self._last = min(max(1.0, self.per_second), refilled), now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def give_back(self) -> None:
        """What was taken last was not needed."""
        self._tokens += 1.0


class Rates:
    """A token bucket for each of many owners; those that never ask have none."""

    def __init__(self) -> None:
        self._rates: dict[str, Rate] = {}

    def take(self, owner_id: str, per_second: float, now: float) -> bool:
        """Takes one of an owner's, if there is one (``now``: monotonic seconds)."""
        rate = self._rates.get(owner_id)
        if rate is None or rate.per_second != per_second:
            rate = self._rates[owner_id] = Rate(per_second, now)
        return rate.take(now)

    def give_back(self, owner_id: str) -> None:
        """What an owner's was taken last was not needed; of those that never ask there is nothing."""
        rate = self._rates.get(owner_id)
        if rate is not None:
            rate.give_back()


class TrunkLoad:
    """Live calls and a token bucket per trunk (``max_calls``, ``max_cps`` with a burst of one second)."""

    def __init__(self) -> None:
        self._live: dict[str, int] = {}
        self._rates = Rates()

    def admit(self, trunk: Trunk, now: float) -> str | None:
        """Takes a call onto a trunk; answers which limit is full instead, or None.

        ``now`` is monotonic seconds.  What was taken is given back with ``leave``.
        """
        live = self._live.get(trunk.id, 0)
        if trunk.max_calls is not None and live >= trunk.max_calls:
            return f"max_calls {trunk.max_calls} of trunk {trunk.name}"
        if trunk.max_cps is not None and not self._rates.take(trunk.id, trunk.max_cps, now):
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
