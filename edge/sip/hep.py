"""HEP3 (EEP), the protocol of Homer collectors: one SIP message with where it went, as a datagram."""

import ipaddress
from functools import lru_cache
from struct import Struct
from typing import Final, Literal

from edge.sip.events import Flow

MAX_PAYLOAD: Final = 65_000
_HEAD: Final = Struct(">4sH")
_CHUNK: Final = Struct(">HHH")
_PROTOCOLS: Final = {"udp": 17, "tcp": 6, "tls": 6}
_SIP: Final = 1


def encode(direction: Literal["in", "out"], flow: Flow, at_s: float, agent_id: int, data: bytes) -> bytes:
    """The datagram; ``at_s`` is seconds since 1970, ``agent_id`` what the collector knows us by."""
    seconds = int(at_s)
    body = (
        _ends(direction, flow.transport, flow.local, flow.remote)
        + _chunk(9, seconds.to_bytes(4, "big"))
        + _chunk(10, int((at_s - seconds) * 1e6).to_bytes(4, "big"))
        + _chunk(11, bytes([_SIP]))
        + _chunk(12, agent_id.to_bytes(4, "big"))
        + _chunk(15, data[:MAX_PAYLOAD])
    )
    return _HEAD.pack(b"HEP3", _HEAD.size + len(body)) + body


@lru_cache(maxsize=1024)
def _ends(direction: str, transport: str, local: tuple[str, int], remote: tuple[str, int]) -> bytes:
    """Family, protocol, and both ends: the same for all messages of a flow."""
    source, target = (remote, local) if direction == "in" else (local, remote)
    addresses = [_address(end[0]) for end in (source, target)]
    six = any(address.version == 6 for address in addresses)
    packed = [_six(address) if six else address.packed for address in addresses]
    return (
        _chunk(1, bytes([10 if six else 2]))
        + _chunk(2, bytes([_PROTOCOLS[transport]]))
        + _chunk(5 if six else 3, packed[0])
        + _chunk(6 if six else 4, packed[1])
        + _chunk(7, source[1].to_bytes(2, "big"))
        + _chunk(8, target[1].to_bytes(2, "big"))
    )


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)


def _six(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed
