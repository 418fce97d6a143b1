"""Keys that we press to one leg, as telephone-events (RFC 4733): a PBX may want some once it has answered."""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from edge.media import control
from edge.media.dtmf import DIGITS
from edge.media.player import Listener, Voice, transmit

PAUSE: Final = "w"
PAUSE_MS: Final = 500
_PACKET_MS: Final = 20
_PACKETS: Final = 8
_GAP_MS: Final = 100
_VOLUME: Final = 10
_END: Final = 0x80
_ENDS: Final = 3
_PRESS: Final = struct.Struct("!HIBI")


def encode_press(port: int, token: int, payload_type: int, digits: str, clock_rate: int) -> bytes:
    """Presses keys to a leg (``w`` is half a second), as events of that payload type and clock (Hz)."""
    head = _PRESS.pack(port, token, payload_type, clock_rate)
    return control.frame(control.PRESS, head + digits.encode("ascii"))


def decode_press(body: bytes) -> tuple[int, int, int, str, int]:
    """Port, token, payload type, keys, clock."""
    port, token, payload_type, clock_rate = _PRESS.unpack_from(body)
    return port, token, payload_type, body[_PRESS.size :].decode("ascii"), clock_rate


class _Step(NamedTuple):
    """One packet (empty: none), whether it begins a press, and the milliseconds to the next step."""

    octets: bytes
    first: bool
    wait_ms: int


def steps(digits: str, per_ms: int) -> Iterator[_Step]:
    """Each key for 160 ms (of ``per_ms`` ticks each), its end told three times, then a pause; ``w`` waits
    half a second."""
    for digit in digits:
        if digit == PAUSE:
            yield _Step(b"", False, PAUSE_MS)
            continue
        event = DIGITS.index(digit)
        for number in range(1, _PACKETS + 1):
            duration = (number * _PACKET_MS * per_ms).to_bytes(2, "big")
            yield _Step(bytes((event, _VOLUME)) + duration, number == 1, _PACKET_MS)
        whole = (_PACKETS * _PACKET_MS * per_ms).to_bytes(2, "big")
        for number in range(_ENDS):
            wait = _PACKET_MS if number < _ENDS - 1 else _GAP_MS
            yield _Step(bytes((event, _END | _VOLUME)) + whole, False, wait)


class Presses:
    """Some keys on their way to one leg.  ``step`` is called by the pacer."""

    __slots__ = ("_left", "_leg", "_payload_type", "_per_ms", "_token", "_voice")

    def __init__(self, leg: Listener, voice: Voice, token: int, digits: str, events: tuple[int, int]) -> None:
        """``events`` are the payload type and its clock in Hz."""
        self._leg = leg
        self._voice = voice
        self._token = token
        self._payload_type, clock_rate = events
        self._per_ms = clock_rate // 1000
        self._left = steps(digits, self._per_ms)

    def step(self, tick: int) -> int:
        """Sends the packet of that tick; answers the milliseconds to the next, 0 at the end."""
        leg = self._leg
        if leg.player is not self:  # stopped, replaced, or the leg is closed
            return 0
        step = next(self._left, None)
        if step is None:
            leg.played(self._token)
            return 0
        if step.octets and leg.out.is_open:
            packet = self._voice.event(
                tick, self._payload_type, step.octets, first=step.first, per_ms=self._per_ms
            )
            transmit(leg.out, packet)
        return step.wait_ms
