"""Sockets: UDP by ``recvfrom`` in a reader callback, TCP and TLS by ``streams``: what the stack calls
its wire.

A raw socket costs less a datagram than an asyncio DatagramProtocol: no transport object, no flow
control that nothing here could use.
"""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from edge.near import WILDCARDS, Near, local_address_toward
from edge.networks import Networks
from edge.sip.events import Destination, Flow
from edge.sip.events import Transport as SipTransport
from edge.sip.grammar import is_address, is_ipv6
from edge.sip.streams import Streams

Address = tuple[str, int]
OnDatagram = Callable[[bytes, Flow], bool]
OnRead = Callable[[bool], None]
Admits = Callable[[str, bytes], bool]

MAX_DATAGRAM: Final = 65_535
BATCH: Final = 30
"""Datagrams worked on at one wake, so that nothing else in the loop waits longer than some milliseconds."""
READS: Final = 200
"""Datagrams read at one wake: those that only wait, or are dropped, cost little."""
ALONE: Final = 8
"""Wakes at which one datagram is read, until it is asked again whether they crowd."""
RECEIVE_BUFFER: Final = 4 << 20
"""Bytes: bursts wait in the kernel, not in retransmissions (the kernel may grant less)."""
MAX_KNOWN: Final = 10_000
"""Peers whose flow and local address are remembered; then the memory starts anew."""


_RECEIVE_ERRORS: Final = {  # linux/in.h, linux/in6.h: the constants that ``socket`` does not have
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_QUOTED_OCTETS: Final = 1024
_UNDELIVERED: Final = frozenset((errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH))
_ICMP: Final = (2, 3)  # linux/errqueue.h: SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6


def _is_undelivered(extended_error: bytes) -> bool:
    """Whether a ``sock_extended_err`` says that nobody took the datagram."""
    return (
        len(extended_error) >= 16
        and int.from_bytes(extended_error[:4], sys.byteorder) in _UNDELIVERED
        and extended_error[4] in _ICMP
    )


class UdpListener:
    """One UDP socket.  ``name`` is its address as flows carry it.

    ``admits`` says whom to hear; ``on_datagram`` answers whether work was done; ``on_read`` is told
    after each look at the socket whether it is empty now; ``on_undelivered`` is told the beginning of a
    datagram that did not leave, or did not arrive.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        at: Address,
        on_datagram: OnDatagram,
        *,
        admits: Admits,
        on_read: OnRead,
        on_undelivered: Callable[[bytes], None],
    ) -> None:
        self._loop = loop
        self._admits = admits
        self._on_read = on_read
        self._on_datagram = on_datagram
        self._on_undelivered = on_undelivered
        self._flows: dict[Address, Flow] = {}
        self._alone = 0  # wakes for which they are taken to come one by one
        self._leaving: list[tuple[bytes, Address]] = []
        self.socket = bound_socket(socket.SOCK_DGRAM, *at)
        self.name: Address = self.socket.getsockname()[:2]
        loop.add_reader(self.socket, self._readable)

    def close(self) -> None:
        """Reads and sends no more."""
        self._flush()
        self._loop.remove_reader(self.socket)
        self.socket.close()

    def send(self, data: bytes, remote: Address) -> None:
        """A datagram that leaves when all is done that the loop was woken for, with the others of then.

        To wake a peer that waits on another processor takes us as long as a good part of what a call does
        between two datagrams: for those that come together it is woken once.
        """
        if not self._leaving:
            # The turn after this one is behind whoever was told something in this one, and may have more.
            self._loop.call_soon(self._loop.call_soon, self._flush)
        self._leaving.append((data, remote))

    def _flush(self) -> None:
        leaving, self._leaving = self._leaving, []
        sendto = self.socket.sendto
        for data, remote in leaving:
            try:
                sendto(data, remote)
            except BlockingIOError:  # a full buffer is a loss like any other
                continue
            except OSError:
                self._send_again(data, remote)

    def _send_again(self, data: bytes, remote: Address) -> None:
        """The error may have been that of an earlier datagram (ICMP), which the send before was told; else
        the kernel knows no way."""
        self._loop.call_soon(self._read_errors)
        try:
            self.socket.sendto(data, remote)
        except BlockingIOError:
            return
        except OSError:
            # Not at once: whatever comes of it, the datagrams behind this one leave.
            self._loop.call_soon(self._on_undelivered, data)

    def _readable(self) -> None:
        """Reads what is there, within bounds, and tells whether that was all.

        While they come one by one nothing is asked for behind a datagram that was worked on: the loop's next
        look tells of more, and to be told that there is none costs as much as many a step of a call.  But a
        loop that has other work looks seldom: now and then it is asked all the same.
        """
        work = 0
        drained = False
        for turn in range(READS):
            try:
                data, address = self.socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                if not turn:  # no datagram has woken us
                    self._read_errors()
                drained = True
                break
            except OSError:  # an ICMP error of an earlier datagram
                self._read_errors()
                continue
            if len(data) > 4 and self._admits(address[0], data):  # less is a keep-alive (RFC 5626 3.5.1)
                remote = address[:2]
                work += self._on_datagram(data, self._flows.get(remote) or self._flow(remote))
                if work >= BATCH:
                    break
                if work and not turn and self._alone:
                    self._alone -= 1
                    return
        self._alone = ALONE if drained and turn < 2 else 0
        if not drained:
            # There may be nothing left that would wake us, and new calls wait to hear that.
            self._loop.call_soon(self._look_again)
        self._on_read(drained)

    def _look_again(self) -> None:
        if self.socket.fileno() >= 0:
            self._readable()

    def _read_errors(self) -> None:
        """Which datagrams of ours came back by ICMP, so that their requests fail over at once."""
        for _ in range(BATCH):
            try:
                data, ancillary, _, _ = self.socket.recvmsg(_QUOTED_OCTETS, 512, socket.MSG_ERRQUEUE)
            except OSError:  # none is left, or the socket is closed
                return
            if any(_is_undelivered(value) for _, _, value in ancillary):
                self._on_undelivered(data)

    def _flow(self, remote: Address) -> Flow:
        if len(self._flows) >= MAX_KNOWN:
            self._flows.clear()
        flow = self._flows[remote] = Flow("udp", self.name, remote)
        return flow


def bound_socket(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    """A bound, non-blocking socket; OSError says why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.setsockopt(*_RECEIVE_ERRORS[family], 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        scheme = "udp" if kind == socket.SOCK_DGRAM else "tcp"
        reason = f"{scheme}://{host}:{port}: {error.strerror or error}"
        raise OSError(error.errno, reason) from error
    return sock


def is_advertised_to(advertised: str, peer: str) -> bool:
    """Whether a peer may use an advertised ``host`` or ``host:port``: a name, or an address of its family."""
    if advertised.count(":") > 1:
        return ":" in peer
    return ":" not in peer or not is_address(advertised.partition(":")[0])


class Transport:
    """All listeners of an endpoint; implements ``Wire``.

    ``advertised`` is ``host`` or ``host:port`` as peers outside a NAT must see us, or empty; who is ``near``
    sees our own address all the same.  ``way`` answers what a dialog that goes on to a host keeps.
    """

    def __init__(
        self, advertised: str, way: Callable[[str], object] = lambda host: None, near: Near | None = None
    ) -> None:
        self.way = way
        self._near = near or Near(Networks.of(()))
        self._advertised = f"[{advertised}]" if is_ipv6(advertised) else advertised
        self._udp: dict[Address, UdpListener] = {}
        self._listening: dict[str, list[Address]] = {}
        self._streams: Streams | None = None
        self._routes: dict[Destination, Flow] = {}
        self._sent_by: dict[tuple[Address, str], str] = {}

    def add_udp(self, listener: UdpListener) -> None:
        """Datagrams may leave through this listener too."""
        self._udp[listener.name] = listener

    async def open_streams(
        self, streams: Streams, listening: Sequence[tuple[SipTransport, socket.socket]]
    ) -> Sequence[tuple[SipTransport, Address]]:
        """Connections too, in and out; answers the listening addresses."""
        self._streams = streams
        opened = [(transport, await streams.listen(transport, sock)) for transport, sock in listening]
        for transport, name in opened:
            self._listening.setdefault(transport, []).append(name)
        return opened

    def send(self, data: bytes, flow: Flow) -> bool:
        """One message; False when it failed at once: of a datagram that is told later (``undelivered``)."""
        if flow.connection:
            return self._streams is not None and self._streams.send(data, flow)
        listener = self._udp.get(flow.local)
        if listener is None:
            return False
        listener.send(data, flow.remote)
        return True

    def route(self, destination: Destination, local: Address | None = None) -> Flow:
        """The flow to a destination: a datagram's through the listener ``local``, else through the one whose
        address the kernel would use, or the first of its family."""
        if destination.transport != "udp" and self._streams is not None:
            names = self._listening.get(destination.transport) or [*self._udp]
            return self._streams.toward(self._local(names, destination.host), destination)
        if local in self._udp and (":" in destination.host) == (":" in local[0]):
            return Flow(destination.transport, local, (destination.host, destination.port))
        flow = self._routes.get(destination)
        if flow is None:
            if len(self._routes) >= MAX_KNOWN:
                self._routes.clear()
            local = self._local([*self._udp], destination.host)
            flow = Flow(destination.transport, local, (destination.host, destination.port))
            self._routes[destination] = flow
        return flow

    def _local(self, names: Sequence[Address], host: str) -> Address:
        """Of several listeners (an inner and an outer network, say) the one that the peer can answer to, else
        the first of its family; none when we listen on no such address."""
        if len(names) > 1:
            ours = local_address_toward(host)
            for name in names:
                if name[0] == ours:
                    return name
        return next((name for name in names if (":" in name[0]) == (":" in host)), ("", 0))

    def hold(self, destination: Destination, seconds: float, lost: Callable[[], None]) -> None:
        """See ``Streams.hold``; of datagrams there is no connection."""
        if self._streams is not None:
            self._streams.hold(destination, seconds, lost)

    @property
    def connections(self) -> int:
        """TCP and TLS connections now."""
        return 0 if self._streams is None else len(self._streams)

    def alive(self, flow: Flow) -> bool:
        """Whether a flow's connection still stands."""
        return not flow.connection or (self._streams is not None and self._streams.alive(flow))

    def hang_up(self, flow: Flow) -> None:
        """Closes a flow's connection, once what was sent has gone."""
        if self._streams is not None:
            self._streams.hang_up(flow)

    def sent_by(self, flow: Flow) -> str:
        """``host[:port]`` for our Via and Contact toward this flow's peer."""
        key = (flow.local, flow.remote[0])
        text = self._sent_by.get(key)
        if text is None:
            if len(self._sent_by) >= MAX_KNOWN:
                self._sent_by.clear()
            text = self._sent_by[key] = self._find_sent_by(*key)
        return text

    def _find_sent_by(self, local: Address, peer: str) -> str:
        host, port = local
        own = self._near.address_toward(peer)
        if self._advertised and not own and is_advertised_to(self._advertised, peer):
            name, _, digits = self._advertised.rpartition(":")
            if not digits.isdigit() or self._advertised.endswith("]"):
                return f"{self._advertised}:{port}"
            # The advertised port is that of UDP and TCP: TLS can not share it.
            return f"{name}:{port}" if local in self._listening.get("tls", ()) else self._advertised
        if host in WILDCARDS:
            host = own or local_address_toward(peer) or host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def close(self) -> None:
        """Closes every socket."""
        for listener in self._udp.values():
            listener.close()
        self._udp.clear()
        if self._streams is not None:
            await self._streams.close()
