"""Bad input at the real server: each gets its answer (or silence), a count and a line, and hurts nobody."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.sip.corpus import RESPONSES, RIGHT, WRONG
from tests.support.api import ApiError
from tests.support.ports import own_address
from tests.support.server import Server, eventually, flawless_server, running_server, settings, simple_route
from tests.support.sipp import call, sipp

NUMBER = "+18005550100"
pytestmark = pytest.mark.asyncio(loop_scope="module")
EDGE = str(Path(sys.executable).with_name("edge"))


@dataclass
class Peer:
    """A carrier's address with a UDP socket, which can send what no phone would."""

    server: Server
    host: str
    udp: socket.socket

    def request(self, method: str = "OPTIONS", user: str = NUMBER, *extra: str, body: str = "") -> bytes:
        """A correct request; ``extra`` header lines come before the last one."""
        port = self.udp.getsockname()[1]
        lines = [
            f"{method} sip:{user}@{self.server.address()} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{port};branch=z9hG4bK{len(body)}-{abs(hash(extra))};rport",
            "Max-Forwards: 70",
            f"From: <sip:+12125550100@{self.host}>;tag=from",
            f"To: <sip:{user}@{self.server.address()}>",
            f"Call-ID: bad-{method}-{abs(hash((extra, body, user)))}@{self.host}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:x@{self.host}:{port}>",
            *extra,
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def ask(self, data: bytes) -> bytes:
        """Sends a datagram, again where it seems lost, and waits for the final answer."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            while True:
                await loop.sock_sendto(self.udp, data, self.server.sip["udp"])
                with suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        return await self._answer()

    async def _answer(self) -> bytes:
        while True:
            answer = await asyncio.get_running_loop().sock_recv(self.udp, 65535)
            if not answer.startswith(b"SIP/2.0 1"):
                return answer

    async def silence(self, data: bytes) -> None:
        """Sends a datagram that is not answered: what is asked after it is answered first."""
        await asyncio.get_running_loop().sock_sendto(self.udp, data, self.server.sip["udp"])
        after = self.request("OPTIONS", "probe", f"X-After: {abs(hash(data))}")
        call_id = next(line for line in after.split(b"\r\n") if line.startswith(b"Call-ID"))
        assert call_id in await self.ask(after)


@dataclass
class Scene:
    """A server with a route, the carrier's odd peer and a stranger."""

    server: Server
    peer: Peer
    stranger: Peer
    directory: Path

    async def still_takes_calls(self) -> None:
        """A normal call goes through after whatever came before."""
        (
            await call(
                self.directory, self.server.address(), NUMBER, "caller", "-d", "20", host=self.peer.host
            )
        ).check()


def _udp(host: str) -> socket.socket:
    made = socket.socket(type=socket.SOCK_DGRAM)
    made.bind((host, 0))
    made.setblocking(False)
    return made


@dataclass
class Stage:
    """What the tests of this module share: a server with a route, and a target that answers."""

    server: Server
    known: str
    unknown: str
    directory: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    directory, known = tmp_path_factory.mktemp("bad-input"), own_address()
    answering = sipp(directory, "answer", calls=500, limit_s=900)  # all tests of the module, however slow
    async with answering as target, flawless_server(directory) as server:
        await simple_route(server.api, caller_host=known, target=f"sip:buyer@{target.address}")
        yield Stage(server, known, own_address(), directory)


@pytest_asyncio.fixture(loop_scope="module")
async def scene(stage: Stage) -> AsyncIterator[Scene]:
    """Fresh sockets: what the server still repeats to an earlier test's is not heard here."""
    with _udp(stage.known) as one, _udp(stage.unknown) as other:
        server = stage.server
        peers = Peer(server, stage.known, one), Peer(server, stage.unknown, other)
        yield Scene(server, *peers, stage.directory)


BROKEN: dict[str, tuple[Callable[[Peer], bytes], int]] = {
    "no empty line": (lambda p: p.request().replace(b"\r\n\r\n", b""), 400),
    "no CSeq": (lambda p: b"\r\n".join(x for x in p.request().split(b"\r\n") if b"CSeq" not in x), 400),
    "another SIP version": (lambda p: p.request().replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n", 1), 505),
    "CSeq of another method": (lambda p: p.request().replace(b"1 OPTIONS", b"1 INVITE"), 400),
    "Content-Length beyond the end": (
        lambda p: p.request().replace(b"Content-Length: 0", b"Content-Length: 99"),
        400,
    ),
    "negative Content-Length": (
        lambda p: p.request().replace(b"Content-Length: 0", b"Content-Length: -9"),
        400,
    ),
    "5,000 headers": (lambda p: p.request("OPTIONS", NUMBER, *(f"X-{i}: 1" for i in range(5000))), 400),
    "a header of 9,000 characters": (lambda p: p.request("OPTIONS", NUMBER, "X-Long: " + "a" * 9000), 513),
    "an unknown scheme": (lambda p: p.request().replace(b"OPTIONS sip:", b"OPTIONS foo:", 1), 416),
    "a needed extension": (lambda p: p.request("INVITE", NUMBER, "Require: warp-drive"), 420),
    "no hops left": (lambda p: p.request("INVITE").replace(b"Max-Forwards: 70", b"Max-Forwards: 0"), 483),
    "a body that is no SDP": (
        lambda p: p.request("INVITE", NUMBER, "Content-Type: text/plain", body="hello"),
        415,
    ),
    "a multipart without a boundary": (
        lambda p: p.request("INVITE", NUMBER, "Content-Type: multipart/mixed", body="hello"),
        400,
    ),
    "an unknown dialog": (
        lambda p: p.request("BYE").replace(f"@{p.server.address()}>\r\nCall".encode(), b"@x>;tag=t\r\nCall"),
        481,
    ),
    "an unknown number": (lambda p: p.request("INVITE", "+18005550199"), 404),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_request_gets_the_status_that_the_rfc_names(scene: Scene, case: str) -> None:
    make, status = BROKEN[case]
    answer = await scene.peer.ask(make(scene.peer))
    assert answer.split(b" ")[1] == str(status).encode(), answer.decode(errors="replace")
    await scene.still_takes_calls()


SILENT: dict[str, Callable[[Peer], bytes]] = {
    "noise": lambda p: bytes(range(256)) * 4,
    "zeros": lambda p: bytes(500),
    "half a start line": lambda p: b"INVITE sip:",
    "no Via": lambda p: b"\r\n".join(x for x in p.request().split(b"\r\n") if not x.startswith(b"Via")),
    "a broken top Via": lambda p: p.request().replace(b"SIP/2.0/UDP ", b"\xff\xfe", 1),
    "a response to nothing": lambda p: p.request().replace(p.request().split(b"\r\n")[0], b"SIP/2.0 200 OK"),
    "a stray ACK": lambda p: p.request("ACK"),
    "a keep-alive": lambda p: b"\r\n\r\n",
}


@pytest.mark.parametrize("case", SILENT)
async def test_what_can_not_be_answered_meets_silence(scene: Scene, case: str) -> None:
    await scene.peer.silence(SILENT[case](scene.peer))
    await scene.still_takes_calls()


async def test_a_bad_message_is_counted_and_has_one_line_in_the_log(tmp_path: Path) -> None:
    host = own_address()
    async with running_server(tmp_path) as server:
        await server.api.post("trunks", {"name": "carrier", "addresses": [f"{host}/32"]})
        with _udp(host) as udp:
            peer = Peer(server, host, udp)
            await peer.ask(BROKEN["no CSeq"][0](peer))
        assert await server.api.metric('edge_sip_events_total{event="parse_error_400"}') == 1

        def lines() -> list[dict[str, object]]:
            return [line for line in server.log() if line.get("remote") == host]

        [line] = await eventually(lines)
        assert "CSeq" in line["why"]


async def test_a_stranger_meets_silence_and_is_listed_with_a_remedy(scene: Scene) -> None:
    for _ in range(2):
        scene.stranger.udp.sendto(scene.stranger.request("INVITE"), scene.server.sip["udp"])

    async def listed() -> list[object]:
        items = (await scene.server.api.get("sip/refused"))["items"]
        return [one for one in items if scene.stranger.host in one["source"]]

    [refused] = await eventually(listed)
    assert refused["remedy"]
    source = scene.stranger.host
    lines = await eventually(lambda: [line for line in scene.server.log() if line.get("source") == source])
    assert [line["event"] for line in lines] == ["sip_refused"], "one line, however often it asks"
    await scene.still_takes_calls()
    with pytest.raises(BlockingIOError):
        scene.stranger.udp.recv(65535)


async def test_garbage_from_many_ports_delays_nobody(scene: Scene) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(2000):
        await loop.sock_sendto(scene.stranger.udp, b"\x00\xff" * 300, scene.server.sip["udp"])
    answer = await scene.peer.ask(scene.peer.request("OPTIONS", NUMBER))
    assert answer.startswith(b"SIP/2.0 200")
    await scene.still_takes_calls()


STREAMS = {
    "two lengths": (b"Content-Length: 0\r\nContent-Length: 9", 400),
    "a negative length": (b"Content-Length: -1", 400),
    "no length": (b"X-None: 1", 400),
    "a length of ten megabytes": (b"Content-Length: 10000000", 513),
    "5,000 headers": (b"".join(b"X-%d: 1\r\n" % i for i in range(5000)) + b"Content-Length: 0", 400),
}


@pytest.mark.parametrize("case", STREAMS)
async def test_a_stream_that_lies_is_answered_and_closed(scene: Scene, case: str) -> None:
    replacement, status = STREAMS[case]
    data = scene.peer.request().replace(b"Content-Length: 0", replacement).replace(b"/UDP", b"/TCP")
    host, port = scene.server.sip["tcp"]
    reader, writer = await asyncio.open_connection(host, port, local_addr=(scene.peer.host, 0))
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 30)  # until it is closed
    writer.close()
    assert answer.split(b" ")[1] == str(status).encode(), answer
    await scene.still_takes_calls()


async def test_the_whole_corpus_leaves_everything_as_it_was(scene: Scene) -> None:
    host, port = scene.server.sip["tcp"]
    for data in (*RIGHT.values(), *RESPONSES.values(), *(wrong.data for wrong in WRONG)):
        scene.peer.udp.sendto(data, scene.server.sip["udp"])
        reader, writer = await asyncio.open_connection(host, port, local_addr=(scene.peer.host, 0))
        writer.write(data)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 15)  # until the server closes it too
        writer.close()
    assert not [line for line in scene.server.log() if line.get("level") in ("error", "critical")]
    await scene.still_takes_calls()


async def test_a_stream_that_stops_in_the_middle_is_let_go(scene: Scene) -> None:
    host, port = scene.server.sip["tcp"]
    for cut in (1, 40, 200):
        _, writer = await asyncio.open_connection(host, port, local_addr=(scene.peer.host, 0))
        writer.write(scene.peer.request().replace(b"/UDP", b"/TCP")[:cut])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    await scene.still_takes_calls()


async def test_nothing_leaks(scene: Scene) -> None:
    descriptors = Path(f"/proc/{scene.server.pid}/fd")
    await scene.still_takes_calls()
    before = len(list(descriptors.iterdir()))
    host, port = scene.server.sip["tcp"]
    for make, _ in BROKEN.values():
        await scene.peer.ask(make(scene.peer))
        _, writer = await asyncio.open_connection(host, port, local_addr=(scene.peer.host, 0))
        writer.write(make(scene.peer))
        writer.close()
    await eventually(lambda: len(list(descriptors.iterdir())) <= before + 1)


async def test_a_wav_that_is_not_one_is_refused_with_a_reason(scene: Scene) -> None:
    with pytest.raises(ApiError) as refused:
        await scene.server.api.upload_prompt("greeting", b"RIFF\x00\x00\x00\x00WAVEnot really")
    assert refused.value.status == 422
    assert refused.value.problem["errors"]
    await scene.still_takes_calls()


def _serve(directory: Path, **overrides: str) -> subprocess.CompletedProcess[str]:
    environment = settings(directory, "127.0.0.1", overrides)
    return subprocess.run(
        [EDGE, "serve"],
        env=environment,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


async def test_a_misspelt_variable_is_named_with_its_remedy(tmp_path: Path) -> None:
    done = _serve(tmp_path, EDGE_SIP__LISTN='["udp://127.0.0.1:0"]')
    assert done.returncode == 2
    assert "EDGE_SIP__LISTN" in done.stderr
    assert "listen" in done.stderr.lower()


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with _udp("127.0.0.1") as taken:
        port = taken.getsockname()[1]
        done = _serve(tmp_path, EDGE_SIP__LISTEN=f'["udp://127.0.0.1:{port}"]')
    assert done.returncode in (1, 2)
    assert str(port) in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


async def test_a_data_dir_that_can_not_be_made_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _serve(tmp_path, EDGE_DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode in (1, 2)
    assert "data_dir" in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_port_beyond_all_ports_is_named(tmp_path: Path) -> None:
    done = _serve(tmp_path, EDGE_SIP__LISTEN='["udp://127.0.0.1:99999"]')
    assert done.returncode == 2
    assert "99999 is no port" in done.stderr
