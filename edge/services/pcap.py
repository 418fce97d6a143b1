"""Messages as a capture file that Wireshark reads: raw IP packets, each a datagram whatever carried it."""

import ipaddress
from collections.abc import Iterable
from struct import pack
from typing import Final, NamedTuple

MAX_PAYLOAD: Final = 65_000
_RAW_IP: Final = 101
_UDP: Final = 17


class Message(NamedTuple):
    """One message: ``at_s`` in seconds since 1970, where from and where to."""

    at_s: float
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes


def pcap(messages: Iterable[Message]) -> bytes:
    """The whole file."""
    head = pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, _RAW_IP)
    return head + b"".join(map(_record, messages))


def _record(message: Message) -> bytes:
    packet = _packet(message)
    seconds = int(message.at_s)
    micros = int((message.at_s - seconds) * 1e6)
    return pack("<IIII", seconds, micros, len(packet), len(packet)) + packet


def _packet(message: Message) -> bytes:
    data = message.data[:MAX_PAYLOAD]
    source, target = _address(message.source[0]), _address(message.target[0])
    length = 8 + len(data)
    if source.version == target.version == 4:
        datagram = pack(">HHHH", message.source[1], message.target[1], length, 0) + data
        head = pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0, source.packed, target.packed)
        return head[:10] + pack(">H", _checksum(head)) + head[12:] + datagram
    ends = _six(source) + _six(target)
    bare = pack(">HHHH", message.source[1], message.target[1], length, 0) + data
    checksum = _checksum(ends + pack(">II", length, _UDP) + bare) or 0xFFFF
    datagram = bare[:6] + pack(">H", checksum) + bare[8:]
    return pack(">IHBB", 0x60000000, length, _UDP, 64) + ends + datagram


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address(0)


def _six(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed
