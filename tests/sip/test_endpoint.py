"""The endpoint on real sockets: UDP and TCP on loopback, torn streams, limits, names."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from edge.clock import SystemClock
from edge.logs import Sparing
from edge.sip.arrivals import MAX_WAIT
from edge.sip.complaints import Complaints
from edge.sip.connection import BATCH, StreamLimits
from edge.sip.endpoint import Endpoint, EndpointConfig, Listen, Unresolvable
from edge.sip.events import (
    Acked,
    Allow,
    Answered,
    Cancelled,
    Credentials,
    Destination,
    Ended,
    Flow,
    InviteEvent,
    OutgoingCall,
    OutgoingRequest,
    Refused,
)
from edge.sip.framer import Framer, Keepalive
from edge.sip.guard import RATE, Guard
from edge.sip.invite import Invite
from edge.sip.known import Friends, Sources
from edge.sip.message import Request, Response
from edge.sip.meters import Allowance
from tests.support.known import Known
from tests.support.lossy_wire import SDP
from tests.support.ports import own_address
from tests.support.server import eventually
from tests.support.virtual_time import VirtualClock


class Open:
    """Everyone is welcome."""

    answers_strangers = False

    def judge(self, request: Request, flow: Flow) -> Allow:
        return Allow("trk_1")

    def moved(self, request: Request, flow: Flow, peer_id: str) -> None:
        return None


@asynccontextmanager
async def endpoint(
    transport: str,
    on_call: Callable[[Invite], None] = lambda usage: None,
    host: str = "127.0.0.1",
    advertised: str = "",
    streams: StreamLimits | None = None,
    sources: Sources | None = None,
    over: Callable[[str], bool] | None = None,
    clock: SystemClock | None = None,
    now: Callable[[], float] | None = None,
) -> AsyncIterator[tuple[Endpoint, int]]:
    config = EndpointConfig([Listen(transport, host, 0)], advertised, streams=streams or StreamLimits())
    clock = clock or SystemClock()
    guard = Guard(now or clock.monotonic, sources or Friends())
    async with Endpoint(config, clock, Open(), on_call, guard=guard, over=over) as opened:
        yield opened, opened.addresses[0].port


class Owner:
    """Whoever holds a usage: its events as a queue."""

    def __init__(self, usage: Invite) -> None:
        self.usage = usage
        self.events: asyncio.Queue[InviteEvent] = asyncio.Queue()
        usage.on_event = self.events.put_nowait

    async def next(self) -> InviteEvent:
        async with asyncio.timeout(30):
            return await self.events.get()


def outgoing(transport: str, port: int, host: str = "127.0.0.1") -> OutgoingCall:
    to = Destination(transport, host, port)  # type: ignore[arg-type]
    name = f"[{host}]" if ":" in host else host
    return OutgoingCall(f"sip:x@{name}:{port}", to, "<sip:a@b>", "<sip:x@y>", body=SDP)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_from_end_to_end(transport: str) -> None:
    callers: list[Owner] = []

    def on_call(usage: Invite) -> None:
        callers.append(Owner(usage))
        usage.answer(SDP)

    async with endpoint(transport, on_call) as (_, port), endpoint(transport) as (us, _):
        leg = Owner(us.call(outgoing(transport, port)))
        answer = await leg.next()
        assert isinstance(answer, Answered) and answer.sdp == SDP
        leg.usage.ack()
        assert await callers[0].next() == Acked(b"")
        callers[0].usage.hang_up("Q.850;cause=16")
        assert await leg.next() == Ended("peer", "Q.850;cause=16")


async def test_a_refused_tcp_connection_is_unreachable_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    async with endpoint("tcp") as (us, _):
        event = await Owner(us.call(outgoing("tcp", closed))).next()
        assert isinstance(event, Refused) and (event.status, event.cause) == (503, "unreachable")


async def test_a_closed_udp_port_is_unreachable_at_once_and_only_for_who_asked() -> None:
    async with endpoint("udp", lambda usage: usage.reject(486)) as (_, port), endpoint("udp") as (us, _):
        with socket.socket(type=socket.SOCK_DGRAM) as dumb:
            dumb.bind(("127.0.0.1", 0))
            waiting = Owner(us.call(outgoing("udp", dumb.getsockname()[1])))
            # Closed after the endpoints have their ports, or it could become one of those.
            with socket.socket(type=socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                closed = free.getsockname()[1]
            for _ in range(3):
                # Without the ICMP error it would be given up after 5 s.
                event = await asyncio.wait_for(Owner(us.call(outgoing("udp", closed))).next(), 4)
                assert isinstance(event, Refused) and (event.status, event.cause) == (503, "unreachable")
                event = await Owner(us.call(outgoing("udp", port))).next()
                assert isinstance(event, Refused) and event.status == 486
            assert waiting.events.empty()


async def test_a_connection_lost_in_mid_request_is_unreachable() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, endpoint("tcp") as (us, _):
        port = server.sockets[0].getsockname()[1]
        event = await Owner(us.call(outgoing("tcp", port))).next()
        assert isinstance(event, Refused) and event.cause == "unreachable"


async def test_what_nobody_said_is_not_told_as_if_a_peer_had() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as gone:
        at = Destination("tcp", *gone.sockets[0].getsockname())
    async with endpoint("tcp") as (us, _):
        answer = await us.ask(OutgoingRequest("OPTIONS", "sip:x", at, "<sip:us@x>", "<sip:x>"), 60)
        assert (answer.status, answer.reason) == (503, "Not Reachable")
        answer = await us.ask(OutgoingRequest("OPTIONS", "sip:x", at, "<sip:us@x>", "<sip:x>"), 0)
        assert (answer.status, answer.reason) == (408, "No Answer")


async def test_a_registrar_may_end_each_connection_with_its_challenge() -> None:
    """It was never registered with: what answered the challenge went over the connection that was ending."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readuntil(b"\r\n\r\n")
        heard.append(said)
        copied = [line for line in said.split(b"\r\n") if line.split(b":")[0] in COPIED]
        first, more = b"SIP/2.0 200 OK", []
        if b"Authorization:" not in said:
            first, more = b"SIP/2.0 401 No", [b'WWW-Authenticate: Digest realm="x", nonce="y", qop="auth"']
        writer.write(b"\r\n".join([first, *copied, *more, b"Content-Length: 0", b"", b""]))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as registrar, endpoint("tcp") as (us, _):
        at = Destination("tcp", *registrar.sockets[0].getsockname())
        login = Credentials("us", "hunter2")
        asked = OutgoingRequest("REGISTER", "sip:x", at, "<sip:us@x>", "<sip:us@x>", (), login)
        assert (await us.ask(asked, 60)).status == 200
    counts = [line for said in heard for line in said.split(b", ") if line.startswith(b"nc=")]
    assert len(counts) == len(set(counts)), "a count that comes again is refused"


COPIED = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")


async def test_a_second_call_uses_the_same_connection() -> None:
    async with endpoint("tcp", lambda usage: usage.reject(486)) as (them, port), endpoint("tcp") as (us, _):
        flows = set()
        them.set_trace(lambda direction, flow, data, call_id: flows.add(flow))
        for _ in range(3):
            event = await Owner(us.call(outgoing("tcp", port))).next()
            assert isinstance(event, Refused) and event.status == 486
        assert len(flows) == 1


OPTIONS = (
    "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:{port};rport;branch=z9hG4bK{n}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


def options(n: int, transport: str = "TCP", port: int = 5060) -> bytes:
    return OPTIONS.format(n=n, transport=transport, port=port).encode()


class Stream:
    """A raw TCP peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.framer = Framer()
        self.frames: list[object] = []

    async def answer(self) -> object:
        """The next message or keep-alive; None when the connection has been closed."""
        async with asyncio.timeout(30):
            while not self.frames:
                try:
                    data = await self.reader.read(65536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self.frames += [Keepalive()] if data == b"\r\n" else self.framer.feed(data)
        return self.frames.pop(0)


@asynccontextmanager
async def stream(port: int, host: str = "127.0.0.1") -> AsyncIterator[Stream]:
    """A connection to us from ``host``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
    try:
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()


async def test_torn_and_joined_messages() -> None:
    async with endpoint("tcp") as (_, port), stream(port) as peer:
        data = options(1) + options(2) + options(3)
        for at in range(0, len(data), 7):
            peer.writer.write(data[at : at + 7])
            await peer.writer.drain()
        answers = [await peer.answer() for _ in range(3)]
        assert [a.call_id for a in answers if isinstance(a, Response) and a.status == 200] == ["1", "2", "3"]


async def test_an_answer_whose_connection_is_gone_goes_to_the_sent_by_port() -> None:
    calls: asyncio.Queue[Invite] = asyncio.Queue()
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server, endpoint("tcp", calls.put_nowait) as (us, port), asyncio.timeout(30):
        own = server.sockets[0].getsockname()[1]
        async with stream(port) as peer:
            peer.writer.write(options(1, "TCP", own).replace(b"OPTIONS", b"INVITE"))
            assert isinstance(await peer.answer(), Response)
        usage = await calls.get()
        while us.counters["connections"]:
            await asyncio.sleep(0)
        usage.reject(486)
        assert (await heard.get()).startswith(b"SIP/2.0 486")


async def test_the_last_bye_is_waited_for() -> None:
    byes = []
    async with endpoint("udp", lambda usage: usage.answer(SDP)) as (them, port):
        them.set_trace(lambda direction, flow, data, call_id: byes.append(data[:3]))
        async with endpoint("udp") as (us, _):
            leg = Owner(us.call(outgoing("udp", port)))
            assert isinstance(await leg.next(), Answered)
            leg.usage.ack()
            leg.usage.hang_up()
        assert not us.stack.leaving
    assert b"BYE" in byes


async def test_what_is_said_at_once_goes_in_one_piece() -> None:
    """A write costs the system more than most messages cost us."""
    async with endpoint("tcp") as (us, port), stream(port) as peer:
        peer.writer.write(options(1))
        assert isinstance(await peer.answer(), Response)
        assert us._transport._streams is not None
        (connection,) = us._transport._streams._by_number.values()
        written: list[bytes] = []
        assert connection._transport is not None
        connection._transport.write = written.append  # type: ignore[assignment, method-assign]
        connection.data_received(b"".join(options(n) for n in range(20)))
        assert not written
        await asyncio.sleep(0)
        assert len(written) == 1 and written[0].count(b"SIP/2.0 200") == 20


async def test_a_crowd_of_messages_on_one_connection_leaves_others_their_turn() -> None:
    async with endpoint("tcp") as (us, port), stream(port) as crowd, stream(port) as other:
        for peer in (crowd, other):
            peer.writer.write(options(1))
            assert isinstance(await peer.answer(), Response)
        assert us._transport._streams is not None
        connection = next(iter(us._transport._streams._by_number.values()))
        before = us.counters["received_options"]
        connection.data_received(b"".join(options(n) for n in range(10 * BATCH)) + options(7)[:50])
        assert us.counters["received_options"] == before + BATCH
        other.writer.write(options(2))
        assert isinstance(await other.answer(), Response)
        assert us.counters["received_options"] < before + 10 * BATCH, "it did not wait for all of them"
        for number in range(10 * BATCH):
            answer = await crowd.answer()
            assert isinstance(answer, Response) and answer.call_id == str(number)
        connection.data_received(options(7)[50:])
        assert isinstance(await crowd.answer(), Response)


async def test_a_ping_gets_its_pong() -> None:
    async with endpoint("tcp") as (_, port), stream(port) as peer:
        peer.writer.write(b"\r\n\r\n")
        assert await peer.answer() == Keepalive()


async def test_a_stranger_s_ping_gets_no_pong_unless_strangers_are_answered() -> None:
    """Or it would learn from a silent server that SIP is spoken there."""
    sources = Known({"127.0.0.2"})
    async with endpoint("tcp", sources=sources) as (us, port):
        async with stream(port) as stranger, stream(port, "127.0.0.2") as known:
            for peer in (stranger, known):
                peer.writer.write(b"\r\n\r\n")
            assert await known.answer() == Keepalive(), "though it has said nothing yet"
            stranger.writer.write(options(1))
            assert isinstance(await stranger.answer(), Response), "in its place: nothing came before"
        us.stack._access.answers_strangers = True  # type: ignore[misc]
        async with stream(port) as stranger:
            stranger.writer.write(b"\r\n\r\n")
            assert await stranger.answer() == Keepalive()


async def test_a_stream_that_lost_its_way_is_answered_and_closed() -> None:
    async with endpoint("tcp") as (us, port), stream(port) as peer:
        peer.writer.write(options(1).replace(b"Content-Length: 0", b"Content-Length: -1"))
        answer = await peer.answer()
        assert isinstance(answer, Response) and answer.status == 400
        assert await peer.answer() is None
        assert us.counters["parse_error_400"] == 1


PARTS = b"".join(b"--b1\r\n\r\nx\r\n" for _ in range(20)) + b"--b1--\r\n"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Type: application/sdp", b"v=0\r\n" + b"a=x\r\n" * 512),
        (b"Record-Route: " + b", ".join([b"<sip:a;lr>"] * 21), b""),
        (b"Content-Type: multipart/mixed;boundary=b1", PARTS),
    ],
    ids=["lines", "routes", "parts"],
)
async def test_a_stream_with_too_much_in_a_message_is_answered_and_closed(header: bytes, body: bytes) -> None:
    async with endpoint("tcp") as (_, port), stream(port) as peer:
        call = invite(1).replace(b"Content-Length: 0", b"%b\r\nContent-Length: %d" % (header, len(body)))
        peer.writer.write(call + body)
        answer = await peer.answer()
        assert isinstance(answer, Response) and answer.status == 400
        assert await peer.answer() is None


async def test_a_message_must_be_complete_in_time() -> None:
    limits = StreamLimits(message_s=0.05)
    with capture_logs() as lines:
        async with endpoint("tcp", streams=limits) as (us, port), stream(port) as peer:
            peer.writer.write(options(1)[:100])
            assert await peer.answer() is None
            await eventually(lambda: us.counters["connections"] == 0)
            assert us.counters["parse_error_0"] == 1
    (line,) = [line for line in lines if line["event"] == "sip_bad_message"]
    assert (line["why"], line["remote"]) == ("a message was not complete in time", "127.0.0.1")


async def test_a_connection_that_ends_within_a_message_is_told() -> None:
    with capture_logs() as lines:
        async with endpoint("tcp") as (us, port):
            async with stream(port) as peer:
                peer.writer.write(options(1) + options(2)[:100])
                assert isinstance(await peer.answer(), Response)
                peer.writer.close()
            await eventually(lambda: us.counters["connections"] == 0)
            assert us.counters["parse_error_0"] == 1
    (line,) = [line for line in lines if line["event"] == "sip_bad_message"]
    assert line["why"] == "the connection ended within a message"


async def test_a_stranger_is_counted_by_messages_however_they_are_joined() -> None:
    # To the guard they all come in one moment, however long the machine takes.
    in_a_moment = endpoint("tcp", sources=Known(), now=lambda: 1000.0)
    async with in_a_moment as (us, port), stream(port) as peer:
        peer.writer.write(b"".join(options(number) for number in range(300)))
        while await peer.answer() is not None:
            pass
        assert us.counters["received_options"] <= 2 * RATE
        assert us.counters["dropped_flood"] >= 1


async def test_a_stranger_that_is_banned_for_a_message_is_not_heard_to_the_end_of_what_came_with_it() -> None:
    """Nothing more of it is even looked at: each message is dealt with before the next."""
    async with endpoint("tcp", sources=Known()) as (us, port), stream(port) as peer:

        def ban(way: str, flow: Flow, *_: object) -> None:
            if way == "in":
                us._guard.offend(flow.remote[0], "scanner", certain=True)

        us.set_trace(ban)
        peer.writer.write(b"".join(options(number) for number in range(50)))
        while await peer.answer() is not None:
            pass
        assert us.counters["received_options"] == us.counters["bans_imposed"] == 1


@pytest.mark.parametrize(
    ("host", "counted"), [("127.0.0.1", "parse_error_513"), ("127.0.0.2", "received_info")]
)
async def test_a_stranger_s_messages_over_a_stream_are_no_larger_than_a_datagram(
    host: str, counted: str
) -> None:
    async with endpoint("tcp", sources=Known({"127.0.0.2"})) as (us, port), stream(port, host) as peer:
        data = invite(1, b"INFO", "1 INFO").replace(b"Content-Length: 0", b"Content-Length: 100000")
        peer.writer.write(data)
        if host == "127.0.0.2":
            peer.writer.write(bytes(100_000))
        await eventually(lambda: us.counters.get(counted))


async def test_a_trunk_s_connections_together_are_read_as_fast_as_its_rate_and_lose_nothing() -> None:
    sources = Known(allowances={"127.0.0.1": Allowance("trk_1", 50)})
    async with endpoint("tcp", sources=sources) as (us, port), stream(port) as a, stream(port) as b:
        began = asyncio.get_running_loop().time()
        for peer in (a, b):
            peer.writer.write(b"".join(options(number) for number in range(100)))
        answers = [await peer.answer() for peer in (a, b) for _ in range(100)]
        assert [a.call_id for a in answers if isinstance(a, Response)] == [*map(str, range(100))] * 2
        for peer in (a, b):  # of 200 the burst has allowed 100 (what was read with them is answered)
            peer.writer.write(options(1))
            assert isinstance(await peer.answer(), Response)
        assert asyncio.get_running_loop().time() - began > 1
        assert us.counters["slowed_known_flood"] > 0
        assert ("127.0.0.1", "trk_1") in sources.floods


async def test_a_trunk_s_calls_over_its_rate_get_503_unread_and_the_stream_goes_on() -> None:
    left = [True, False, False]  # popped from the end
    async with endpoint("tcp", lambda usage: usage.reject(486), over=lambda host: left.pop()) as (us, port):
        us.set_trace(lambda direction, flow, data, call_id: read.append(data) if direction == "in" else None)
        read: list[bytes] = []
        async with stream(port) as peer:
            call = [options(n).replace(b"OPTIONS", b"INVITE") for n in range(3)]
            call[2] = call[2].replace(b"Length: 0", b"Length: 5") + b"v=0\r\n"
            peer.writer.write(b"".join(call) + options(7))
            answers = [a for _ in range(6) if isinstance(a := await peer.answer(), Response)]
        told = [(a.call_id, a.status) for a in answers]
        assert [s for i, s in told if i == "2"] == [503] and ("7", 200) in told
        assert {i for i, s in told if s == 486} == {"0", "1"}
        assert answers[[s for _, s in told].index(503)].headers.get("Retry-After") == "1"
        assert us.counters["turned_away"] == 1 and not any(b"Call-ID: 2" in data for data in read)


class Lagging(SystemClock):
    """As if some work had taken longer."""

    late_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.late_s


async def test_a_stream_s_new_calls_wait_for_all_else_and_get_503_when_there_is_no_time() -> None:
    clock, calls = Lagging(), list[Invite]()

    def on_call(usage: Invite) -> None:
        calls.append(usage)
        usage.answer(SDP)

    def busy(way: str, flow: Flow, data: bytes, call_id: str) -> None:
        clock.late_s += MAX_WAIT if data.startswith(b"BYE") else 0.0

    async with endpoint("tcp", on_call, clock=clock) as (us, port), stream(port) as peer:
        us.set_trace(busy)
        peer.writer.write(invite(1))
        answered = [a for _ in range(2) if isinstance(a := await peer.answer(), Response)][1]
        to = f"To: <sip:b@c>;tag={answered.to_tag}".encode()
        ack, bye = invite(1, b"ACK", "1 ACK", to), invite(1, b"BYE", "2 BYE", to)
        peer.writer.write(ack + invite(2) + invite(3) + bye + options(4))
        found = [a for _ in range(4) if isinstance(a := await peer.answer(), Response)]
        assert [(a.call_id, a.status) for a in found] == [("1", 200), ("4", 200), ("2", 503), ("3", 503)]
        assert all(5 <= int(a.headers.get("Retry-After") or 0) <= 30 for a in found[2:])
        assert us.counters["turned_away"] == 2 and len(calls) == 1
        told = [f"To: <sip:c@d>;tag={a.to_tag}".encode() for a in found[2:]]
        acks = b"".join(invite(2 + n, b"ACK", "1 ACK", to) for n, to in enumerate(told))
        peer.writer.write(acks + invite(5))
        again = [a for _ in range(2) if isinstance(a := await peer.answer(), Response)]
        assert [(a.call_id, a.status) for a in again] == [("5", 100), ("5", 200)], "there is time again"
        assert us.counters["received_ack"] == 3 and "dropped_stray_ack" not in us.counters


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_cancel_right_behind_its_invite_does_not_overtake_it(transport: str) -> None:
    """A proxy that has answered 100 itself may not wait for ours."""
    owners: list[Owner] = []
    async with endpoint(transport, lambda usage: owners.append(Owner(usage))) as (us, port):
        said: list[bytes] = []
        us.set_trace(lambda direction, flow, data, call_id: said.append(data) if direction == "out" else None)
        with socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        ) as me:
            me.connect(("127.0.0.1", port))
            call = options(1, transport.upper(), me.getsockname()[1]).replace(b"OPTIONS", b"INVITE")
            for message in (call, call.replace(b"INVITE", b"CANCEL")):
                me.send(message)
            await eventually(lambda: owners)
            assert await owners[0].next() == Cancelled(None)
        assert [data.split()[1] for data in said[:3]] == [b"100", b"200", b"487"]


async def test_a_call_whose_connection_ended_while_it_waited_is_not_taken() -> None:
    calls: list[Invite] = []
    async with endpoint("tcp", calls.append) as (us, port), stream(port) as peer:
        us._inlet.arrivals.read(False)  # as if datagrams waited, so that there is no time yet
        peer.writer.write(invite(1) + options(2))
        assert isinstance(await peer.answer(), Response)
        peer.writer.transport.abort()
        await eventually(lambda: us.counters["connections"] == 0)
        us._inlet.arrivals.read(True)
        assert us.counters["dropped_gone"] == 1 and calls == []


def invite(n: int, method: bytes = b"INVITE", cseq: str = "1 INVITE", to: bytes = b"To: <sip:c@d>") -> bytes:
    """A request of call ``n`` for a stream; in its dialog if ``to`` has a tag."""
    made = options(n).replace(b"OPTIONS", method)
    lines = [to if line.startswith(b"To:") else line for line in made.split(b"\r\n")]
    lines = [f"CSeq: {cseq}".encode() if line.startswith(b"CSeq:") else line for line in lines]
    return b"\r\n".join([lines[0], b"Contact: <sip:a@127.0.0.1;transport=tcp>", *lines[1:]])


async def test_a_message_that_drips_is_not_waited_for() -> None:
    limits = StreamLimits(message_s=0.3)
    async with endpoint("tcp", streams=limits) as (_, port), stream(port) as peer:
        dripping = asyncio.create_task(_drip(peer, options(1)))
        assert await peer.answer() is None
        dripping.cancel()


async def _drip(peer: Stream, data: bytes) -> None:
    """A byte at a time, for much longer than a message may take, but never silent as long."""
    for byte in data:
        peer.writer.write(bytes([byte]))
        await asyncio.sleep(0.1)


async def test_an_idle_connection_is_closed() -> None:
    limits = StreamLimits(idle_s=0.05)
    async with endpoint("tcp", streams=limits) as (_, port), stream(port) as peer:
        assert await peer.answer() is None


async def test_the_system_watches_that_the_peers_of_connections_are_there() -> None:
    """What is sent into a connection that a firewall forgot would wait for a quarter of an hour."""
    busy = endpoint("tcp", lambda usage: usage.reject(486))
    async with busy as (them, port), endpoint("tcp") as (us, _):
        assert isinstance(await Owner(us.call(outgoing("tcp", port))).next(), Refused)
        for one in (them, us):
            assert one._transport._streams is not None
            (connection,) = one._transport._streams._by_number.values()
            assert connection._transport is not None
            sock = connection._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60
            assert 4_000 <= sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 16_000


async def test_connections_per_address_are_capped() -> None:
    limits = StreamLimits(per_address=2)
    async with endpoint("tcp", streams=limits) as (us, port), stream(port) as a, stream(port) as b:
        for number, peer in enumerate((a, b)):
            peer.writer.write(options(number))
            assert isinstance(await peer.answer(), Response)
        with capture_logs() as lines:
            async with stream(port) as c:
                assert await c.answer() is None
        assert us.counters["dropped_connection"] == 1
        assert [line["why"] for line in lines] == ["too many connections"]
        a.writer.write(options(7))
        assert isinstance(await a.answer(), Response)


async def test_an_idle_connection_that_is_held_stays_and_its_loss_is_told() -> None:
    limits, lost = StreamLimits(idle_s=0.05), asyncio.Event()
    busy = endpoint("tcp", lambda usage: usage.reject(486))
    async with busy as (them, port), endpoint("tcp", streams=limits) as (us, _), asyncio.timeout(30):
        peer = Destination("tcp", "127.0.0.1", port)
        assert them._transport._streams is not None and us._transport._streams is not None
        assert isinstance(await Owner(us.call(outgoing("tcp", port))).next(), Refused)
        us.hold(peer, 60, lost.set)
        (connection,) = us._transport._streams._by_number.values()
        for _ in range(3):
            before = connection._idle
            await eventually(lambda before=before: connection._idle is not before)
        us.hold(peer, 0, lost.set)
        await eventually(lambda: us.counters["connections"] == 0)
        assert not lost.is_set(), "its time was over"
        assert isinstance(await Owner(us.call(outgoing("tcp", port))).next(), Refused)
        us.hold(peer, 60, lost.set)
        await them._transport._streams.close()
        await lost.wait()


async def test_connections_that_we_made_take_nobodys_place() -> None:
    busy, one = endpoint("tcp", lambda usage: usage.reject(486)), StreamLimits(per_address=1)
    async with busy as (_, theirs), endpoint("tcp", streams=one) as (us, port), stream(port) as peer:
        assert isinstance(await Owner(us.call(outgoing("tcp", theirs))).next(), Refused)
        assert us.counters["connections"] == 2
        peer.writer.transport.abort()
        await eventually(lambda: us.counters["connections"] == 1)
        async with stream(port) as again:
            again.writer.write(options(1))
            assert isinstance(await again.answer(), Response)


async def test_connections_that_we_make_are_capped_too() -> None:
    """A peer's Contact may name any host and port, and each call another."""
    busy, one = endpoint("tcp", lambda usage: usage.reject(486)), StreamLimits(connections=1)
    elsewhere = endpoint("tcp", lambda usage: usage.reject(486))
    async with busy as (_, port), elsewhere as (_, other), endpoint("tcp", streams=one) as (us, _):
        told = [await Owner(us.call(outgoing("tcp", at))).next() for at in (port, other, port)]
        assert [(t.status, t.cause) for t in told if isinstance(t, Refused)] == [
            (486, "status"), (503, "unreachable"), (486, "status"),
        ]  # fmt: skip
        assert us.counters["connections"] == 1


async def test_connections_in_all_are_capped() -> None:
    limits = StreamLimits(connections=2)
    async with (
        endpoint("tcp", streams=limits) as (us, port),
        stream(port) as a,
        stream(port, "127.0.0.2") as b,
    ):
        for number, peer in enumerate((a, b)):
            peer.writer.write(options(number))
            assert isinstance(await peer.answer(), Response)
        async with stream(port, "127.0.0.3") as c:
            assert await c.answer() is None
        assert us.counters["dropped_connection"] == 1


async def test_strangers_leave_connections_for_those_we_know_and_the_oldest_makes_way() -> None:
    limits, known = StreamLimits(connections=3, strangers=1), "127.0.0.3"
    with_limits = endpoint("tcp", streams=limits, sources=Known({known}))
    async with with_limits as (us, port), stream(port, "127.0.0.1") as a:
        a.writer.write(options(1))
        assert isinstance(await a.answer(), Response)
        async with stream(port, "127.0.0.2") as b, stream(port, known) as c:
            for number, peer in enumerate((b, c)):
                peer.writer.write(options(number))
                assert isinstance(await peer.answer(), Response)
            assert await a.answer() is None, "or who says nothing more would keep everybody out"
            assert (us.counters["connections"], us.counters["dropped_connection"]) == (2, 1)


async def test_a_stranger_that_has_logged_in_keeps_its_connection() -> None:
    limits = StreamLimits(strangers=1)
    async with endpoint("tcp", streams=limits, sources=Known()) as (us, port), stream(port) as a:
        a.writer.write(options(1))
        assert isinstance(await a.answer(), Response)
        us._guard.proven("127.0.0.1")
        for host in ("127.0.0.2", "127.0.0.4"):
            async with stream(port, host) as other:
                other.writer.write(options(2))
                assert isinstance(await other.answer(), Response)
        a.writer.write(options(3))
        assert isinstance(await a.answer(), Response)


async def test_what_was_said_to_a_peer_that_ends_its_side_arrives() -> None:
    async with endpoint("tcp") as (_, port), stream(port) as peer:
        peer.writer.write(options(1) + options(2))
        peer.writer.write_eof()
        answers = [await peer.answer() for _ in range(3)]
        assert [a.call_id for a in answers[:2] if isinstance(a, Response)] == ["1", "2"] and answers[
            2
        ] is None


async def test_a_peer_that_never_reads_is_given_up_and_takes_bounded_memory() -> None:
    """A known one: what is told to it waits for it, but not without end."""
    loop = asyncio.get_running_loop()
    async with endpoint("tcp") as (us, port):
        with socket.socket() as peer:
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(peer, ("127.0.0.1", port))
            asking = b"".join(options(number) for number in range(200))
            with pytest.raises(ConnectionError):
                async with asyncio.timeout(30):
                    while True:
                        await loop.sock_sendall(peer, asking)
                        await asyncio.sleep(0)
        await eventually(lambda: us.counters["connections"] == 0)


async def test_resets_in_the_middle_of_messages_leave_nothing() -> None:
    async with endpoint("tcp") as (us, port):
        for length in (1, 50, 150, len(options(1)) - 1):
            async with stream(port) as peer:
                peer.writer.write(options(1) + options(2)[:length])
                assert isinstance(await peer.answer(), Response)
                sock = peer.writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.writer.transport.abort()
        await eventually(lambda: us.counters["connections"] == 0)
        assert us._transport._streams is not None
        assert not us._transport._streams._per_address and us.counters["parse_error_0"] == 4


class Arrived(asyncio.Transport):
    """A connection that a peer has made."""

    def __init__(self, host: str) -> None:
        super().__init__({"peername": (host, 5060, 0, 0)})

    def abort(self) -> None: ...

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...

    def writelines(self, data: object) -> None: ...


async def test_strangers_connections_are_counted_by_network_and_friends_by_address() -> None:
    friends = {f"2001:db8:0:1::{n}" for n in range(5)}
    async with endpoint("tcp", sources=Known(friends), streams=StreamLimits(per_address=2)) as (us, _):
        streams = us._transport._streams
        assert streams is not None

        def taken(hosts: Iterable[str]) -> int:
            made = [streams.accept(Arrived(host), ("::1", 5060)) for host in hosts]
            return len([connection for connection in made if connection is not None])

        assert taken(f"2001:db8::{n}" for n in range(5)) == 2
        assert taken(["2001:db8:0:2::1"]) == 1
        assert taken(friends) == 5


async def test_garbage_does_not_stop_udp() -> None:
    loop = asyncio.get_running_loop()
    async with endpoint("udp") as (_, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.bind(("127.0.0.1", 0))
            own = sock.getsockname()[1]
            for junk in (b"\r\n\r\n", b"\x00" * 50, b"\xff" * 2000, b"INVITE", options(1)[:40]):
                sock.sendto(junk, ("127.0.0.1", port))
            sock.sendto(options(2, "UDP", own), ("127.0.0.1", port))
            async with asyncio.timeout(30):
                data = await loop.sock_recv(sock, 65536)
            assert data.startswith(b"SIP/2.0 200")


def test_bad_messages_are_logged_but_not_without_end() -> None:
    clock = VirtualClock()
    complaints = Complaints(clock)
    flow = Flow("udp", ("127.0.0.1", 5060), ("203.0.113.66", 5060))
    with capture_logs() as lines:
        for _ in range(1000):
            complaints.note("malformed Via", flow)
        clock.advance(1)
        complaints.note("no Call-ID", flow)
    assert len(lines) == Sparing.PER_SECOND + 1
    assert lines[0]["why"] == "malformed Via" and lines[0]["remote"] == "203.0.113.66"
    assert lines[-1]["withheld"] == 1000 - Sparing.PER_SECOND


async def test_an_owner_that_fails_is_survived() -> None:
    def on_call(usage: Invite) -> None:
        raise RuntimeError("owner")

    async with endpoint("tcp", on_call) as (_, port), stream(port) as peer:
        peer.writer.write(options(1).replace(b"OPTIONS", b"INVITE"))
        peer.writer.write(options(2))
        answers = [await peer.answer() for _ in range(2)]
        assert {a.status for a in answers if isinstance(a, Response)} == {100, 200}


async def test_a_wildcard_listener_names_the_address_that_the_peer_sees() -> None:
    async with endpoint("udp", host="0.0.0.0") as (us, own), endpoint("udp") as (_, port):
        usage = us.call(outgoing("udp", port))
        assert usage.request.headers.get("Contact") == f"<sip:edge@127.0.0.1:{own}>"
        assert f"127.0.0.1:{own};" in (usage.request.headers.get("Via") or "")


@pytest.mark.parametrize(
    ("host", "advertised", "written"),
    [
        ("127.0.0.1", "203.0.113.5", "203.0.113.5:{}"),
        ("127.0.0.1", "a.example:5080", "a.example:5080"),
        ("127.0.0.1", "2001:db8::1", "127.0.0.1:{}"),
        ("::1", "2001:db8::1", "[2001:db8::1]:{}"),
        ("::1", "[2001:db8::1]:5080", "[2001:db8::1]:5080"),
        ("::1", "a.example:5080", "a.example:5080"),
        ("::1", "203.0.113.5:5080", "[::1]:{}"),
    ],
)
async def test_the_advertised_address_is_written_to_peers_of_its_family(
    host: str, advertised: str, written: str
) -> None:
    ours = endpoint("udp", host=host, advertised=advertised)
    async with ours as (us, own), endpoint("udp", host=host) as (_, port):
        usage = us.call(outgoing("udp", port, host))
        assert usage.request.headers.get("Contact") == f"<sip:edge@{written.format(own)}>"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_what_we_send_comes_from_where_we_listen(transport: str) -> None:
    """A PBX that knows us by our address knows us over each transport."""
    here, there, sources = own_address(), own_address(), []

    def called(usage: Invite) -> None:
        sources.append(usage.flow.remote[0])
        usage.reject(486)

    async with (
        endpoint(transport, called, host=there) as (_, port),
        endpoint(transport, host=here) as (us, _),
    ):
        usage = us.call(outgoing(transport, port, there))
        await Owner(usage).next()
    assert sources == [here]


async def test_of_two_addresses_a_connection_leaves_from_the_one_that_leads_to_the_peer() -> None:
    here, there, sources = own_address(), own_address(), []

    def called(usage: Invite) -> None:
        sources.append(usage.flow.remote[0])
        usage.reject(486)

    listen = [Listen("tcp", here, 0), Listen("tcp", "127.0.0.1", 0)]  # the second is the kernel's choice
    ours = Endpoint(EndpointConfig(listen), SystemClock(), Open(), lambda usage: None)
    async with endpoint("tcp", called, host=there) as (_, port), ours as us:
        usage = us.call(outgoing("tcp", port, there))
        await Owner(usage).next()
    assert sources == ["127.0.0.1"]


async def test_who_stands_on_our_side_of_the_nat_sees_our_own_address() -> None:
    listen = [Listen("udp", "0.0.0.0", 0)]
    config = EndpointConfig(listen, "203.0.113.5", local_networks=["127.0.0.1/32"])
    async with Endpoint(config, SystemClock(), Open(), lambda usage: None) as us:
        own = us.addresses[0].port
        near = us.call(outgoing("udp", 5060, "127.0.0.1"))
        assert near.request.headers.get("Contact") == f"<sip:edge@127.0.0.1:{own}>"
        assert f" 127.0.0.1:{own};" in (near.request.headers.get("Via") or "")
        far = us.call(outgoing("udp", 5060, "127.0.0.2"))
        assert far.request.headers.get("Contact") == f"<sip:edge@203.0.113.5:{own}>"


async def test_ipv6() -> None:
    busy = endpoint("udp", lambda usage: usage.reject(486), host="::1")
    async with busy as (_, port), endpoint("udp", host="::1") as (us, own):
        usage = us.call(outgoing("udp", port, "::1"))
        assert usage.request.headers.get("Contact") == f"<sip:edge@[::1]:{own}>"
        event = await Owner(usage).next()
        assert isinstance(event, Refused) and event.status == 486


async def test_a_used_port_is_told() -> None:
    async with endpoint("udp") as (_, port):
        config = EndpointConfig([Listen("udp", "127.0.0.1", port)])
        with pytest.raises(OSError, match="in use"):
            async with Endpoint(config, SystemClock(), Open(), lambda usage: None):
                pass


async def test_a_transport_that_we_do_not_speak_is_told() -> None:
    config = EndpointConfig([Listen("ws", "127.0.0.1", 0)])
    with pytest.raises(ValueError, match="ws"):
        async with Endpoint(config, SystemClock(), Open(), lambda usage: None):
            pass


async def test_resolving() -> None:
    async with endpoint("udp") as (us, _):
        assert await us.resolve("sip:a@192.0.2.1:5070;transport=tcp") == [
            Destination("tcp", "192.0.2.1", 5070)
        ]
        secure = Destination("tls", "192.0.2.1", 5061, "192.0.2.1")
        for uri in ("sips:a@192.0.2.1", "sips:a@192.0.2.1;transport=tcp", "sip:a@192.0.2.1;transport=TLS"):
            assert await us.resolve(uri) == [secure]
        assert await us.resolve("sip:a@[2001:db8::1]") == [Destination("udp", "2001:db8::1", 5060)]
        assert Destination("udp", "127.0.0.1", 5060) in await us.resolve("sip:a@localhost")
        for bad in (
            "tel:+1",
            "http://x",
            "sip:",
            "sips:a@192.0.2.1;transport=udp",
            "sip:a@192.0.2.1;transport=ws",
            "sip:a@no-such-name.invalid",
        ):
            with pytest.raises(Unresolvable):
                await us.resolve(bad)
