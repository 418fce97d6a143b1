"""Which trunk a request comes from: by source address (longest prefix), or by user name."""

from collections import Counter
from collections.abc import Iterable, Mapping

from edge.model.config import Trunk
from edge.networks import Networks, is_among
from edge.routing.presets import NO_PRESETS, Presets


class TrunkIndex:
    """Every trunk, ready to be found; immutable.  On equal prefixes the older trunk wins.

    Trunks are found as they work, with what their presets say; ``written`` are those that were stored.
    """

    __slots__ = (
        "_by_id", "_by_username", "_networks", "_shared", "has_credentials_only", "has_rates", "presets",
        "trunks", "written",
    )  # fmt: skip

    def __init__(self, trunks: Iterable[Trunk], presets: Presets = NO_PRESETS) -> None:
        self.presets = presets
        self.written = {trunk.id: trunk for trunk in trunks}
        self._by_id = {trunk.id: presets.effective(trunk) for trunk in self.written.values()}
        self.trunks = tuple(self._by_id.values())
        in_order = sorted(self.trunks, key=lambda t: t.id)
        self._networks = Networks((cidr, trunk) for trunk in in_order for cidr in trunk.addresses)
        listed = Counter(cidr for trunk in in_order for cidr in set(trunk.addresses))
        self._shared = Networks.of(cidr for cidr, times in listed.items() if times > 1)
        self._by_username: dict[str, Trunk] = {}
        for trunk in in_order:
            if trunk.username is not None:
                self._by_username.setdefault(trunk.username, trunk)
        self.has_rates = any(trunk.max_cps is not None for trunk in self.trunks)
        self.has_credentials_only = any(not t.addresses and t.username is not None for t in self.trunks)

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
        return self._networks.get(address)

    def by_login(self, address: str, username: str) -> Trunk | None:
        """The trunk of a user name, if that may log in from an address: from its own, or anywhere."""
        trunk = self._by_username.get(username)
        if trunk is None or (trunk.addresses and not is_at(trunk, address)):
            return None
        return trunk

    def is_shared(self, address: str) -> bool:
        """Whether several trunks have an address, which their user names tell apart."""
        return address in self._shared

    def changed(self, changes: Mapping[str, Trunk | None]) -> "TrunkIndex":
        """This index with trunks put or removed (None); itself when nothing differs."""
        merged: dict[str, Trunk] = dict(self.written)
        for trunk_id, trunk in changes.items():
            if trunk is None:
                merged.pop(trunk_id, None)
            else:
                merged[trunk_id] = trunk
        return self if merged == self.written else TrunkIndex(merged.values(), self.presets)


def is_at(trunk: Trunk, address: str) -> bool:
    """Whether a trunk has an address among its own."""
    return is_among(address, trunk.addresses)
