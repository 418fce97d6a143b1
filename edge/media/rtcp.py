"""RTCP (RFC 3550 §6): whether a datagram is a compound packet, and where a BYE begins in it."""

from typing import Final

_VERSION_MASK: Final = 0xC0
_VERSION_2: Final = 0x80
_FIRST_TYPE: Final = 200
_LAST_TYPE: Final = 207
BYE: Final = 203


def is_rtcp_type(octet: int) -> bool:
    """Whether an RTP packet's second octet is an RTCP type instead (RFC 5761 §4: ports shared)."""
    return _FIRST_TYPE <= octet <= _LAST_TYPE


def passable(packet: bytes | bytearray | memoryview, length: int) -> int:
    """Octets of a valid compound packet that may go on, 0 for none.

    Valid: version 2 and known types throughout, lengths that add up (A.2).  A BYE and what follows
    it is left out: anybody who can forge a source could end a stream with it (the dialog ends calls).
    """
    at = 0
    while at + 4 <= length:
        kind = packet[at + 1]
        if packet[at] & _VERSION_MASK != _VERSION_2 or not is_rtcp_type(kind):
            return 0
        if kind == BYE:
            return at
        at += 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
    return at if at == length else 0
