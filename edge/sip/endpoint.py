"""The asyncio pump around the stack: sockets, one timer, name resolution."""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence

import structlog

from edge.clock import Clock
from edge.near import Near
from edge.networks import Networks
from edge.sip.avoided import AVOID_S, Avoided
from edge.sip.bodies import Carried, nothing
from edge.sip.chance import SystemChance
from edge.sip.complaints import Complaints
from edge.sip.dns import Dns
from edge.sip.events import AccessPolicy, Destination, Flow, OutgoingCall, OutgoingRequest
from edge.sip.events import Transport as SipTransport
from edge.sip.exchange import made_here
from edge.sip.guard import Guard
from edge.sip.inlet import Inlet
from edge.sip.invite import Invite
from edge.sip.known import Friends
from edge.sip.lag import Lag
from edge.sip.listening import EndpointConfig, Listen
from edge.sip.message import Response
from edge.sip.replaces import Policy
from edge.sip.resolver import Resolver, Unresolvable
from edge.sip.stack import Stack
from edge.sip.streams import Streams
from edge.sip.timers import NEVER
from edge.sip.tls import Certificates
from edge.sip.transport import Transport, UdpListener, bound_socket
from edge.sip.wire import Trace

__all__ = ["Endpoint", "EndpointConfig", "Listen", "Unresolvable"]

FAREWELL_S = 1.0
"""Seconds that the last BYEs may take when the endpoint closes: one repetition fits in."""

log = structlog.get_logger(__name__)


class Endpoint:
    """Our SIP endpoint, an async context manager: open in the block, closed after it.

    ``on_call`` is called for each new call that the access policy allowed; 100 has been sent.
    ``guard`` judges sources before anything of theirs is read (None: all are heard); ``over`` says whether
    a new call of an address is more than its trunk may send; ``cut_off`` is told of who is known and was not
    served a connection, and why; ``replacing`` says whose dialog gives way to whom, ``carried`` which
    parts of an INVITE's body somebody is passed.
    Whoever drains refuses new calls there with 503; the endpoint goes on with everything in a dialog.
    """

    def __init__(
        self,
        config: EndpointConfig,
        clock: Clock,
        access: AccessPolicy,
        on_call: Callable[[Invite], None],
        *,
        guard: Guard | None = None,
        over: Callable[[str], bool] | None = None,
        cut_off: Callable[[str, str], None] = lambda host, why: None,
        replacing: Policy | None = None,
        carried: Carried = nothing,
    ) -> None:
        self._config = config
        self._guard = guard or Guard(clock.monotonic, Friends())
        self._clock = clock
        ipv6 = any(":" in at.host for at in config.listen)
        self._dns = Dns(clock, config.dns_servers)
        self._resolver = Resolver(self._dns, random.random, ipv6=ipv6)
        self._avoided = Avoided(clock.monotonic)
        near = Near(Networks.of(config.local_networks))
        self._transport = Transport(config.advertised, self._guard.ways.toward, near)
        self._complaints = Complaints(clock)
        self._listening: list[Listen] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due = NEVER
        self._awake = False
        self._lag = Lag(clock.monotonic)
        self._all_left: asyncio.Event | None = None
        self._over, self._cut_off = over, cut_off
        self.stack = Stack(
            self._transport,
            clock.monotonic,
            SystemChance(),
            access=access,
            on_call=on_call,
            wake=self._wake,
            report=self._on_bad_message,
            user_agent=config.user_agent,
            limits=config.limits,
            replacing=replacing,
            carried=carried,
            overloaded=self._lag.is_too_much,
            knows=self._guard.is_free,
        )
        self._guard.in_call = self.stack.in_call

    async def __aenter__(self) -> "Endpoint":
        self._loop = asyncio.get_running_loop()
        self._inlet = Inlet(
            self.stack, self._guard, self._transport, self._complaints, self._clock.monotonic,
            over=self._over, wake=self._wake, arm=self._arm, soon=self._loop.call_soon, cut_off=self._cut_off,
        )  # fmt: skip
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            if self.stack.leaving:
                self._all_left = asyncio.Event()
                async with asyncio.timeout(FAREWELL_S):
                    await self._all_left.wait()
        except TimeoutError:
            log.warning("sip_bye_unanswered")
        finally:
            await self._close()

    @property
    def addresses(self) -> Sequence[Listen]:
        """Where we really listen (port 0 filled in)."""
        return tuple(self._listening)

    @property
    def counters(self) -> dict[str, int]:
        """See ``Stack.counters``; and ``connections`` now."""
        now = {"connections": self._transport.connections}
        return {**self.stack.counters, **self._guard.figures(), **now}

    def knows(self, host: str) -> bool:
        """Whether an address is no stranger's."""
        return self._guard.is_free(host)

    def set_trace(self, trace: Trace | None) -> None:
        """Every message is shown to ``trace`` from now on."""
        self.stack.trace = trace

    async def resolve(self, uri: str) -> list[Destination]:
        """The addresses behind a SIP URI, best first; raises ``Unresolvable`` after 2 s."""
        return self._avoided.sorted(await self._resolver.resolve(uri))

    def avoid(self, destination: Destination, seconds: float = AVOID_S) -> None:
        """A destination failed: others are better for a while."""
        self._avoided.add(destination, seconds)

    def hold(self, destination: Destination, seconds: float, lost: Callable[[], None]) -> None:
        """The connection to a registrar, if there is one, is kept for so long though nothing comes over it:
        calls will.  ``lost`` is called should it end before."""
        self._transport.hold(destination, seconds, lost)

    def local_host(self, destination: Destination) -> str:
        """The host by which a destination knows us: what our From carries."""
        sent_by = self._transport.sent_by(self._transport.route(destination))
        return sent_by.partition("]")[0] + "]" if sent_by[0] == "[" else sent_by.partition(":")[0]

    def call(self, outgoing: OutgoingCall) -> Invite:
        """Sends an INVITE; events come to the returned usage's ``on_event``.

        Raises ValueError for CR, LF or NUL in what goes into headers.
        """
        self._guard.dialled(outgoing.destination.host)
        return self.stack.call(outgoing)

    async def ask(self, outgoing: OutgoingRequest, patience_s: float) -> Response:
        """The final answer to a request outside any dialog; 408 if none came within ``patience_s`` seconds,
        503 if it could not be sent.  Raises ValueError as ``call`` does.
        """
        self._guard.dialled(outgoing.destination.host)
        answer: asyncio.Future[Response] = self._loop.create_future()

        def take(response: Response) -> None:
            if not answer.done():
                answer.set_result(response)

        exchange = self.stack.ask(outgoing, take)
        try:
            async with asyncio.timeout(patience_s):
                return await answer
        except TimeoutError:
            return made_here("timeout")
        finally:
            if not answer.done() or answer.cancelled():
                exchange.transaction.end()

    # -- opening and closing -----------------------------------------------------------------------------

    async def _open(self) -> None:
        sockets: list[tuple[SipTransport, socket.socket]] = []
        try:
            for listen in self._config.listen:
                self._bind(listen, sockets)
            certificates = Certificates(self._config.tls)
            streams = Streams(self._loop, self._inlet, self._config.streams, certificates)
            opened = await self._transport.open_streams(streams, sockets)
        except BaseException:
            for _, sock in sockets:
                sock.close()
            raise
        self._listening += [Listen(transport, *name) for transport, name in opened]

    def _bind(self, listen: Listen, sockets: list[tuple[SipTransport, socket.socket]]) -> None:
        """Opens a UDP listener, or adds a bound TCP socket to ``sockets``."""
        if listen.transport == "udp":
            listener = UdpListener(
                self._loop, (listen.host, listen.port), self._inlet.on_datagram, admits=self._guard.admits,
                on_read=self._inlet.arrivals.read, on_undelivered=self._inlet.on_undelivered,
            )  # fmt: skip
            self._transport.add_udp(listener)
            self._listening.append(Listen("udp", *listener.name))
        elif listen.transport in ("tcp", "tls"):
            transport: SipTransport = "tls" if listen.transport == "tls" else "tcp"
            sockets.append((transport, bound_socket(socket.SOCK_STREAM, listen.host, listen.port)))
        else:
            raise ValueError(f"{listen.transport}: SIP is spoken over udp, tcp and tls only")

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._dns.close()
        await self._transport.close()

    def _on_bad_message(self, why: str, flow: Flow) -> None:
        self._guard.offend(flow.remote[0], "bad messages", certain=flow.transport != "udp")
        self._complaints.note(why, flow)

    # -- the pump --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._awake = False
        try:
            self.stack.pump()
        except Exception:
            log.exception("sip_timer_failed")
            self._wake()
        self._arm()

    def _on_timer(self) -> None:
        self._lag.note(self._due)
        self._timer, self._due = None, NEVER
        self._pump()

    def _arm(self) -> None:
        """One timer for all deadlines; one that became too early just looks again."""
        if self._all_left is not None and not self.stack.leaving:
            self._all_left.set()
        deadline = self.stack.timers.earliest
        if deadline >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - self._clock.monotonic()), self._on_timer)
