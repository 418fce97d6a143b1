"""A Homer collector: HEP3 datagrams taken apart."""

import ipaddress
import socket
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support.ports import own_address


class Copy(NamedTuple):
    """One message as the collector gets it."""

    source: tuple[str, int]
    target: tuple[str, int]
    protocol: int
    at_s: float
    agent_id: int
    text: str


def read(packet: bytes) -> Copy:
    """The chunks of a HEP3 datagram; raises AssertionError for what is none."""
    assert packet[:4] == b"HEP3"
    assert int.from_bytes(packet[4:6], "big") == len(packet)
    chunks: dict[int, bytes] = {}
    at = 6
    while at < len(packet):
        vendor, kind, length = (int.from_bytes(packet[at + n : at + n + 2], "big") for n in (0, 2, 4))
        assert (vendor, length >= 6) == (0, True)
        chunks[kind] = packet[at + 6 : at + length]
        at += length
    number = {kind: int.from_bytes(value, "big") for kind, value in chunks.items()}
    assert number[11] == 1
    six = number[1] == 10
    ends = [str(ipaddress.ip_address(chunks[kind])) for kind in ((5, 6) if six else (3, 4))]
    return Copy(
        (ends[0], number[7]), (ends[1], number[8]), number[2], number[9] + number[10] / 1e6, number[12],
        chunks[15].decode("utf-8", "replace"),
    )  # fmt: skip


@dataclass
class Homer:
    """A UDP socket; a context manager.  ``copies`` are those that came so far."""

    host: str = field(default_factory=own_address)
    _copies: list[Copy] = field(default_factory=list)

    def __enter__(self) -> "Homer":
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((self.host, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def copies(self) -> list[Copy]:
        """What has come so far."""
        while True:
            try:
                self._copies.append(read(self.socket.recv(65535)))
            except BlockingIOError:
                return self._copies
