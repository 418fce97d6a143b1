"""Where the requests of a dialog go: over what it came over while that stands, then where that leads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.clock import SystemClock
from edge.sip.endpoint import Endpoint, EndpointConfig, Listen
from edge.sip.events import Allow, Deny, Destination, Flow, InviteEvent, OutgoingCall, Progress, Refused
from edge.sip.framer import Framer
from edge.sip.guard import Guard
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
from edge.sip.printing import print_answer
from edge.sip.transport import Transport, UdpListener
from tests.support.known import Known
from tests.support.lossy_wire import SDP, Network, Node
from tests.support.lossy_wire import Peer as Wired
from tests.support.raw_phone import RawPhone
from tests.support.server import eventually


class Open:
    """Everyone is welcome."""

    def judge(self, request: Request, flow: Flow) -> Allow:
        return Allow("trk_1")


@asynccontextmanager
async def endpoint(
    *listen: Listen, guard: Guard | None = None
) -> AsyncIterator[tuple[Endpoint, list[Invite]]]:
    """An endpoint that answers every call."""
    calls: list[Invite] = []

    def answered(usage: Invite) -> None:
        usage.on_event = lambda event: None
        usage.answer(SDP)
        calls.append(usage)

    config = EndpointConfig(listen or [Listen("tcp", "127.0.0.1", 0)])
    async with Endpoint(config, SystemClock(), Open(), answered, guard=guard) as opened:
        yield opened, calls


class Line:
    """One TCP connection of a raw peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._frames: list[object] = []

    async def next(self) -> Request | Response:
        """The next message."""
        async with asyncio.timeout(30):
            while not self._frames:
                data = await self.reader.read(65536)
                assert data, "the connection was closed"
                self._frames += self._framer.feed(data)
        found = self._frames.pop(0)
        assert isinstance(found, Request | Response)
        return found

    async def until(self, method: str) -> Request:
        """The next request of this method."""
        while True:
            found = await self.next()
            if isinstance(found, Request) and found.method == method:
                return found

    def answer(self, request: Request, *lines: tuple[str, str], body: bytes = b"") -> None:
        """200, of a tag of our own."""
        self.writer.write(print_answer(request, 200, None, "peer", lines=lines, body=body))


class Peer:
    """A raw peer that takes TCP connections."""

    async def __aenter__(self) -> "Peer":
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def line(self) -> Line:
        """The next connection to it."""
        async with asyncio.timeout(30):
            return await self._lines.get()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._lines.put(Line(reader, writer))


def request(method: str, contact: str, *lines: str, to_tag: str = "") -> bytes:
    """A request of a call to us."""
    tag = f";tag={to_tag}" if to_tag else ""
    body = SDP.decode() if method == "INVITE" else ""
    head = [
        f"{method} sip:x@127.0.0.1 SIP/2.0", f"Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{method};rport",
        "Max-Forwards: 70", "From: <sip:a@b>;tag=1", f"To: <sip:c@d>{tag}", "Call-ID: c1",
        f"CSeq: 1 {method}", f"Contact: <{contact}>", *lines,
        "Content-Type: application/sdp", f"Content-Length: {len(body)}", "", body,
    ]  # fmt: skip
    return "\r\n".join(head).encode()


async def called(line: Line, us: list[Invite], contact: str, *lines: str) -> Invite:
    """A call over a connection, that is up."""
    line.writer.write(request("INVITE", contact, *lines))
    while (answer := await line.next()) and not (isinstance(answer, Response) and answer.status == 200):
        pass
    line.writer.write(request("ACK", contact, to_tag=answer.to_tag or ""))
    await eventually(lambda: us[0].state == "up")
    return us[0]


ROUTES = ["", "Record-Route: <sip:127.0.0.1:1;transport=tcp;lr>", "Record-Route: <sip:sbc.example:1;lr>"]
"""Nobody listens at port 1: proxies record their own port, and their connections come from any."""


@pytest.mark.parametrize("route", ROUTES)
async def test_what_came_over_a_connection_is_said_over_it(route: str) -> None:
    async with endpoint() as (us, calls):
        line = Line(*await asyncio.open_connection("127.0.0.1", us.addresses[0].port))
        usage = await called(line, calls, "sip:a@127.0.0.1:1;transport=tcp", *([route] if route else []))
        usage.hang_up()
        bye = await line.until("BYE")
        assert bye.headers.values("Route") == [part.partition(": ")[2] for part in [route] if part]
        line.answer(bye)


@pytest.mark.parametrize(
    "contact", ["sip:a@127.0.0.1:{};transport=tcp", "sip:a@pbx.example:{};transport=tcp"]
)
async def test_a_callers_connection_that_is_gone_is_made_again(contact: str) -> None:
    async with endpoint() as (us, calls), Peer() as peer:
        line = Line(*await asyncio.open_connection("127.0.0.1", us.addresses[0].port))
        usage = await called(line, calls, contact.format(peer.port))
        line.writer.close()
        await eventually(lambda: us.counters["connections"] == 0)
        usage.hang_up()
        again = await peer.line()
        again.answer(await again.until("BYE"))


@pytest.mark.parametrize("contact", ["sip:a@127.0.0.1:{};transport=tcp", "sip:a@pbx.example;transport=tcp"])
async def test_a_targets_connection_that_is_gone_is_made_again(contact: str) -> None:
    async with endpoint() as (us, _), Peer() as peer:
        to = Destination("tcp", "127.0.0.1", peer.port)
        usage = us.call(OutgoingCall("sip:x@pbx.example", to, "<sip:a@b>", "<sip:x@y>", body=SDP))
        usage.on_event = lambda event: usage.ack()
        line = await peer.line()
        where = ("Contact", f"<{contact.format(peer.port)}>")
        line.answer(await line.until("INVITE"), where, ("Content-Type", "application/sdp"), body=SDP)
        await line.until("ACK")
        line.writer.close()
        await eventually(lambda: us.counters["connections"] == 0)
        usage.hang_up()
        again = await peer.line()
        again.answer(await again.until("BYE"))


async def test_a_bye_whose_connection_ends_without_an_answer_is_said_over_another() -> None:
    """Nobody would end that call, or else a machine in between has closed what it took for idle."""
    async with endpoint() as (us, calls), Peer() as peer:
        line = Line(*await asyncio.open_connection("127.0.0.1", us.addresses[0].port))
        usage = await called(line, calls, f"sip:a@127.0.0.1:{peer.port};transport=tcp")
        usage.hang_up()
        bye = await line.until("BYE")
        line.writer.transport.abort()
        again = await peer.line()
        said = await again.until("BYE")
        assert (said.cseq, said.via.branch) != (bye.cseq, bye.via.branch)
        again.writer.transport.abort()
        await eventually(lambda: us.counters["dialogs"] == 0)


async def test_a_repeated_200_whose_connection_is_gone_goes_to_the_sent_by_port() -> None:
    async with endpoint() as (us, calls), Peer() as peer:
        line = Line(*await asyncio.open_connection("127.0.0.1", us.addresses[0].port))
        contact = f"sip:a@127.0.0.1:{peer.port};transport=tcp"
        invite = request("INVITE", contact).replace(b"127.0.0.1:9;", b"127.0.0.1:%d;" % peer.port)
        line.writer.write(invite)
        while (await line.next()).status != 200:  # type: ignore[union-attr]
            pass
        line.writer.transport.abort()
        again = await peer.line()
        answer = await again.next()
        assert isinstance(answer, Response) and answer.status == 200
        again.writer.write(request("ACK", contact, to_tag=answer.to_tag or ""))
        await eventually(lambda: calls[0].state == "up")


@pytest.mark.parametrize("again_offered", [False, True])
async def test_a_repeated_200_is_acknowledged_over_another_connection_when_the_first_is_gone(
    again_offered: bool,
) -> None:
    async with endpoint() as (us, _), Peer() as peer:
        to = Destination("tcp", "127.0.0.1", peer.port)
        usage = us.call(OutgoingCall("sip:x@pbx.example", to, "<sip:a@b>", "<sip:x@y>", body=SDP))
        usage.on_event = lambda event: usage.ack()
        line = await peer.line()
        invite = await line.until("INVITE")
        said = (
            ("Contact", f"<sip:a@127.0.0.1:{peer.port};transport=tcp>"),
            ("Content-Type", "application/sdp"),
        )
        line.answer(invite, *said, body=SDP)
        ack = await line.until("ACK")
        if again_offered:
            usage.offer_again(SDP)
            invite = await line.until("INVITE")
            line.answer(invite, *said, body=SDP)
            ack = await line.until("ACK")
        line.writer.transport.abort()
        await eventually(lambda: us.counters["connections"] == 0)
        theirs = Line(*await asyncio.open_connection("127.0.0.1", us.addresses[0].port))
        theirs.answer(invite, *said, body=SDP)
        again = await (await peer.line()).until("ACK")
        assert (again.cseq, again.to_tag) == (ack.cseq, ack.to_tag)


@pytest.mark.parametrize("hung_up", [False, True])
async def test_who_rings_over_a_connection_that_ends_is_cancelled_over_another(hung_up: bool) -> None:
    """It would ring on, and be taken, for nobody."""
    heard: asyncio.Queue[InviteEvent] = asyncio.Queue()
    async with endpoint() as (us, _), Peer() as peer:
        to = Destination("tcp", "127.0.0.1", peer.port)
        usage = us.call(OutgoingCall("sip:x@pbx.example", to, "<sip:a@b>", "<sip:x@y>", body=SDP))
        usage.on_event = heard.put_nowait
        line = await peer.line()
        invite = await line.until("INVITE")
        line.writer.write(print_answer(invite, 180, None, "peer", lines=(), body=b""))
        assert isinstance(await heard.get(), Progress)
        if hung_up:
            usage.hang_up()
            await line.until("CANCEL")
        line.writer.transport.abort()
        again = await peer.line()
        cancel = await again.until("CANCEL")
        assert (cancel.via.branch, cancel.cseq) == (invite.via.branch, invite.cseq)
        again.answer(cancel)
        said = (
            ("Contact", f"<sip:a@127.0.0.1:{peer.port};transport=tcp>"),
            ("Content-Type", "application/sdp"),
        )
        again.answer(invite, *said, body=SDP)
        await again.until("ACK")
        again.answer(await again.until("BYE"))
        if not hung_up:
            refused = await heard.get()
            assert isinstance(refused, Refused) and refused.cause == "unreachable"
        await eventually(lambda: us.counters["dialogs"] == 0)
        assert "dropped_stray_response" not in us.counters


async def test_a_dialog_stays_with_the_listener_that_it_came_to() -> None:
    listen = [Listen("udp", "127.0.0.1", 0), Listen("udp", "127.0.0.1", 0)]
    async with endpoint(*listen) as (us, calls):
        second = ("127.0.0.1", us.addresses[1].port)
        with RawPhone(second, "127.0.0.1") as caller, RawPhone(second, "127.0.0.1") as contact:
            await _said(caller, request("INVITE", f"sip:a@{contact.address}"))
            tag = (await caller.hear("SIP/2.0 200")).get("To").partition("tag=")[2]
            await _said(caller, request("ACK", f"sip:a@{contact.address}", to_tag=tag))
            await eventually(lambda: calls[0].state == "up")
            calls[0].hang_up()
            bye = await contact.hear("BYE")
            assert bye.source == second
            await contact.answer(bye, 200)


async def test_where_a_dialog_goes_on_nobody_is_a_stranger() -> None:
    guard = Guard(SystemClock().monotonic, Known({"127.0.0.1"}))
    async with endpoint(Listen("udp", "127.0.0.1", 0), guard=guard) as (us, calls):
        at = ("127.0.0.1", us.addresses[0].port)
        with RawPhone(at, "127.0.0.1") as caller, RawPhone(at) as contact:
            await _said(caller, request("INVITE", f"sip:a@{contact.address}"))
            tag = (await caller.hear("SIP/2.0 200")).get("To").partition("tag=")[2]
            await _said(caller, request("ACK", f"sip:a@{contact.address}", to_tag=tag))
            await eventually(lambda: calls[0].state == "up")
            assert contact.host not in guard.ways
            calls[0].hang_up()
            bye = await contact.hear("BYE")
            assert contact.host in guard.ways and not guard.is_dialled(contact.host)
            await contact.answer(bye, 200)
            calls.clear()
            await eventually(lambda: contact.host not in guard.ways)


BEHIND_NAT = "Contact: <sip:me@10.0.0.2:5060>"


class Behind(Wired):
    """A peer behind a NAT: its Contact is its inner address."""

    def send(self, text: str | bytes, to: Node) -> None:
        data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        lines = [BEHIND_NAT.encode() if x.startswith(b"Contact:") else x for x in data.split(b"\r\n")]
        super().send(b"\r\n".join(lines), to)


def behind_nat(net: Network, port: int) -> Behind:
    peer = net.nodes[("8.8.4.4", port)] = Behind(net, ("8.8.4.4", port))
    return peer


def up(us: Node, peer: Wired) -> Invite:
    """A call of the peer's that is up."""
    peer.request("INVITE", us, body=SDP)
    us.calls[-1].answer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=us.calls[-1].local_tag)
    return us.calls[-1]


def test_who_comes_from_a_new_port_of_its_nat_is_found_there() -> None:
    net = Network()
    us = net.node("198.51.100.1")
    before, now = behind_nat(net, 5060), behind_nat(net, 6001)
    usage = up(us, before)
    usage.info("text/plain", b"x")
    net.run(0.01)
    assert len(before.requests("INFO")) == 1
    now.request("OPTIONS", us, cseq=2, to_tag=usage.local_tag)
    usage.hang_up()
    net.run(0.01)
    assert (len(now.requests("BYE")), len(before.requests("BYE"))) == (1, 0)


def test_no_stranger_leads_a_dialog_to_itself() -> None:
    net = Network()
    us, peer, thief = net.node("198.51.100.1"), net.peer("192.0.2.2"), net.peer("192.0.2.66")
    us.strangers.add("192.0.2.66")
    usage = up(us, peer)
    thief.request("UPDATE", us, cseq=2, to_tag=usage.local_tag)
    assert thief.statuses() == [200], "it may have a reason to come from there"
    usage.info("text/plain", b"x")
    usage.hang_up()
    net.run(0.01)
    assert thief.requests("INFO") == thief.requests("BYE") == []
    assert len(peer.requests("BYE")) == 1


def test_who_moves_is_asked_to_log_in_and_only_then_leads_the_dialog_to_itself() -> None:
    net = Network()
    us, peer, now = net.node("198.51.100.1"), net.peer("192.0.2.2"), net.peer("192.0.2.66")
    us.strangers.add("192.0.2.66")
    usage = up(us, peer)
    us.to_movers = Deny(401, (("WWW-Authenticate", 'Digest realm="x", nonce="y"'),))
    for number, method in enumerate(("UPDATE", "INVITE"), 2):
        now.request(method, us, cseq=number, to_tag=usage.local_tag)
    now.request("ACK", us, cseq=3, to_tag=usage.local_tag, branch="z9hG4bKINVITE3c1")
    now.request("OPTIONS", us, cseq=4, to_tag=usage.local_tag)
    assert now.statuses() == [401, 401, 200] and us.stack.counters["dropped_denied"] == 2
    assert len(us.heard[usage]) == 1, "nothing but the ACK of the call"
    usage.info("text/plain", b"x")
    net.run(0.01)
    assert (len(peer.requests("INFO")), len(now.requests("INFO"))) == (1, 0)
    us.to_movers = None
    us.strangers.clear()
    now.request("UPDATE", us, cseq=5, to_tag=usage.local_tag)
    usage.hang_up()
    net.run(0.01)
    assert (len(peer.requests("BYE")), len(now.requests("BYE"))) == (0, 1)


def test_another_host_that_is_known_takes_a_dialog_over_by_its_contact() -> None:
    net = Network()
    us, peer, other = net.node("198.51.100.1"), net.peer("192.0.2.2"), net.peer("192.0.2.3")
    usage = up(us, peer)
    other.request("UPDATE", us, cseq=2, to_tag=usage.local_tag)
    usage.hang_up()
    net.run(0.01)
    assert (len(other.requests("BYE")), len(peer.requests("BYE"))) == (1, 0)


async def _said(phone: RawPhone, data: bytes) -> None:
    data = data.replace(b"/TCP", b"/UDP")
    await asyncio.get_running_loop().sock_sendto(phone.socket, data, phone.server)


@pytest.mark.parametrize(("ours", "used"), [("127.0.0.3", "127.0.0.3"), ("127.0.0.9", "127.0.0.2")])
async def test_a_call_of_ours_leaves_through_the_listener_that_can_be_answered(
    monkeypatch: pytest.MonkeyPatch, ours: str, used: str
) -> None:
    monkeypatch.setattr("edge.sip.transport.local_address_toward", lambda host: ours)
    transport, loop = Transport(""), asyncio.get_running_loop()
    for host in ("127.0.0.2", "127.0.0.3"):
        transport.add_udp(
            UdpListener(
                loop, (host, 0), lambda data, flow: True,
                admits=lambda *_: True, on_read=lambda drained: None, on_undelivered=lambda data: None,
            )
        )  # fmt: skip
    try:
        assert transport.route(Destination("udp", "192.0.2.1", 5060)).local[0] == used
    finally:
        await transport.close()
