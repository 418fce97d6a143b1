"""Telephone-events (RFC 4733): packets in, one event for each key press out."""

from typing import Final

from edge.media.engine import Dtmf
from edge.media.rtp import later

DIGITS: Final = "0123456789*#ABCD"
LOST_END_S: Final = 0.3
"""A press whose end packets are all lost is over this long after its last packet."""
LATE_S: Final = 2.0
"""No packet of an earlier press is under way for longer: a timestamp that lies before it is a stream's that
begins anew."""

_PAYLOAD_SIZE: Final = 4
_END: Final = 0x80
_LONGEST: Final = 0xFFFF


class DtmfReceiver:
    """One leg's key presses.  Sans-IO: ``now`` is monotonic seconds.

    A press is known by its timestamp (§2.5.1.1), which is its source's own: its updates and its three end
    packets are one event.  A press longer than 65,535 clock ticks goes on in segments (§2.5.1.3).
    """

    __slots__ = ("_clock", "_digit", "_duration", "_earlier", "_heard", "_ssrc", "_timestamp", "open")

    def __init__(self, clock_rate: int = 8000) -> None:
        self._clock = clock_rate
        self._timestamp: int | None = None
        self._ssrc = 0
        self._digit = ""
        self._duration = 0
        self._earlier = 0
        self._heard = 0.0
        self.open = False

    def receive(self, timestamp: int, payload: bytes | memoryview, now: float, ssrc: int = 0) -> list[Dtmf]:
        """The presses that this packet ends: its own, and one before it whose end was lost."""
        if len(payload) < _PAYLOAD_SIZE or payload[0] >= len(DIGITS):
            return []
        digit, duration = DIGITS[payload[0]], payload[2] << 8 | payload[3]
        ended: list[Dtmf] = []
        if ssrc != self._ssrc:
            self._change_source(ssrc, ended)
        if timestamp != self._timestamp and not self._begin(timestamp, digit, ended, now):
            return []
        if not self.open:
            return []
        self._heard = now
        self._duration = max(self._duration, duration)
        if payload[1] & _END:
            ended.append(self._end())
        return ended

    def expire(self, now: float) -> Dtmf | None:
        """The press whose end never came, once it has been silent for ``LOST_END_S``."""
        if self.open and now - self._heard >= LOST_END_S:
            return self._end()
        return None

    def _change_source(self, ssrc: int, ended: list[Dtmf]) -> None:
        if self.open:
            ended.append(self._end())
        self._ssrc, self._timestamp = ssrc, None

    def _begin(self, timestamp: int, digit: str, ended: list[Dtmf], now: float) -> bool:
        """Takes a new timestamp; False when it is of a press before the last one."""
        previous = self._timestamp
        if previous is not None and not later(timestamp, previous) and now - self._heard < LATE_S:
            return False
        if self.open and previous is not None:
            if digit == self._digit and (timestamp - previous) % (1 << 32) == _LONGEST == self._duration:
                self._earlier += self._duration
                self._timestamp, self._duration = timestamp, 0
                return True
            ended.append(self._end())
        self._timestamp, self._digit = timestamp, digit
        self._duration = self._earlier = 0
        self.open = True
        return True

    def _end(self) -> Dtmf:
        self.open = False
        return Dtmf(self._digit, 1000 * (self._earlier + self._duration) // self._clock)
