"""RTP (RFC 3550): what a relay must know of a packet's header, and what it measures of a stream."""

import struct
from typing import Final

HEADER_SIZE: Final = 12
HEADER: Final = struct.Struct("!BBHII")
"""Version and flags, marker and payload type, sequence number, timestamp, SSRC (§5.1)."""

STREAM: Final = struct.Struct("!HII")
"""Sequence number, timestamp and SSRC, from octet 2."""

VERSION_MASK: Final = 0xC0
VERSION_2: Final = 0x80
MARKER: Final = 0x80
COMFORT_NOISE: Final = 13
"""RFC 3389's static payload type."""

_MAX_DROPOUT: Final = 3000
_SEQUENCE: Final = 1 << 16
_WRAP: Final = 1 << 32
_HALF: Final = 1 << 31


def header_length(packet: bytes | bytearray | memoryview, length: int) -> int:
    """Octets before the payload: fixed header, CSRCs and extension (§5.1, §5.3.1); at most ``length``."""
    size = HEADER_SIZE + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10 and size + 4 <= length:
        size += 4 + 4 * (packet[size + 2] << 8 | packet[size + 3])
    return min(size, length)


class Reception:
    """Loss and jitter of what one peer sends (RFC 3550 §6.4.1, A.3, A.8).

    A new SSRC, or a jump of 3,000 packets, starts a new stream: what the old one lost stays counted,
    the jump itself is no loss.
    """

    __slots__ = ("_clock", "_cycles", "_first", "_jitter", "_lost", "_received", "_top", "_transit", "ssrc")

    def __init__(self, clock_rate: int = 8000) -> None:
        self._clock = clock_rate
        self._lost = 0
        self._received = 0
        self._cycles = 0
        self._first = self._top = 0
        self._transit = 0.0
        self._jitter = 0.0
        self.ssrc: int | None = None

    def add(self, sequence: int, timestamp: int, ssrc: int, now: float) -> None:
        """Counts a packet that arrived at ``now`` (monotonic seconds)."""
        transit = now * self._clock - timestamp
        if ssrc != self.ssrc:
            self._restart(sequence, ssrc)
            self._transit = transit
        elif sequence == (self._top + 1) & 0xFFFF:
            self._top = sequence
            if not sequence:
                self._cycles += _SEQUENCE
        else:
            self._jumped(sequence)
        self._received += 1
        change = transit - self._transit
        self._transit = transit
        if change < 0:
            change = -change
        if change < 80_000:  # a timestamp that wraps or starts anew says nothing of the network
            self._jitter += (change - self._jitter) * 0.0625

    def skip(self, sequence: int, ssrc: int) -> None:
        """Counts a packet whose timestamp does not advance (telephone-event): no jitter from it."""
        if ssrc != self.ssrc:
            self._restart(sequence, ssrc)
        else:
            self._jumped(sequence)
        self._received += 1

    def _restart(self, sequence: int, ssrc: int) -> None:
        self._lost = self.lost
        self._received = self._cycles = 0
        self._first = self._top = sequence
        self.ssrc = ssrc

    def _jumped(self, sequence: int) -> None:
        ahead = (sequence - self._top) & 0xFFFF
        if 0 < ahead < _MAX_DROPOUT:
            if sequence < self._top:
                self._cycles += _SEQUENCE
            self._top = sequence
        elif ahead and _SEQUENCE - ahead > _MAX_DROPOUT:
            self._restart(sequence, self.ssrc or 0)

    def set_clock(self, clock_rate: int) -> None:
        """The codec changed: the jitter starts anew when its clock (Hz) did."""
        if clock_rate != self._clock:
            self._clock = clock_rate
            self._jitter = 0.0

    @property
    def lost(self) -> int:
        """Packets that never came, never negative (duplicates hide losses, as in A.3)."""
        if self.ssrc is None:
            return self._lost
        expected = self._cycles + self._top - self._first + 1
        return self._lost + max(0, expected - self._received)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in milliseconds."""
        return 1000.0 * self._jitter / self._clock


def later(timestamp: int, than: int) -> bool:
    """Whether a timestamp lies after another, modulo 2^32."""
    return 0 < (timestamp - than) % _WRAP < _HALF
