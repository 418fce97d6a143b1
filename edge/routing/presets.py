"""The carriers' presets, ready to be found by name and by address."""

from collections.abc import Iterable

from edge.model.config import Trunk
from edge.model.preset import Preset
from edge.networks import Networks


class Presets:
    """Every preset; immutable."""

    __slots__ = ("_by_name", "_networks")

    def __init__(self, presets: Iterable[Preset] = ()) -> None:
        self._by_name = {preset.name: preset for preset in presets}
        self._networks = Networks((cidr, p) for p in self._by_name.values() for cidr in p.addresses)

    def get(self, name: str) -> Preset | None:
        """The preset of this name."""
        return self._by_name.get(name)

    def all(self) -> list[Preset]:
        """Every preset, by name."""
        return sorted(self._by_name.values(), key=lambda preset: preset.name)

    def by_address(self, address: str) -> Preset | None:
        """The carrier to whom an address belongs, as far as is known."""
        return self._networks.get(address)

    def effective(self, trunk: Trunk) -> Trunk:
        """The trunk as it works: with what it leaves to its preset."""
        preset = None if trunk.preset is None else self._by_name.get(trunk.preset)
        return trunk if preset is None else preset.filled(trunk)


NO_PRESETS = Presets()
