"""A worker's RTP ports: even ones, bound ahead of need, at rest between two uses.

A bound pair stays bound and comes back after its quarantine, so that a call costs no bind; idle
sockets are drained and what they get is dropped.  Where there are peers of both families (IPv4, IPv6) a
pair is bound in both, since it is not known ahead who will need it: a leg hears the one that its peer is of.
"""

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from edge.media.latch import Address
from edge.media.reactor import Reactor
from edge.media.room import Spare

_SLICE: Final = 8
"""Pairs bound in one go: more would hold packets up."""
_TRIES: Final = 32
"""Ports tried in one go, when many are in use by somebody else."""
_PAUSE_MS: Final = 2

_SINK = bytearray(2048)

Sender = tuple[Any, ...]
"""Who sent a datagram, as the system tells it: of an IPv6 one also the interface, which a link-local address
(``fe80::1``) needs to be sent to."""


class PortUser(Protocol):
    """Who gets the datagrams of a pair: a leg."""

    def on_rtp(self, now: float) -> None:
        """The RTP socket is readable."""

    def on_rtcp(self, now: float) -> None:
        """The RTCP socket is readable."""


class PortPair:
    """An RTP socket on an even port and its RTCP socket on the next, in one family or in each: ``rtp`` and
    ``rtcp`` are those of the family that is faced."""

    __slots__ = ("halves", "number", "rtcp", "rtp", "spare", "stale", "user")

    def __init__(
        self, number: int, sockets: Sequence[tuple[socket.socket, socket.socket]], spare: Spare
    ) -> None:
        self.number = number
        self.spare = spare
        self.halves = [_Half(self, rtp, rtcp) for rtp, rtcp in sockets]
        self.rtp, self.rtcp = sockets[0]
        self.user: PortUser | None = None
        self.stale: tuple[Address, int] | None = None
        """Source and SSRC of the last user's peer, which may still be sending."""

    def face(self, peer: str) -> None:
        """Faces the family of a peer's address, if the pair is bound in it."""
        if len(self.halves) == 1:
            return
        family = family_of(peer)
        for half in self.halves:
            if half.rtp.family == family:
                self.rtp, self.rtcp = half.rtp, half.rtcp


class _Half:
    """A pair's sockets of one family."""

    __slots__ = ("_pair", "rtcp", "rtp")

    def __init__(self, pair: PortPair, rtp: socket.socket, rtcp: socket.socket) -> None:
        self._pair = pair
        self.rtp = rtp
        self.rtcp = rtcp

    def on_rtp(self, now: float) -> None:
        user = self._pair.user
        if user is not None and self._pair.rtp is self.rtp:
            user.on_rtp(now)
        else:
            _discard(self.rtp)

    def on_rtcp(self, now: float) -> None:
        user = self._pair.user
        if user is not None and self._pair.rtcp is self.rtcp:
            user.on_rtcp(now)
        else:
            _discard(self.rtcp)

    def watch(self, reactor: Reactor) -> None:
        """Lets the reactor tell of what comes."""
        reactor.watch(self.rtp.fileno(), self.on_rtp)
        reactor.watch(self.rtcp.fileno(), self.on_rtcp)

    def revive(self, reactor: Reactor) -> None:
        """Does so again, where that has failed."""
        for fd, handler in ((self.rtp.fileno(), self.on_rtp), (self.rtcp.fileno(), self.on_rtcp)):
            if fd in reactor.failed:
                reactor.watch(fd, handler)

    def close(self, reactor: Reactor) -> None:
        """Closes both sockets."""
        for sock in (self.rtp, self.rtcp):
            reactor.unwatch(sock.fileno())
            sock.close()


class Ports:
    """The stock, bound on one address of each family, in the order of ``numbers``.  ``announce`` is told
    which ports became ready, of those that ``want`` asked for."""

    def __init__(
        self,
        reactor: Reactor,
        bind_hosts: Sequence[str],
        numbers: Iterable[int],
        announce: Callable[[list[int]], None],
        *,
        quarantine_s: float,
        spare: Spare,
    ) -> None:
        self._reactor = reactor
        self._spare = spare
        self._hosts = bind_hosts
        self._fresh = deque(numbers)
        self._quarantine_s = quarantine_s
        self._announce = announce
        self._pairs: dict[int, PortPair] = {}
        self.get = self._pairs.get
        """The pair of a port that was announced."""
        self._resting: deque[tuple[float, PortPair]] = deque()
        self._wanted = 0
        self._failed = 0
        """Binds in a row that came to nothing."""
        self._binding = False

    def __len__(self) -> int:
        return len(self._pairs)

    def want(self, count: int, now: float) -> None:
        """So many more ports are needed; they are announced now or as soon as there are any."""
        self._wanted += count
        self._failed = 0
        if not self.supply(now):
            self._announce([])
        self._go_on(now)

    def supply(self, now: float) -> bool:
        """Announces what is wanted: rested ports first, then new ones; False if there is none now."""
        ready = self._rested(now)
        for _ in range(min(_TRIES, len(self._fresh))):
            if self._wanted <= len(ready) or len(ready) >= _SLICE:
                break
            number = self._fresh.popleft()
            if self._bind(number):
                self._failed = 0
                ready.append(number)
            else:
                self._failed += 1
                self._fresh.append(number)
        if ready:
            self._wanted -= len(ready)
            self._announce(ready)
            self._go_on(now)
        return bool(ready)

    def _go_on(self, now: float) -> None:
        """Binds what is wanted yet, a few at a time."""
        if self._wanted and self._fresh and not self._binding:
            self._binding = True
            self._reactor.pacer.start(self._bind_more, int(now * 1000))

    def _rested(self, now: float) -> list[int]:
        ready: list[int] = []
        resting = self._resting
        while self._wanted > len(ready) and resting and resting[0][0] <= now:
            ready.append(resting.popleft()[1].number)
        return ready

    def _bind_more(self, tick: int) -> int:
        self.supply(tick / 1000)
        # Each that is left was tried, and is somebody else's: now and then is enough.
        self._binding = self._wanted > 0 and self._failed < len(self._fresh)
        return _PAUSE_MS if self._binding else 0

    def rest(self, pair: PortPair, now: float) -> None:
        """A pair came out of use: it rests in quarantine."""
        self._resting.append((now + self._quarantine_s, pair))

    def revive(self, pair: PortPair) -> None:
        """Nobody uses the pair now; should reading it have failed, whoever does next is heard again."""
        pair.user = None
        if self._reactor.failed:
            for half in pair.halves:
                half.revive(self._reactor)

    def close(self) -> None:
        """Closes every socket."""
        for pair in self._pairs.values():
            for half in pair.halves:
                half.close(self._reactor)
        self._pairs.clear()

    def _bind(self, number: int) -> bool:
        with contextlib.ExitStack() as undo:
            sockets = []
            try:
                for host in self._hosts:
                    rtp = undo.enter_context(_bound(host, number))
                    sockets.append((rtp, undo.enter_context(_bound(host, number + 1))))
            except OSError:  # in use by somebody else, or no descriptors left
                return False
            undo.pop_all()
        pair = self._pairs[number] = PortPair(number, sockets, self._spare)
        for half in pair.halves:
            half.watch(self._reactor)
        return True


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 for a literal with a colon."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bound(host: str, port: int) -> socket.socket:
    sock = _udp(family_of(host))
    try:
        sock.bind((host, port))
        # Only now: with it set, the bind would succeed beside another server's socket.  The peer
        # socket of a latched leg shares the port by it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def connected_beside(pair: PortPair, peer: Sender) -> socket.socket:
    """A second socket on the pair's RTP port that hears only ``peer``; raises OSError.

    Strangers' datagrams that fell into it before it was connected are still in its queue.
    """
    sock = _udp(pair.rtp.family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(pair.rtp.getsockname())
        sock.connect(peer)
    except BaseException:
        sock.close()
        raise
    return sock


def _udp(family: int) -> socket.socket:
    """A socket that hears its own family alone, and never waits."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _discard(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.recv_into(_SINK)
