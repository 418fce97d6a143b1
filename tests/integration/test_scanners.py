"""What the internet sends all day: sipvicious finds nothing and is banned, garbage disturbs nobody."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.ports import own_address
from tests.support.scenario import expect, options, written
from tests.support.server import Server, eventually, running_server, simple_route
from tests.support.sipp import call, sipp

NUMBER = "+18005550100"
SCAN = b"""OPTIONS sip:100@HERE SIP/2.0\r
Via: SIP/2.0/UDP HERE;branch=z9hG4bK1;rport\r
From: <sip:100@HERE>;tag=1\r
To: <sip:100@HERE>\r
Call-ID: 1\r
CSeq: 1 OPTIONS\r
User-Agent: friendly-scanner\r
Content-Length: 0\r
\r
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Site:
    """A server that takes calls from ``carrier``."""

    server: Server
    carrier: str
    directory: Path

    async def scan(self, tool: str, *arguments: str) -> tuple[str, str]:
        """Runs a tool of sipvicious from an address of its own; answers that and what it printed."""
        host, port = self.server.sip["udp"]
        source = own_address()
        scanner = await asyncio.create_subprocess_exec(
            *(tool, "-b", source, "-x", source, "-p", str(port), *arguments, host),
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(scanner.communicate(), 60)
        return source, output.decode()

    async def banned(self) -> str:
        """An address that has just been banned, for one message of a scanner."""
        source = own_address()
        with socket.socket(type=socket.SOCK_DGRAM) as scanner:
            scanner.bind((source, 0))
            scanner.sendto(SCAN.replace(b"HERE", source.encode()), self.server.sip["udp"])
            await eventually(lambda: self.banned_for(source))
            scanner.sendto(SCAN.replace(b"HERE", source.encode()), self.server.sip["udp"])
        return source

    async def banned_for(self, source: str) -> str:
        """Why a source is banned; nothing if it is not."""
        return (await self.bans()).get(source, "")

    async def bans(self) -> dict[str, str]:
        """Why each banned source is."""
        return {ban["source"]: ban["reason"] for ban in (await self.server.api.get("sip/bans"))["items"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["by address", "by login"])
async def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    """Once as strangers meet silence, once as they meet a challenge."""
    directory, carrier = tmp_path_factory.mktemp("scanners"), own_address()
    async with sipp(directory, "answer", calls=50) as target, running_server(directory) as server:
        await simple_route(server.api, caller_host=carrier, target=f"sip:buyer@{target.address}")
        if request.param == "by login":
            await server.api.post("trunks", {"name": "phone", "username": "100", "password": "secret"})
        yield Site(server, carrier, directory)


async def test_svmap_finds_no_device(site: Site) -> None:
    source, output = await site.scan("svmap")
    assert "| SIP Device" not in output and "Edge" not in output
    assert await eventually(lambda: site.banned_for(source)) == "scanner"


async def test_svwar_and_svcrack_find_neither_extension_nor_password(site: Site) -> None:
    (site.directory / "words").write_text("guess\nsecret\n")
    found = await asyncio.gather(
        site.scan("svwar", "-e", "98-102", "--maximumtime", "1", "--force"),
        site.scan("svwar", "-m", "INVITE", "-e", "18005550099-18005550101", "--maximumtime", "1", "--force"),
        site.scan("svcrack", "-u", "100", "-d", "words", "--maximumtime", "1"),
    )
    for _, output in found:
        assert "| 1" not in output and "auth" not in output.replace("authentication", "")
    await eventually(lambda: site.banned_for("127.0.0.1"))  # they bind to no address


async def test_a_banned_source_is_heard_again_once_it_is_a_trunk(site: Site) -> None:
    source = await site.banned()
    asks = written(site.directory, "asks", options(), expect(200))
    await site.server.api.post("trunks", {"name": source, "addresses": [source]})
    assert source not in await site.bans()
    (await call(site.directory, site.server.address(), NUMBER, asks, host=source, limit_s=10)).check()


async def test_a_ban_survives_a_restart_but_not_that_its_source_is_never_to_be_banned(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        sources = [await Site(server, "", tmp_path).banned() for _ in range(2)]
        assert await server.stop() == 0
    async with running_server(tmp_path, EDGE_SIP__NEVER_BAN=json.dumps(sources[:1])) as server:
        site = Site(server, "", tmp_path)
        assert await site.bans() == {sources[1]: "scanner"}
        with socket.socket(type=socket.SOCK_DGRAM) as scanner:
            scanner.bind((sources[1], 0))
            scanner.sendto(SCAN.replace(b"HERE", sources[1].encode()), server.sip["udp"])
        dropped = 'edge_sip_events_total{event="dropped_banned"}'
        await eventually(lambda: _is_counted(server, dropped))
        await server.api.delete(f"sip/bans?source={sources[1]}")
        server.kill()  # that it was lifted is written at once
    async with running_server(tmp_path) as server:
        assert await Site(server, "", tmp_path).bans() == {}


async def _is_counted(server: Server, event: str) -> bool:
    return event in await server.api.get("/metrics")


async def test_ten_thousand_datagrams_of_garbage_disturb_nobody(site: Site) -> None:
    """The carrier asks, and calls, while a stranger sends as many a second."""
    asks = written(site.directory, "asks", options(), expect(200))
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        source = own_address()
        stranger.bind((source, 0))
        stranger.setblocking(False)

        address, served = site.server.address(), asyncio.Event()

        async def flood() -> None:
            for n in itertools.count():
                await asyncio.get_running_loop().sock_sendto(
                    stranger, b"\x00garbage\xff" * 60, site.server.sip["udp"]
                )
                if n % 20 == 0:
                    await asyncio.sleep(0.002)
                if n >= 10_000 and served.is_set():
                    break

        async def calls() -> bool:
            """False: one waited too long on a machine that stood still, flood or not, and was turned away."""
            known = {"host": site.carrier, "calls": 3}
            return (await call(site.directory, address, NUMBER, "caller", "-d", "20", **known)).calls_ok == 3

        flooding = asyncio.create_task(flood())
        asked = await call(site.directory, address, NUMBER, asks, "-r", "50", host=site.carrier, calls=50)
        asked.check(50)
        await eventually(calls)
        served.set()
        await flooding
        assert await eventually(lambda: site.banned_for(source)) in ("flood", "bad messages")
        with pytest.raises(BlockingIOError):
            stranger.recv(65535)


async def test_a_ban_is_lifted_over_the_api_and_bans_are_on_the_metrics_page(site: Site) -> None:
    source = await site.banned()
    assert await site.server.api.metric("edge_sip_bans") >= 1
    assert "dropped_banned" in await site.server.api.get("/metrics")
    await site.server.api.delete(f"sip/bans?source={source}")
    assert source not in await site.bans()
