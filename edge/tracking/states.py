"""A lease and its state at an instant (Rule: number pools).  Stamps are milliseconds since the epoch, UTC.

``LEASED`` until the last activity and the hold; ``LAPSED`` until the link ends, then ``FREE``.  An answered
call that is over makes it ``CALL_DONE`` until the visitor is active again.  ``BUSY`` goes before all:
a call lives.  Every interval is half-open.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from edge.model.visits import PoolRules

LINK_MAX_MS = 6 * 3600 * 1000
"""So long after the last activity a call still belongs to the visit."""

CROSSED_MS = 5_000
"""A page tells its last use and its end at once as it is left: use that comes so soon after was before."""

State = Literal["free", "leased", "lapsed", "call_done", "busy"]


@dataclass(frozen=True, slots=True)
class Lease:
    """A number and the visit that last took it; ``generation`` counts the hand-outs of the number."""

    number_id: str
    impression_id: str
    tag_id: str
    visitor_id: str
    generation: int
    active_ms: int
    until_ms: int
    call_ended_ms: int | None = None
    closed_ms: int | None = None

    @property
    def archive_ms(self) -> int:
        """When the link ends."""
        return archive_ms(self.active_ms, self.until_ms)

    def renewed(self, rules: PoolRules, now: int) -> "Lease":
        """After a page view.  A hold that was shortened since takes nothing back."""
        until = max(self.until_ms, now + rules.hold_ms)
        return replace(self, active_ms=now, until_ms=until, call_ended_ms=None, closed_ms=None)

    def used(self, rules: PoolRules, now: int) -> "Lease":
        """After real use of the page, which its end may have overtaken."""
        renewed, closed = self.renewed(rules, now), self.closed_ms
        return renewed if closed is None or now >= closed + CROSSED_MS else renewed.closed(rules, closed)

    def closed(self, rules: PoolRules, at: int) -> "Lease":
        """After the page was closed: shorter only where the pool says so."""
        until = min(self.until_ms, at + rules.closed_ms) if rules.early_close else self.until_ms
        return replace(self, until_ms=until, closed_ms=at)

    def state(self, rules: PoolRules, now: int, busy: bool) -> State:
        """What may be done with the number at ``now``."""
        if busy:
            return "busy"
        if now >= self.until_ms:
            return "free" if now >= self.archive_ms else "lapsed"
        ended = self.call_ended_ms
        if ended is not None and rules.call_end_frees and now >= ended + rules.post_call_ms:
            return "call_done"
        return "leased"


def instant_of(ms: int) -> datetime:
    """A stamp as an instant."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


def archive_ms(active_ms: int, until_ms: int) -> int:
    """When a link ends that was last used then and is leased till then."""
    return max(until_ms, active_ms + LINK_MAX_MS)
