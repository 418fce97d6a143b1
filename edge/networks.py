"""What belongs to an IP address, and which addresses belong together: found by the longest prefix."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Generic, TypeVar

V = TypeVar("V")
_BITS = {4: 32, 6: 128}
_MAPPED_BITS = 96


class Networks(Generic[V]):
    """CIDR blocks with what they belong to; immutable.  Of equal blocks the first one counts."""

    __slots__ = ("_by_prefix", "_hosts")

    def __init__(self, entries: Iterable[tuple[str, V]]) -> None:
        self._hosts: dict[str, V] = {}
        by_prefix: dict[int, dict[int, dict[int, V]]] = {4: {}, 6: {}}
        for cidr, value in entries:
            network = _network(cidr)
            if network.prefixlen == network.max_prefixlen:
                self._hosts.setdefault(str(network.network_address), value)
            known = by_prefix[network.version].setdefault(network.prefixlen, {})
            known.setdefault(int(network.network_address), value)
        self._by_prefix = {v: dict(sorted(by.items(), reverse=True)) for v, by in by_prefix.items()}

    @classmethod
    def of(cls, cidrs: Iterable[str]) -> "Networks[bool]":
        """A set of addresses, to be asked with ``in``."""
        return Networks((cidr, True) for cidr in cidrs)

    def __bool__(self) -> bool:
        return any(self._by_prefix.values())

    def __contains__(self, address: str) -> bool:
        return self.get(address) is not None

    def get(self, address: str) -> V | None:
        """What has the longest prefix around an address; None if nothing has.

        IPv4 addresses that a dual-stack socket reports as ``::ffff:192.0.2.1`` count as IPv4.
        """
        found = self._hosts.get(address)
        if found is not None:
            return found
        version, value = _parsed(address)
        for prefix, networks in self._by_prefix.get(version, {}).items():
            shift = _BITS[version] - prefix
            found = networks.get(value >> shift << shift)
            if found is not None:
                return found
        return None


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """A block; one of IPv4 addresses within IPv6 (``::ffff:192.0.2.0/120``) as that of IPv4."""
    network = ipaddress.ip_network(cidr, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


@lru_cache(maxsize=4096)
def _parsed(address: str) -> tuple[int, int]:
    """Version and value of an IP address; version 0 when it is none."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return 0, 0
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    return parsed.version, int(parsed)


def is_among(address: str, blocks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the blocks of one peer (CIDR)."""
    return address in _made(blocks)


@lru_cache(maxsize=512)
def _made(blocks: tuple[str, ...]) -> Networks[bool]:
    """Once for each peer, not at every question."""
    return Networks.of(blocks)


@lru_cache(maxsize=10_000)
def source_of(address: str) -> str:
    """What is limited, banned and counted as one: an IPv4 address, or an IPv6 network of 64 bits, anywhere in
    which one subscriber may be.  What is no address stands for itself, by 64 characters of it.
    """
    version, value = _parsed(address)
    if version == 4:
        return str(ipaddress.IPv4Address(value))
    if version == 6:
        return f"{ipaddress.IPv6Address(value >> 64 << 64)}/64"
    return address[:64]


def first_of(source: str) -> str:
    """The address that stands for what ``source_of`` answers, or for a network as people write it."""
    return source.partition("/")[0]
