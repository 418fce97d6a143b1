"""What a worker counted, over all its legs."""

from edge.media import control
from edge.media.engine import LegCounters


class Totals:
    """What the closed legs counted, together."""

    __slots__ = ("over_rate", "packets_in", "packets_out", "strays", "unknown_payload")

    def __init__(self) -> None:
        self.packets_in = self.packets_out = self.strays = self.unknown_payload = self.over_rate = 0

    def add(self, counters: LegCounters) -> None:
        """One leg more."""
        self.packets_in += counters.packets_in
        self.packets_out += counters.packets_out
        self.strays += counters.strays
        self.unknown_payload += counters.unknown_payload
        self.over_rate += counters.over_rate

    def tally(self, legs: int, ports: int, faults: int) -> control.Tally:
        """As the main process is told."""
        return control.Tally(
            legs,
            self.packets_in,
            self.packets_out,
            self.strays,
            self.unknown_payload,
            self.over_rate,
            ports,
            faults,
        )
