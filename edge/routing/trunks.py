"""Which trunk a request comes from: by source address (longest prefix), or by user name."""

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache

from edge.model.config import Trunk

_BITS = {4: 32, 6: 128}


class TrunkIndex:
    """Every trunk, ready to be found; immutable.  On equal prefixes the older trunk wins."""

    __slots__ = ("_by_id", "_by_username", "_hosts", "_networks", "has_credentials_only", "trunks")

    def __init__(self, trunks: Iterable[Trunk]) -> None:
        self._by_id = {trunk.id: trunk for trunk in trunks}
        self.trunks = tuple(self._by_id.values())
        self._hosts: dict[str, Trunk] = {}
        self._networks: dict[int, dict[int, dict[int, Trunk]]] = {4: {}, 6: {}}
        self._by_username: dict[str, Trunk] = {}
        for trunk in sorted(self.trunks, key=lambda t: t.id):
            self._enter(trunk)
        self._networks = {v: dict(sorted(by.items(), reverse=True)) for v, by in self._networks.items()}
        self.has_credentials_only = any(not trunk.addresses for trunk in self.trunks)

    def _enter(self, trunk: Trunk) -> None:
        for cidr in trunk.addresses:
            network = ipaddress.ip_network(cidr, strict=False)
            if network.prefixlen == network.max_prefixlen:
                self._hosts.setdefault(str(network.network_address), trunk)
            by_prefix = self._networks[network.version].setdefault(network.prefixlen, {})
            by_prefix.setdefault(int(network.network_address), trunk)
        if trunk.username is not None:
            self._by_username.setdefault(trunk.username, trunk)

    def by_id(self, trunk_id: str) -> Trunk | None:
        """The trunk of this id."""
        return self._by_id.get(trunk_id)

    def by_username(self, username: str) -> Trunk | None:
        """The trunk whose digest credentials carry this user name."""
        return self._by_username.get(username)

    def by_address(self, address: str) -> Trunk | None:
        """The trunk with the longest prefix around a source IP address; None for a stranger.

        IPv4 addresses that a dual-stack socket reports as ``::ffff:192.0.2.1`` count as IPv4.
        """
        return self._hosts.get(address) or self._by_prefix(address)

    def _by_prefix(self, address: str) -> Trunk | None:
        version, value = _parsed(address)
        for prefix, networks in self._networks.get(version, {}).items():
            shift = _BITS[version] - prefix
            trunk = networks.get(value >> shift << shift)
            if trunk is not None:
                return trunk
        return None

    def changed(self, changes: Mapping[str, Trunk | None]) -> "TrunkIndex":
        """This index with trunks put or removed (None); itself when nothing differs."""
        merged: dict[str, Trunk] = dict(self._by_id)
        for trunk_id, trunk in changes.items():
            if trunk is None:
                merged.pop(trunk_id, None)
            else:
                merged[trunk_id] = trunk
        return self if merged == self._by_id else TrunkIndex(merged.values())


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
