"""Targets that failed several times running are passed over for a while (rule: Failover)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge.calls.outcome import Result
from edge.clock import Clock
from edge.model.config import Target, Trunk
from edge.model.peers import Reachability
from edge.routing.snapshot import Snapshot

FAILURES: Final = 5
"""Calls in a row that could not reach a target."""
FIRST_S: Final = 30.0
MOST_S: Final = 300.0
"""Seconds that it is passed over: twice as long each time that the next call fails too."""
PROBE_S: Final = 6.0
"""Seconds in which one call finds out; the others still pass the target over."""
MAX_RETRY_AFTER_S: Final = 600
MAX_KNOWN: Final = 10_000


@dataclass(slots=True)
class _State:
    since: datetime
    failures: int = 0
    wait_s: float = 0.0
    until: float = 0.0
    reason: str = ""


class Breaker:
    """A container of the ids of targets that are passed over now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failing: dict[str, _State] = {}

    def __contains__(self, target_id: object) -> bool:
        if not self._failing:
            return False
        state = self._failing.get(str(target_id))
        return state is not None and state.until > self._clock.monotonic()

    def dialled(self, target_id: str) -> None:
        """It is dialled now; if that is the first call after its time, it alone finds out."""
        state = self._failing.get(target_id)
        if state is not None and state.until:
            state.until = self._clock.monotonic() + PROBE_S

    def learn(self, target_id: str, result: Result) -> None:
        """What its dial came to; nothing, if it was not asked (a limit of our own, say)."""
        if not result.asked:
            return
        if result.outcome == "unreachable" and result.next_address:
            self.failed(target_id, result.reason, result.retry_after_s)
        else:
            self.succeeded(target_id)

    def succeeded(self, target_id: str) -> None:
        """It answered, whatever it said."""
        if self._failing:
            self._failing.pop(target_id, None)

    def failed(self, target_id: str, reason: str, retry_after_s: int | None = None) -> None:
        """No address of it could serve the call; ``retry_after_s`` when it said when to come back."""
        state = self._failing.get(target_id)
        if state is None:
            if len(self._failing) >= MAX_KNOWN:
                del self._failing[next(iter(self._failing))]
            state = self._failing[target_id] = _State(self._clock.utc())
        state.failures += 1
        state.reason = reason
        wait_s = 0.0
        if state.failures >= FAILURES:
            wait_s = state.wait_s = min(MOST_S, state.wait_s * 2 or FIRST_S)
        if retry_after_s:
            wait_s = max(wait_s, float(min(retry_after_s, MAX_RETRY_AFTER_S)))
        if wait_s and not state.until:
            state.since = self._clock.utc()
        state.until = self._clock.monotonic() + wait_s if wait_s else 0.0

    def reconsider(self, before: Snapshot, now: Snapshot) -> None:
        """The configuration was edited: what failed by another address or trunk is no reason now."""
        for target_id in list(self._failing):
            if _ways(before, target_id) != _ways(now, target_id):
                del self._failing[target_id]

    def reachability(self, target_id: str) -> Reachability | None:
        """What the API shows of a target that is passed over; None of any other."""
        state = self._failing.get(target_id)
        if state is None or target_id not in self:
            return None
        reason = f"passed over after {state.failures} failed calls: {state.reason}"
        return Reachability(state="down", since=state.since, reason=reason)


def _ways(snapshot: Snapshot, target_id: str) -> tuple[Target | None, tuple[Trunk | None, ...]]:
    """How a target is reached."""
    target = snapshot.target(target_id)
    return target, () if target is None else tuple(map(snapshot.trunk, target.trunk_ids))
