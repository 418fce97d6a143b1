"""A leg's RTCP in the worker: source checks, rate bound, and the way to the peer."""

from typing import Final

from edge.media.engine import Plan
from edge.media.latch import Address
from edge.media.outlet import Outlet
from edge.media.ports import PortPair
from edge.media.rtcp import passable

_PER_SECOND: Final = 20
"""Compound packets a second: RFC 3550 §6.2 has one in some seconds, RTP/AVPF a few a second."""


class RtcpPath:
    """RTCP between a leg and its peer, on the odd port or (RFC 5761) on the RTP port."""

    __slots__ = ("_limit", "_pair", "_remote", "_source", "packets_in", "packets_out", "passable")

    def __init__(self, pair: PortPair) -> None:
        self._pair = pair
        self._remote: Address | None = None
        self._source: Address | None = None
        self._limit = 2 * _PER_SECOND
        self.packets_in = self.packets_out = 0
        self.passable = 0
        """Octets of the last packet taken that may go on."""

    def update(self, plan: Plan) -> None:
        """The peer's RTCP address from signalling: a=rtcp, else the port after its RTP port."""
        if plan.remote_rtcp is not None:
            remote: Address | None = plan.remote_rtcp
        else:
            remote = _next_port(plan.remote) if plan.remote is not None else self._remote
        if remote != self._remote:
            self._remote = remote
            self._source = None

    def forget_source(self) -> None:
        """The RTP peer changed: RTCP is learnt anew."""
        self._source = None

    def is_from_peer(self, source: Address, rtp_peer: Address | None) -> bool:
        """Whether that is the peer: the signalled address, or else one port of the RTP peer's host."""
        if source == self._source:
            return True
        known = source == self._remote
        if not known and (self._source is not None or rtp_peer is None or source[0] != rtp_peer[0]):
            return False
        self._source = source
        return True

    def take(self, packet: bytearray, length: int) -> bool:
        """Counts a valid compound packet within the rate; ``passable`` is then what may go on."""
        self.passable = passable(packet, length)
        if not self.passable or self.packets_in >= self._limit:
            return False
        self.packets_in += 1
        return True

    def send(self, packet: memoryview, out: Outlet, *, mux: bool) -> None:
        """To the peer: beside its RTP, or where its RTCP came from, or else where it is expected."""
        target = self._source or self._expected(out.latch.source)
        try:
            if mux:
                sent = out.plain(packet)
            else:
                sent = 0 if target is None else self._pair.rtcp.sendto(packet, target)
        except OSError:
            return
        self.packets_out += sent > 0

    def _expected(self, rtp_peer: Address | None) -> Address | None:
        """The signalled address, on the host that RTP was latched to when that is another (NAT)."""
        remote = self._remote
        if rtp_peer is None or remote is None or rtp_peer[0] == remote[0]:
            return remote
        return _next_port(rtp_peer)

    def refill(self) -> None:
        """Once a second."""
        self._limit = min(self._limit + _PER_SECOND, self.packets_in + 2 * _PER_SECOND)


def _next_port(rtp: Address) -> Address | None:
    return (rtp[0], rtp[1] + 1) if rtp[1] < 65535 else None
