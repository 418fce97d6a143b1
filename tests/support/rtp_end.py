"""A phone's RTP end for the media tests: a plain socket, packets made by hand."""

import socket
import struct

from edge.media.engine import Plan

AUDIO = bytes(range(160))


def packet(
    sequence: int,
    *,
    payload_type: int = 0,
    ssrc: int = 0x1234,
    timestamp: int | None = None,
    payload: bytes = AUDIO,
    marker: bool = False,
) -> bytes:
    """One RTP packet, 20 ms a sequence number unless told otherwise."""
    stamp = sequence * 160 if timestamp is None else timestamp
    byte1 = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, byte1, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload


def event(digit: int, duration: int, *, end: bool = False) -> bytes:
    """A telephone-event payload (RFC 4733 §2.3)."""
    return struct.pack("!BBH", digit, 0x8A if end else 0x0A, duration)


class Rtp:
    """What is in a packet."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.marker = bool(raw[1] & 0x80)
        self.payload_type = raw[1] & 0x7F
        self.sequence, self.timestamp, self.ssrc = struct.unpack_from("!HII", raw, 2)
        self.payload = raw[12:]


class End:
    """A socket of a peer; a context manager."""

    def __init__(self, host: str, port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()[:2]

    def __enter__(self) -> "End":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        self.socket.sendto(data, to)

    def received(self) -> list[bytes]:
        """Everything that came so far."""
        packets = []
        while True:
            try:
                packets.append(self.socket.recv(4096))
            except (BlockingIOError, ConnectionRefusedError):
                return packets


def plan_for(remote: tuple[str, int] | None, **changes: object) -> Plan:
    """PCMU and telephone-event 101 both ways, prompts in PCMU, unless told otherwise."""
    wanted: dict[str, object] = {"payloads": {0: 0, 101: 101}, "event_payload": 101, "play_codec": "PCMU"}
    return Plan(remote, **(wanted | changes))  # type: ignore[arg-type]
