"""The two listeners: what each serves, and what a hostile client can not do to them."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web

from edge.admin import listener as module
from edge.admin.app import Applications
from edge.admin.listener import Listener
from tests.admin.client import Client
from tests.admin.conftest import ADMIN, ANYWHERE
from tests.support.tones import tone
from tests.support.wav import wav_bytes


@pytest.fixture
async def public(applications: Applications) -> AsyncIterator[Client]:
    async with Listener(applications.public, ANYWHERE) as listener, Client(listener.url, ADMIN) as client:
        yield client


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/api/docs", "/api/v1/openapi.json", "trunks", "/"])
async def test_the_public_listener_knows_nothing_of_the_admin(public: Client, path: str) -> None:
    answer = await public.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/problem+json")


async def test_the_public_listener_is_alive(public: Client) -> None:
    assert (await public.get("/healthz")).json == {"status": "alive"}


async def test_a_client_that_brings_no_request_is_closed(
    applications: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.05)
    async with Listener(applications.admin, ANYWHERE) as listener:
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_client_that_asked_in_time_is_kept(
    applications: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.5)
    async with Listener(applications.admin, ANYWHERE) as listener, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"}")
            await _time_is_up(listener)
        writer.close()


async def _time_is_up(listener: Listener) -> None:
    """Until a connection that begins now is closed for its silence: older ones have outlived that then."""
    reader, writer = await asyncio.open_connection(*listener.addresses[0])
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("length", [0, 4])
async def test_a_whole_request_may_be_worked_on_for_longer(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.1)
    application = web.Application()

    async def works(request: web.Request) -> web.Response:
        await request.read()
        await _time_is_up(listener)
        return web.Response(text="done")

    application.router.add_post("/", works)
    async with Listener(application, ANYWHERE) as listener:
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (length, b"x" * length))
        async with asyncio.timeout(30):
            assert b"done" in await reader.readuntil(b"done")
        writer.close()


@pytest.mark.parametrize(("token", "status"), [(ADMIN, b"201"), ("wrong", b"401")])
async def test_a_prompt_may_come_over_a_slow_line(
    applications: Applications, monkeypatch: pytest.MonkeyPatch, token: str, status: bytes
) -> None:
    """Minutes of the first request of a connection; nobody without a token gets them."""
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.1)
    form = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nslow\r\n--b\r\n'
    form += b'Content-Disposition: form-data; name="file"; filename="p.wav"\r\n'
    form += b"Content-Type: audio/wav\r\n\r\n" + wav_bytes(tone(440, 0.2)) + b"\r\n--b--\r\n"
    head = f"POST /api/v1/prompts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(form)}\r\n\r\n"
    async with Listener(applications.admin, ANYWHERE) as listener, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(head.encode() + form[:500])
        await writer.drain()
        await _time_is_up(listener)
        with suppress(ConnectionError):
            writer.write(form[500:])
            await writer.drain()
        assert (await reader.readuntil(b"\r\n")).split()[1] == status
        writer.close()


async def test_a_body_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_REQUEST_S", 0.05)
    application = web.Application()

    async def reads(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text="done")

    application.router.add_post("/", reads)
    async with Listener(application, ANYWHERE) as listener:
        reader, writer = await asyncio.open_connection(*listener.addresses[0])
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_connections_are_bounded_and_one_that_works_is_not_ended() -> None:
    application, working, done = web.Application(), asyncio.Event(), asyncio.Event()

    async def work(_request: web.Request) -> web.Response:
        working.set()
        await done.wait()
        return web.Response(text="done")

    application.router.add_get("/healthz", work)
    async with Listener(application, ANYWHERE, most=1) as listener:
        first_reader, first = await asyncio.open_connection(*listener.addresses[0])
        first.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(30):
            await working.wait()
            reader, second = await asyncio.open_connection(*listener.addresses[0])
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            done.set()
            assert b"200 OK" in await first_reader.readuntil(b"done")
        first.close()
        second.close()


async def test_a_connection_that_idles_makes_room(
    applications: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.0)
    async with Listener(applications.admin, ANYWHERE, most=2) as listener, asyncio.timeout(30):
        kept = []
        for _ in range(6):
            reader, writer = await asyncio.open_connection(*listener.addresses[0])
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"}"), "nobody is turned away"
            kept.append((reader, writer))
        assert await kept[0][0].read() == b"", "the first was used the longest ago"
        for _, writer in kept:
            writer.close()


async def _served(listener: Listener) -> bool:
    reader, writer = await asyncio.open_connection(*listener.addresses[0])
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return b"200 OK" in await reader.readuntil(b"}")
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()


def _handlers() -> int:
    return sum(isinstance(one, web.RequestHandler) for one in gc.get_objects())


@pytest.mark.parametrize("line", [b"", b"Connection: close\r\n"], ids=["client closes", "server closes"])
async def test_nothing_is_kept_of_connections_that_are_over(applications: Applications, line: bytes) -> None:
    async with Listener(applications.admin, ANYWHERE) as listener, asyncio.timeout(30):
        before = _handlers()
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*listener.addresses[0])
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n")
            assert b"200 OK" in await reader.readuntil(b"}")
            writer.close()
        while _handlers() > before:
            await asyncio.sleep(0.01)
            gc.collect()


async def test_a_used_port_is_told(applications: Applications) -> None:
    async with Listener(applications.admin, ANYWHERE) as listener:
        host, port = listener.addresses[0]
        with pytest.raises(OSError, match="in use"):
            async with Listener(applications.public, module.Address(host, port)):
                pass


async def test_silent_connections_lock_nobody_out(applications: Applications) -> None:
    async with Listener(applications.admin, ANYWHERE, most=3) as listener:
        silent = [await asyncio.open_connection(*listener.addresses[0]) for _ in range(3)]
        async with asyncio.timeout(30):
            while not await _served(listener):
                pass
            assert await silent[0][0].read() == b""
        for _, writer in silent:
            writer.close()


async def test_what_is_known_of_silent_connections_is_bounded(applications: Applications) -> None:
    async with Listener(applications.admin, ANYWHERE, most=3) as listener, asyncio.timeout(30):
        for _ in range(50):
            _, writer = await asyncio.open_connection(*listener.addresses[0])
            writer.transport.abort()
            assert len(listener._unheard) <= 6
        while not await _served(listener):
            pass


async def _held(listener: Listener, later: bytes) -> asyncio.StreamWriter:
    """A connection that has had an answer, and then says this and no more, nor reads any further."""
    reader, writer = await asyncio.open_connection(*listener.addresses[0], limit=1)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    while b"}" not in await reader.read(1):
        pass
    writer.write(later)
    return writer


@pytest.mark.parametrize(
    "later",
    [
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
        b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["a body that does not come", "an answer that is not read"],
)
async def test_who_had_an_answer_keeps_nobody_out_by_another_request(
    later: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YOUNG_S", 0.0)
    monkeypatch.setattr(module, "UNREAD_S", 0.0)
    monkeypatch.setattr(module, "ANSWER_S", 0.0)
    application, begun = web.Application(), 0

    async def health(request: web.Request) -> web.Response:
        nonlocal begun
        begun += request.method == "POST"
        await request.read()
        return web.Response(text="{}")

    async def much(_request: web.Request) -> web.Response:
        nonlocal begun
        begun += 1
        return web.Response(body=bytes(64 << 20))

    application.router.add_route("*", "/healthz", health)
    application.router.add_get("/much", much)
    async with Listener(application, ANYWHERE, most=3) as listener, asyncio.timeout(60):
        held = [await _held(listener, later) for _ in range(3)]
        while begun < 3:
            await asyncio.sleep(0.01)
        assert await _served(listener) and await _served(listener)
        for writer in held:
            writer.transport.abort()


async def test_who_never_reads_its_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STUCK_S", 1)
    application = web.Application()

    async def much(_request: web.Request) -> web.Response:
        return web.Response(body=bytes(64 << 20))

    application.router.add_get("/much", much)
    async with Listener(application, ANYWHERE) as listener, asyncio.timeout(60):
        _, writer = await asyncio.open_connection(*listener.addresses[0], limit=1)
        writer.write(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n")
        while not listener.connections:
            await asyncio.sleep(0.01)
        while listener.connections:
            await asyncio.sleep(0.01)
        writer.transport.abort()
