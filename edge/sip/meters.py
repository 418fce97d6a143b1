"""How much a source has sent of what it may: measured at each message, without timers."""

from dataclasses import dataclass
from typing import Final

from edge.sip.bans import Reason

DECAY: Final = 0.5
"""Points that a score loses in a second."""
BURST_S: Final = 2.0
"""Seconds' worth of messages that any source may send at once."""
_ROUNDING_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a known source may send: messages a second, with a burst of ``BURST_S`` seconds, from all the
    addresses and connections of its ``owner`` together."""

    owner: str
    per_second: float


class Bucket:
    """A stranger's tokens for messages, and the score of its offences; both are brought up to date when they
    are looked at."""

    __slots__ = ("at", "score", "tokens", "worst")

    def __init__(self, rate: float, now: float) -> None:
        self.at = now
        self.tokens = BURST_S * rate
        self.score = 0.0
        self.worst: Reason | None = None

    def refill(self, rate: float, now: float) -> None:
        passed, self.at = now - self.at, now
        self.tokens = min(BURST_S * rate, self.tokens + passed * rate)
        self.score = max(0.0, self.score - passed * DECAY)
        if not self.score:
            self.worst = None

    def take(self, cost: float) -> bool:
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Meter:
    """What one owner has sent, as the instant up to which its rate has room for it."""

    __slots__ = ("seconds", "tell_at", "until", "untold")

    def __init__(self) -> None:
        self.seconds = 0.0  # that a message takes at this rate
        self.until = 0.0
        self.untold = 0  # messages over it, of which nobody has been told yet
        self.tell_at = 0.0

    def takes(self, cost: float, now: float) -> bool:
        """Counts so many messages, unless that were more than the burst."""
        until = (self.until if self.until > now else now) + cost * self.seconds
        if until - now > BURST_S + _ROUNDING_S:
            return False
        self.until = until
        return True

    def over_s(self, now: float) -> float:
        """Counts a message in any case; answers for how many seconds no further one fits."""
        self.until = (self.until if self.until > now else now) + self.seconds
        return max(0.0, self.until - now - BURST_S - _ROUNDING_S)
