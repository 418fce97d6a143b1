"""TLS on real sockets: calls, names, chains, new certificates, and peers that mean no good."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.clock import SystemClock
from edge.sip import arrivals
from edge.sip.connection import StreamLimits
from edge.sip.endpoint import Endpoint, EndpointConfig, Listen
from edge.sip.events import (
    Acked,
    Answered,
    Destination,
    Ended,
    OfferAnswered,
    Offered,
    OutgoingCall,
    Refused,
)
from edge.sip.guard import Guard
from edge.sip.invite import Invite
from edge.sip.known import Friends, Sources
from edge.sip.message import Response
from edge.sip.meters import Allowance
from edge.sip.streams import NO_HANDSHAKE
from edge.sip.tls import Certificates, TlsConfig, TlsUnusable, certified, make_context, own_certificate
from tests.sip.test_endpoint import Open, Owner, Stream, invite, options
from tests.support.certificates import Authority
from tests.support.known import Known
from tests.support.lossy_wire import SDP
from tests.support.server import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> TlsConfig:
    return authority.certificate("good", "DNS:pbx.example", "IP:127.0.0.1")


@asynccontextmanager
async def endpoint(
    tls: TlsConfig,
    on_call: Callable[[Invite], None] = lambda usage: usage.reject(486),
    streams: StreamLimits | None = None,
    sources: Sources | None = None,
    now: Callable[[], float] | None = None,
    cut_off: Callable[[str, str], None] = lambda host, why: None,
) -> AsyncIterator[tuple[Endpoint, int]]:
    config = EndpointConfig([Listen("tls", "127.0.0.1", 0)], streams=streams or StreamLimits(), tls=tls)
    clock = SystemClock()
    guard = Guard(now or clock.monotonic, sources or Friends())
    async with Endpoint(config, clock, Open(), on_call, guard=guard, cut_off=cut_off) as opened:
        yield opened, opened.addresses[0].port


def outgoing(port: int, name: str = "pbx.example") -> OutgoingCall:
    to = Destination("tls", "127.0.0.1", port, name)
    return OutgoingCall(f"sips:x@{name}:{port}", to, "<sips:a@b>", "<sips:x@y>", body=SDP)


async def refused(us: Endpoint, port: int, name: str = "pbx.example") -> Refused:
    event = await Owner(us.call(outgoing(port, name))).next()
    assert isinstance(event, Refused)
    return event


async def test_a_call_from_end_to_end(good: TlsConfig) -> None:
    callers: list[Owner] = []

    def on_call(usage: Invite) -> None:
        callers.append(Owner(usage))
        usage.answer(SDP)

    async with endpoint(good, on_call) as (_, port), endpoint(good) as (us, _):
        leg = Owner(us.call(outgoing(port)))
        answer = await leg.next()
        assert isinstance(answer, Answered) and answer.sdp == SDP
        assert (answer.headers.get("Contact") or "").startswith("<sips:edge@127.0.0.1:")
        leg.usage.ack()
        assert await callers[0].next() == Acked(b"")
        request = callers[0].usage.request
        assert request.via.transport == "TLS"
        callers[0].usage.hang_up("Q.850;cause=16")
        assert await leg.next() == Ended("peer", "Q.850;cause=16")


async def test_a_second_call_uses_the_same_connection_but_only_under_the_same_name(good: TlsConfig) -> None:
    async with endpoint(good) as (them, port), endpoint(good) as (us, _):
        flows = set()
        them.set_trace(lambda direction, flow, data, call_id: flows.add(flow))
        for name in ("pbx.example", "pbx.example", "127.0.0.1"):
            assert (await refused(us, port, name)).status == 486
        assert len(flows) == 2


@pytest.mark.parametrize(
    ("names", "dialled"),
    [("DNS:other.example", "pbx.example"), ("DNS:pbx.example", "127.0.0.1")],
)
async def test_a_certificate_of_another_name_gets_no_call(
    authority: Authority, names: str, dialled: str
) -> None:
    theirs = authority.certificate("other", names)
    async with endpoint(theirs) as (them, port), endpoint(theirs) as (us, _):
        assert (await refused(us, port, dialled)).cause == "unreachable"
        assert them.counters.get("received_invite", 0) == 0


async def test_a_certificate_that_nobody_trusts_gets_no_call(good: TlsConfig) -> None:
    async with endpoint(good) as (them, port), endpoint(replace(good, trust=None)) as (us, _):
        assert (await refused(us, port)).cause == "unreachable"
        assert them.counters.get("received_invite", 0) == 0


async def test_the_whole_chain_is_shown(authority: Authority, tmp_path: Path) -> None:
    """Who trusts the highest authority alone must be told of those between it and us (RFC 8446 4.4.2)."""
    between = Authority(tmp_path, "between", above=authority)
    theirs = between.certificate("theirs", "DNS:pbx.example")
    assert theirs.certificate is not None
    ours = replace(theirs, trust=authority.file)
    async with endpoint(theirs) as (_, port), endpoint(ours) as (us, _):
        assert (await refused(us, port)).cause == "unreachable"
        theirs.certificate.write_bytes(theirs.certificate.read_bytes() + between.file.read_bytes())
        assert (await refused(us, port)).status == 486


async def shown(port: int, **limits: Any) -> str:
    """The serial number of the certificate that the listener shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in limits.items():
        setattr(context, name, value)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return str(hash(found))


async def test_new_files_are_taken_up_and_bad_ones_are_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    config = authority.certificate("ours", "DNS:a.example")
    async with endpoint(config) as (_, port):
        first = await shown(port)
        assert await shown(port) == first
        authority.certificate("ours", "DNS:a.example")
        second = await shown(port)
        assert second != first
        assert config.private_key is not None
        config.private_key.write_text("no key")
        assert await shown(port) == second


async def test_a_file_that_was_looked_at_while_it_was_written_is_taken_up_when_it_is_whole(
    tmp_path: Path,
) -> None:
    """Also within one tick of the clock that files are stamped by."""
    authority = Authority(tmp_path)
    config = authority.certificate("ours", "DNS:a.example")
    kept = Certificates(config)
    first = await kept.context("server")
    authority.certificate("ours", "DNS:a.example")
    assert config.certificate is not None
    whole = config.certificate.read_bytes()
    config.certificate.write_bytes(whole[: len(whole) // 2])
    os.utime(config.certificate, ns=(1, 1))
    assert await kept.context("server") is first
    config.certificate.write_bytes(whole)
    os.utime(config.certificate, ns=(1, 1))
    assert await kept.context("server") is not first


async def test_a_call_outlives_the_certificate_it_was_made_under(tmp_path: Path) -> None:
    authority, callers = Authority(tmp_path), []
    ours = authority.certificate("ours", "DNS:pbx.example")

    def on_call(usage: Invite) -> None:
        callers.append(Owner(usage))
        usage.answer(SDP)

    async with endpoint(ours, on_call) as (them, port), endpoint(ours) as (us, _):
        flows = set()
        them.set_trace(lambda direction, flow, data, call_id: flows.add(flow))
        leg = Owner(us.call(outgoing(port)))
        assert isinstance(await leg.next(), Answered)
        leg.usage.ack()
        assert await callers[0].next() == Acked(b"")
        before = await shown(port)
        authority.certificate("ours", "DNS:pbx.example")
        assert await shown(port) != before
        leg.usage.offer_again(SDP)
        assert await callers[0].next() == Offered(SDP, "INVITE")
        callers[0].usage.accept_offer(SDP)
        assert await leg.next() == OfferAnswered(SDP)
        callers[0].usage.hang_up()
        assert await leg.next() == Ended("peer", None)
        assert len(flows) == 1


@pytest.mark.parametrize(("dialled", "asked"), [("pbx.example", "pbx.example"), ("127.0.0.1", None)])
async def test_the_name_that_is_dialled_is_asked_for(
    good: TlsConfig, dialled: str, asked: str | None
) -> None:
    """SNI, by which one address serves many names; there is none for addresses (RFC 6066 section 3)."""
    seen: list[str | None] = []
    context = make_context("server", good)
    context.sni_callback = lambda sock, name, context: seen.append(name)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0, ssl=context)
    async with server, endpoint(good) as (us, _):
        assert (await refused(us, server.sockets[0].getsockname()[1], dialled)).cause == "unreachable"
    assert seen == [asked]


async def test_an_answer_whose_connection_is_gone_goes_to_the_host_that_the_via_names(
    authority: Authority, good: TlsConfig
) -> None:
    calls: asyncio.Queue[Invite] = asyncio.Queue()
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    named = make_context("server", authority.certificate("named", "DNS:sbc.example"))
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=named)
    async with server, endpoint(good, calls.put_nowait) as (us, port), asyncio.timeout(30):
        own = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=make_context("client", good))
        invite = options(1, "TLS", own).replace(b"OPTIONS", b"INVITE")
        writer.write(invite.replace(b"127.0.0.1:%d" % own, b"sbc.example:%d" % own))
        usage = await calls.get()
        writer.transport.abort()
        await eventually(lambda: us.counters["connections"] == 0)
        usage.reject(486)
        assert (await heard.get()).startswith(b"SIP/2.0 486")


async def test_old_versions_of_tls_are_refused(good: TlsConfig) -> None:
    async with endpoint(good) as (_, port):
        with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, ConnectionError)):
            await shown(port, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


async def test_nobody_renegotiates(good: TlsConfig) -> None:
    """It costs us as much as a new connection, which would be counted (RFC 9325 3.5)."""
    async with endpoint(good) as (_, port):
        pipe = asyncio.subprocess.PIPE
        client = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{port}",
            stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert client.stdin is not None and client.stdout is not None
        async with asyncio.timeout(30):
            await client.stdout.readuntil(b"Verify return code")
            client.stdin.write(b"R\n")
            said = await client.stdout.read()
            await client.wait()
        assert b"RENEGOTIATING" in said and b"no renegotiation" in said


async def test_peers_that_never_shake_hands_count_and_hold_nobody_up(good: TlsConfig) -> None:
    limits = StreamLimits(per_address=3, handshake_s=60)
    async with endpoint(good, streams=limits) as (us, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await shown(port)
        await eventually(lambda: us.counters["connections"] == 2)
        silent.append(await asyncio.open_connection("127.0.0.1", port))
        await eventually(lambda: us.counters["connections"] == 3)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shown(port)
        for _, writer in silent:
            writer.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n" * 20)
        await eventually(lambda: us.counters["connections"] == 0)
        assert us.counters["dropped_connection"] == 4
        for _, writer in silent:
            writer.transport.abort()


class Broken(Known):
    """Fails at the first question."""

    def __init__(self) -> None:
        super().__init__({"127.0.0.1"})
        self.broken = True

    def knows(self, host: str) -> bool:
        broken, self.broken = self.broken, False
        if broken:
            raise RuntimeError("once")
        return super().knows(host)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_failure_at_one_connection_does_not_end_listening(good: TlsConfig, transport: str) -> None:
    clock = SystemClock()
    config = EndpointConfig([Listen(transport, "127.0.0.1", 0)], tls=good)
    guard = Guard(clock.monotonic, Broken())
    with capture_logs() as lines:
        async with Endpoint(config, clock, Open(), lambda usage: None, guard=guard) as us:
            port = us.addresses[0].port
            reader, _ = await asyncio.open_connection("127.0.0.1", port)
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
            context = make_context("client", good) if transport == "tls" else None
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(options(1, transport.upper()))
            assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)).startswith(b"SIP/2.0 200")
            writer.transport.abort()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["sip_accept_failed"]


async def knock(port: int, host: str, *arguments: str) -> tuple[int, bytes]:
    """``openssl s_client`` from an address, asking OPTIONS and then what makes us close; its exit code
    and what it printed."""
    to = ("-connect", f"127.0.0.1:{port}", "-bind", f"{host}:0", "-ign_eof", "-quiet", *arguments)
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", *to),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(client.communicate(options(1, "TLS") + b"\0"), 60)
    return client.returncode or 0, said


async def test_a_flood_of_handshakes_is_cut_off_and_a_friend_gets_through(good: TlsConfig) -> None:
    # To the guard they all come in one moment, however long the machine takes to start them.
    async with endpoint(good, sources=Known({"127.0.0.3"}), now=lambda: 1000.0) as (us, port):
        knocks = [knock(port, "127.0.0.2") for _ in range(30)]
        *strangers, friend = await asyncio.gather(*knocks, knock(port, "127.0.0.3"))
        served = [said for _, said in strangers if b"SIP/2.0 200" in said]
        assert b"SIP/2.0 200" in friend[1]
        assert 1 <= len(served) <= 10, "a burst of ten"
        assert us.counters["dropped_flood"] + us.counters.get("dropped_connection", 0) >= 20
        await eventually(lambda: us.counters["connections"] == 0)


async def test_only_so_many_handshakes_of_strangers_are_in_progress(good: TlsConfig) -> None:
    limits = StreamLimits(handshakes=3, handshakes_per_address=2, handshake_s=60)
    async with endpoint(good, sources=Known({"127.0.0.3"}), streams=limits) as (us, port):
        silent = []

        async def hold(host: str) -> asyncio.StreamReader:
            silent.append(await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0)))
            return silent[-1][0]

        for number, host in enumerate(("127.0.0.4", "127.0.0.4", "127.0.0.5"), 1):
            await hold(host)
            await eventually(lambda number=number: us.counters["connections"] == number)
        for host in ("127.0.0.4", "127.0.0.6"):
            assert await asyncio.wait_for((await hold(host)).read(), 30) == b""
        assert us.counters["dropped_connection"] == 2
        assert b"SIP/2.0 200" in (await knock(port, "127.0.0.3"))[1], "a friend has no such limit"
        silent[0][1].transport.abort()
        await eventually(lambda: us.counters["connections"] == 2)
        assert b"SIP/2.0 200" in (await knock(port, "127.0.0.6"))[1], "there is room again"
        for _, writer in silent:
            writer.transport.abort()


async def test_a_handshake_that_drips_is_given_up(good: TlsConfig) -> None:
    async with endpoint(good, streams=StreamLimits(handshake_s=0.3)) as (us, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def drip() -> None:
            for byte in b"\x16\x03\x01\x02\x00" + b"\x01" * 500:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        dripping.cancel()
        await eventually(lambda: us.counters["connections"] == 0)
        writer.transport.abort()


async def test_a_peer_that_never_shakes_hands_is_let_go(good: TlsConfig) -> None:
    limits = StreamLimits(handshake_s=0.2)
    told: list[tuple[str, str]] = []
    async with endpoint(good, streams=limits, cut_off=lambda *what: told.append(what)) as (us, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        await eventually(lambda: us.counters["connections"] == 0)
        assert us.counters["dropped_connection"] == 1
        assert told == [("127.0.0.1", NO_HANDSHAKE)]


async def test_a_message_that_drips_over_tls_is_not_waited_for(authority: Authority, good: TlsConfig) -> None:
    async with endpoint(good, streams=StreamLimits(message_s=0.3)) as (_, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)

        async def drip() -> None:
            while True:
                writer.write(b"O")
                await asyncio.sleep(0.1)

        dripping = asyncio.create_task(drip())
        with suppress(ConnectionError, ssl.SSLError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        dripping.cancel()
        writer.transport.abort()


async def test_a_trunk_s_rate_holds_over_tls_and_loses_nothing(authority: Authority, good: TlsConfig) -> None:
    sources = Known(allowances={"127.0.0.1": Allowance("trk_1", 50)})
    async with endpoint(good, sources=sources) as (us, port):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        began = asyncio.get_running_loop().time()
        writer.write(b"".join(options(number, "TLS") for number in range(200)))
        async with asyncio.timeout(60):
            answers = [await reader.readuntil(b"\r\n\r\n") for _ in range(200)]
        assert all(f"Call-ID: {n}\r\n".encode() in answer for n, answer in enumerate(answers))
        # A hundred are allowed at once; the others, which were read with them, are answered, and waited for.
        assert us.counters["slowed_known_flood"] > 0
        writer.write(options(200, "TLS"))
        assert b"Call-ID: 200\r\n" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        assert asyncio.get_running_loop().time() - began > 1
        writer.transport.abort()


@asynccontextmanager
async def stream(authority: Authority, port: int) -> AsyncIterator[Stream]:
    """A peer's connection, shaken hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()


async def test_while_the_queue_is_full_new_calls_get_503_and_calls_that_are_up_go_on(
    authority: Authority, good: TlsConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MAX_WAITING", 3)
    up: list[Invite] = []

    def on_call(usage: Invite) -> None:
        up.append(usage)
        usage.answer(SDP)

    async with endpoint(good, on_call) as (us, port), stream(authority, port) as peer:

        async def told(count: int) -> list[tuple[str, int]]:
            answers = [a for _ in range(count) if isinstance(a := await peer.answer(), Response)]
            return [(a.call_id, a.status) for a in answers]

        peer.writer.write(invite(1))
        assert await told(2) == [("1", 100), ("1", 200)]
        to = f"To: <sip:b@c>;tag={up[0].local_tag}".encode()
        us._inlet.arrivals.read(False)  # as if datagrams waited, so that there is no time for new calls
        calls = [invite(n) for n in range(2, 7)]
        within = (
            invite(1, b"ACK", "1 ACK", to),
            invite(1, b"INFO", "2 INFO", to),
            invite(1, b"BYE", "3 BYE", to),
        )
        peer.writer.write(b"".join((*calls[:4], *within, calls[4], options(7, "TLS"))))
        assert await told(5) == [("5", 503), ("1", 200), ("1", 200), ("6", 503), ("7", 200)]
        assert len(up) == 1 and us.counters["received_invite"] == 1, "those that wait are unread"
        us._inlet.arrivals.read(True)
        assert await told(6) == [(str(n), status) for n in (2, 3, 4) for status in (100, 200)]


async def test_a_listener_without_a_usable_certificate_does_not_open(tmp_path: Path) -> None:
    missing = TlsConfig(tmp_path / "no.pem", tmp_path / "no.key")
    with pytest.raises(TlsUnusable, match=r"no\.pem"):
        async with endpoint(missing):
            pass


@pytest.mark.parametrize(
    ("kinds", "name", "fits"),
    [
        ((("DNS", "pbx.example"),), "PBX.example.", True),
        ((("DNS", "pbx.example"),), "a.pbx.example", False),
        ((("DNS", "*.example.com"),), "a.example.com", True),
        ((("DNS", "*.example.com"),), "example.com", False),
        ((("DNS", "*.example.com"),), "a.b.example.com", False),
        ((("DNS", "*.com"),), "example.com", False),
        ((("URI", "sip:pbx.example"), ("DNS", "other.example")), "pbx.example", True),
        ((("URI", "sip:pbx.example"), ("DNS", "other.example")), "other.example", False),
        ((("URI", "sip:user@pbx.example"),), "pbx.example", False),
        ((("IP Address", "2001:DB8:0:0:0:0:0:1"),), "2001:db8::1", True),
        ((("DNS", "192.0.2.1"),), "192.0.2.2", False),
        ((), "pbx.example", False),
    ],
)
def test_names(kinds: tuple[tuple[str, str], ...], name: str, fits: bool) -> None:
    certificate = {"subjectAltName": kinds, "subject": ((("commonName", name),),)}
    assert certified(certificate, name) is fits


def test_a_key_of_another_certificate_is_told(authority: Authority, good: TlsConfig) -> None:
    other = authority.certificate("another", "DNS:a.example")
    with pytest.raises(TlsUnusable, match="not that of the certificate"):
        make_context("server", replace(good, private_key=other.private_key))
    with pytest.raises(TlsUnusable, match="no such PEM text"):
        make_context("client", replace(good, trust=good.private_key))


def test_our_own_certificate_is_read(authority: Authority, good: TlsConfig) -> None:
    assert ("DNS", "pbx.example") in own_certificate(good)["subjectAltName"]
    assert own_certificate(good)["notAfter"].endswith("GMT")
    with pytest.raises(TlsUnusable, match="expired"):
        own_certificate(authority.certificate("old", "DNS:a.example", days=-1))
