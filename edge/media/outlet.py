"""The sending side of a leg: where its peer is, and by which socket."""

import socket
from collections.abc import Callable

from edge.media.engine import Plan
from edge.media.latch import Address, Latch
from edge.media.ports import PortPair, Sender, connected_beside
from edge.media.reactor import Handler, Reactor
from edge.media.rtp import MARKER

Packet = memoryview | bytearray


class Outlet:
    """Sends to one peer: by the wildcard socket until it is latched, then by one connected to it."""

    __slots__ = ("_pair", "_peer", "_reactor", "is_open", "latch", "octets_out", "packets_out", "transmit")

    def __init__(self, pair: PortPair, reactor: Reactor, latch: Latch) -> None:
        self.latch = latch
        self.packets_out = self.octets_out = 0
        self.transmit: Callable[[Packet], int] = self._send_to
        """Sends an RTP packet; raises OSError."""
        self._pair = pair
        self._reactor = reactor
        self._peer: socket.socket | None = None
        self.is_open = False
        """Whether there is anybody to send to."""

    def update(self, plan: Plan) -> None:
        """Whether the peer is to be sent to, and where it is now."""
        if plan.remote is not None:
            self._pair.face(plan.remote[0])
        if self.latch.signal(plan.remote):
            self.leave_peer()
        self.is_open = plan.send and self.latch.remote is not None  # without it nothing latches

    @property
    def destination(self) -> Address | None:
        """Where the peer is."""
        return self.latch.source or self.latch.remote

    def start_source(self) -> None:
        """The next packet is from another source than the last: it gets the marker bit."""
        self.transmit = self._send_marked

    def _send_marked(self, packet: Packet) -> int:
        packet[1] |= MARKER
        self.transmit = self.plain
        return self.transmit(packet)

    def _send_to(self, packet: Packet) -> int:
        destination = self.destination
        return self._pair.rtp.sendto(packet, destination) if destination else 0

    @property
    def plain(self) -> Callable[[Packet], int]:
        """Sends a packet as it is; the connected socket's own method once there is one."""
        return self._send_to if self._peer is None else self._peer.send

    def enter_peer(self, sender: Sender, handler: Handler) -> socket.socket | None:
        """Connects a socket to the latched peer, read by ``handler``; None when none can be had.

        Without one (no descriptor is left) the wildcard socket goes on serving, a little dearer.
        """
        self.leave_peer()
        if not self._pair.spare.left:
            return None
        try:
            peer = connected_beside(self._pair, sender)
        except OSError:
            return None
        self._peer = peer
        self._pair.spare.left -= 1
        self._reactor.watch(peer.fileno(), handler)
        if self.transmit != self._send_marked:
            self.transmit = peer.send
        return peer

    def leave_peer(self) -> None:
        """Closes the connected socket."""
        peer, self._peer = self._peer, None
        if peer is not None:
            self._reactor.unwatch(peer.fileno())
            peer.close()
            self._pair.spare.left += 1
            self.transmit = self._send_to

    def close(self) -> None:
        """Sends nothing any more; breaks the cycle through the bound method."""
        self.leave_peer()
        self.transmit = _nowhere


def _nowhere(_: Packet) -> int:
    return 0
