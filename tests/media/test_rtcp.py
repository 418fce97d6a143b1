"""Which RTCP goes on to the other leg, and how much of it."""

import struct

import pytest

from edge.media.rtcp import is_rtcp_type, passable

RR = struct.pack("!BBHI", 0x80, 201, 1, 7)
SDES = struct.pack("!BBHII", 0x81, 202, 2, 7, 0)
BYE = struct.pack("!BBHI", 0x81, 203, 1, 7)


@pytest.mark.parametrize(
    ("packet", "length"),
    [
        (RR, 8),
        (RR + SDES, 20),
        (RR + SDES + BYE, 20),
        (BYE, 0),
        (b"", 0),
        (RR[:-1], 0),
        (RR + b"\x00", 0),
        (b"\x00" + RR[1:], 0),
        (RR + b"\x80\x01\x00\x00", 0),
        (struct.pack("!BBHI", 0x80, 201, 0xFFFF, 7), 0),
    ],
)
def test_passable(packet: bytes, length: int) -> None:
    assert passable(packet, len(packet)) == length


def test_rtcp_types_are_told_from_rtp_payload_types() -> None:
    assert [octet for octet in range(256) if is_rtcp_type(octet)] == list(range(200, 208))
