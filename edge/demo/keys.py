"""What a phone sends while a key is held (RFC 4733 section 2.5.1): the event's packets, in order."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edge.media.dtmf import DIGITS

_EVENT = struct.Struct("!BBH")
_UPDATES = 5
_ENDS = 3
_PAUSE = 4
_TICKS = 160
_VOLUME = 10
_END = 0x80


class KeyPacket(NamedTuple):
    """One 20 ms of a press: whether it is the first, and the payload; empty between two presses."""

    first: bool
    payload: bytes


def presses(digits: str) -> Iterator[KeyPacket]:
    """Each key held for 0.1 s, its end told three times, then a pause; raises ValueError for no key."""
    for digit in digits:
        event = DIGITS.index(digit)
        for update in range(1, _UPDATES + 1):
            yield KeyPacket(update == 1, _EVENT.pack(event, _VOLUME, update * _TICKS))
        for _ in range(_ENDS):
            yield KeyPacket(False, _EVENT.pack(event, _END | _VOLUME, _UPDATES * _TICKS))
        yield from [KeyPacket(False, b"")] * _PAUSE
