"""TCP and TLS: the connections in both directions, by number and by peer, bounded in number."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import structlog

from edge.near import WILDCARDS
from edge.networks import source_of
from edge.sip.connection import Address, Connection, StreamLimits, StreamOwner
from edge.sip.events import Destination, Flow, Transport
from edge.sip.guard import HANDSHAKE
from edge.sip.tls import SHUTDOWN_S, Certificates

CONNECT_S: Final = 4.0
"""Seconds to connect, TLS included: less than a caller waits for the next target."""
PAUSE_S: Final = 0.1
"""Seconds until the next try when the system can accept no connection."""
TOO_MANY: Final = "too many connections"
NO_HANDSHAKE: Final = "no TLS handshake"
_BACKLOG: Final = 100

log = structlog.get_logger(__name__)


class Streams:
    """All TCP and TLS connections of an endpoint, by number and by peer.

    A connection is used again only toward the same name (RFC 5923): one that a TLS peer made to
    us has proven none.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        owner: StreamOwner,
        limits: StreamLimits,
        certificates: Certificates,
    ) -> None:
        self.loop = loop
        self.owner = owner
        self.limits = limits
        self._certificates = certificates
        self._by_number: dict[int, Connection] = {}
        self._by_peer: dict[Destination, Connection] = {}
        self._per_address: Counter[str] = Counter()
        self._strangers: dict[int, Connection] = {}
        self._shaking: Counter[str] = Counter()
        self._last = 0
        self._listening: list[asyncio.Server | socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._by_number)

    async def listen(self, transport: Transport, sock: socket.socket) -> Address:
        """Accepts on a bound socket; answers its address.  ``TlsUnusable`` without a certificate."""
        name: Address = sock.getsockname()[:2]
        if transport == "tls":
            await self._certificates.context("server")
            sock.listen(_BACKLOG)
            self._listening.append(sock)
            self._start(self._accept_tls(sock, name))
        else:
            server = await self.loop.create_server(lambda: _Accepting(self, name), sock=sock)
            self._listening.append(server)
        return name

    def accept(self, transport: asyncio.Transport, local: Address) -> Connection | None:
        """A new TCP connection to us; None (and closed) when there are too many."""
        peer = transport.get_extra_info("peername")
        connection = self._admit("tcp", local, peer[:2] if peer else ("", 0))
        if connection is None:
            transport.abort()
            return None
        transport.set_protocol(connection)
        connection.connection_made(transport)
        return connection

    def _admit(self, transport: Transport, local: Address, remote: Address) -> Connection | None:
        """Counts in a connection that a peer made, before anything is done for it.

        Strangers, however many addresses they have, leave room for those we know.
        """
        host, limits = remote[0], self.limits
        if not host or not self.owner.admits(host, HANDSHAKE if transport == "tls" else 1.0):
            return None  # the guard has counted it
        stranger = not self.owner.is_known(host)
        source = source_of(host) if stranger else host
        full = len(self) - self._per_address[""] >= limits.connections
        full = full or self._per_address[source] >= limits.per_address
        if full or (stranger and not self._has_room()):
            self.owner.on_refused(TOO_MANY, Flow(transport, local, remote))
            return None
        if stranger and transport == "tls" and self._is_shaking(source):
            self.owner.on_refused("too many TLS handshakes", Flow(transport, local, remote))
            return None
        connection = self._remember(local, Destination(transport, *remote), source)
        connection.stranger = stranger
        if stranger:
            self._strangers[connection.flow.connection] = connection
        return connection

    def _has_room(self) -> bool:
        """Whether one more stranger may connect: where there are as many as may, the oldest that nobody knows
        yet makes way, or those that say nothing would keep out who can log in."""
        strangers = self._strangers
        if len(strangers) < self.limits.strangers:
            return True
        for number, connection in list(strangers.items()):
            if self.owner.is_known(connection.flow.remote[0]):
                del strangers[number]
                return True
            if connection.made:
                self.owner.on_refused("a newer stranger took its place", connection.flow)
                connection.abort()
                self.forget(connection)
                return True
        return False

    def _is_shaking(self, source: str) -> bool:
        """Whether strangers are in the middle of as many TLS handshakes as they may."""
        limits = self.limits
        return (
            self._shaking.total() >= limits.handshakes
            or self._shaking[source] >= limits.handshakes_per_address
        )

    async def _accept_tls(self, listening: socket.socket, local: Address) -> None:
        """Handshakes happen beside this, so that a slow peer holds nobody up."""
        while True:
            try:
                sock, remote = await self.loop.sock_accept(listening)
            except OSError:  # no descriptor left, or the peer is gone already
                await asyncio.sleep(PAUSE_S)
                continue
            try:
                self._greet(sock, local, remote[:2])
            except Exception:  # the next one is still to be listened to
                log.exception("sip_accept_failed", remote=remote[0], transport="tls")
                sock.close()
            await asyncio.sleep(0)  # or many that wait would hold up everything else

    def _greet(self, sock: socket.socket, local: Address, remote: Address) -> None:
        """Begins the TLS handshake of a connection that a peer made, if there is room for it."""
        connection = self._admit("tls", local, remote)
        if connection is None:
            sock.close()
            return
        self._shaking[connection.source] += connection.stranger
        self._start(self._shake_hands(connection, sock))

    async def _shake_hands(self, connection: Connection, sock: socket.socket) -> None:
        times = {"ssl_handshake_timeout": self.limits.handshake_s, "ssl_shutdown_timeout": SHUTDOWN_S}
        try:
            context = await self._certificates.context("server")
            await self.loop.connect_accepted_socket(lambda: connection, sock, ssl=context, **times)
        except OSError:  # no TLS, or none of ours, or too slow
            self._give_up(connection, sock)
            self.owner.on_refused(NO_HANDSHAKE, connection.flow)
        except BaseException:
            self._give_up(connection, sock)
            raise
        finally:
            self._shaking -= Counter({connection.source: int(connection.stranger)})  # without those at zero

    def _give_up(self, connection: Connection, sock: socket.socket) -> None:
        sock.close()
        self.forget(connection)

    def toward(self, local: Address, destination: Destination) -> Flow:
        """The flow to a peer: over the connection there is, or one that is being made."""
        connection = self._by_peer.get(destination)
        if connection is None or connection.closing:
            connection = self._remember(local, destination, "")
            if self._per_address[""] > self.limits.connections:  # Contacts of peers lead wherever they want
                log.warning("sip_unconnected", remote=destination.host, why="too many connections of ours")
                self.loop.call_soon(self.forget, connection)
            else:
                self._start(self._dial(connection))
        return connection.flow

    def send(self, data: bytes, flow: Flow) -> bool:
        """One message over a flow's connection; False when it is gone."""
        connection = self._by_number.get(flow.connection)
        return connection is not None and connection.send(data)

    def alive(self, flow: Flow) -> bool:
        """Whether the flow's connection stands, or is being made."""
        connection = self._by_number.get(flow.connection)
        return connection is not None and not connection.closing

    def hold(self, destination: Destination, seconds: float, lost: Callable[[], None]) -> None:
        """Keeps the connection to a peer, if there is one, though it be idle; ``lost`` is called if it ends
        within so many seconds.  Several may hold one, each by its own ``lost``."""
        connection = self._by_peer.get(destination)
        if connection is not None:
            connection.holders[lost] = self.loop.time() + seconds

    def hang_up(self, flow: Flow) -> None:
        """Closes the flow's connection, once what was sent has gone."""
        connection = self._by_number.get(flow.connection)
        if connection is not None:
            connection.close()

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        flow = connection.flow
        if self._by_number.pop(flow.connection, None) is None:
            return
        peer = Destination(flow.transport, *flow.remote, flow.name)
        if self._by_peer.get(peer) is connection:
            del self._by_peer[peer]
        self._per_address[connection.source] -= 1
        if not self._per_address[connection.source]:
            del self._per_address[connection.source]
        self._strangers.pop(flow.connection, None)
        self.owner.on_lost(flow)
        for lost in connection.held_by():
            lost()

    async def close(self) -> None:
        """Stops listening and drops every connection."""
        for listening in self._listening:
            listening.close()
        for connection in list(self._by_number.values()):
            connection.flush()
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for listening in self._listening:
            if isinstance(listening, asyncio.Server):
                with suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await listening.wait_closed()

    def _remember(self, local: Address, destination: Destination, source: str) -> Connection:
        self._last += 1
        remote = (destination.host, destination.port)
        flow = Flow(destination.transport, local, remote, self._last, destination.name)
        connection = Connection(self, flow, source)
        self._by_number[self._last] = connection
        self._by_peer[destination] = connection
        self._per_address[source] += 1
        return connection

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("sip_connection_failed", exc_info=task.exception())

    async def _dial(self, connection: Connection) -> None:
        flow = connection.flow
        secure: dict[str, Any] = {}
        try:
            async with asyncio.timeout(CONNECT_S):
                if flow.transport == "tls":
                    context = await self._certificates.context("client")
                    secure = {"ssl": context, "server_hostname": flow.name or flow.remote[0]}
                    secure["ssl_shutdown_timeout"] = SHUTDOWN_S
                ours = None if flow.local[0] in ("", *WILDCARDS) else (flow.local[0], 0)
                await self.loop.create_connection(lambda: connection, *flow.remote, local_addr=ours, **secure)
        except OSError as error:  # TimeoutError is one
            log.info("sip_unconnected", transport=flow.transport, remote=flow.remote[0], why=str(error))
            self.forget(connection)
        except BaseException:
            self.forget(connection)
            raise


class _Accepting(asyncio.Protocol):
    """A TCP connection before it is counted."""

    def __init__(self, streams: Streams, local: Address) -> None:
        self._streams = streams
        self._local = local

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts it in, or closes it."""
        assert isinstance(transport, asyncio.Transport)
        try:
            self._streams.accept(transport, self._local)
        except Exception:
            log.exception("sip_accept_failed", transport="tcp")
            transport.abort()
