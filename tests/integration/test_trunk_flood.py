"""A trunk that sends far more than it may: calls get 503, most of them unread; other messages are dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from edge.sip.connection import StreamLimits
from edge.sip.streams import TOO_MANY
from tests.integration.test_identity import Scene
from tests.support.raw_phone import Outgoing, RawPhone
from tests.support.server import eventually, running_server


@asynccontextmanager
async def limited(directory: Path, max_cps: int | None = 1, **env: str) -> AsyncIterator[tuple[Scene, str]]:
    """A trunk that may send so many calls a second, and a number for it to dial."""
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx:
        async with running_server(directory, **env) as server:
            carrier.server = pbx.server = server.sip["udp"]
            scene = Scene(server, carrier, pbx)
            await scene.trunk(max_cps=max_cps)
            yield scene, await scene.number()


async def refused(scene: Scene) -> list[str]:
    return [each["reason"] for each in (await scene.server.api.get("sip/refused"))["items"]]


async def test_a_flood_of_calls_is_turned_away_with_retry_after_1(tmp_path: Path) -> None:
    async with limited(tmp_path) as (scene, number):
        for _ in range(20):
            await scene.carrier.invite(number, scene.carrier.sdp())

        async def turned_away() -> bool:
            return bool(await scene.server.api.metric('edge_sip_events_total{event="turned_away"}') >= 10)

        await eventually(turned_away)
        answer = await scene.carrier.hear("SIP/2.0 503")
        assert answer.get("Retry-After") == "1"
        assert await refused(scene) == [f"max_cps 1 of trunk {scene.carrier.host}"]


def invite(number: str, host: str, call: int) -> bytes:
    """An INVITE for a stream, with a body."""
    lines = [
        f"INVITE sip:{number}@{host} SIP/2.0", f"Via: SIP/2.0/TCP {host};branch=z9hG4bK{call}",
        f"From: <sip:+12125550100@{host}>;tag=1", f"To: <sip:{number}@{host}>", f"Call-ID: {call}@{host}",
        "CSeq: 1 INVITE", f"Contact: <sip:a@{host};transport=tcp>", "Max-Forwards: 70",
        "Content-Type: application/sdp", "Content-Length: 5", "", "v=0\r\n",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


async def test_over_tcp_too_and_over_all_connections_of_the_trunk(tmp_path: Path) -> None:
    async with limited(tmp_path) as (scene, number):
        to, host = scene.server.sip["tcp"], scene.carrier.host
        pairs = [await asyncio.open_connection(*to, local_addr=(host, 0)) for _ in range(2)]
        for n, (_, writer) in enumerate(pairs):
            writer.write(b"".join(invite(number, host, 100 * n + call) for call in range(20)))
        for reader, _ in pairs:  # the last ones of both
            async with asyncio.timeout(30):
                while b"Retry-After: 1\r\n" not in await reader.readuntil(b"\r\n\r\n"):
                    pass

        async def turned_away() -> bool:
            return bool(await scene.server.api.metric('edge_sip_events_total{event="turned_away"}') >= 30)

        await eventually(turned_away)
        assert await refused(scene) == [f"max_cps 1 of trunk {host}"]
        for _, writer in pairs:
            writer.transport.abort()


async def test_connections_that_are_too_many_are_listed(tmp_path: Path) -> None:
    """They were closed, and the calls in them lost, without a word to anybody who does not read logs."""
    async with limited(tmp_path) as (scene, _):
        to, host = scene.server.sip["tcp"], scene.carrier.host
        most = StreamLimits().per_address
        pairs = [await asyncio.open_connection(*to, local_addr=(host, 0)) for _ in range(most + 1)]

        async def listed() -> bool:
            return await refused(scene) == [TOO_MANY]

        await eventually(listed)
        for _, writer in pairs:
            writer.transport.abort()


async def test_a_flood_of_anything_else_is_dropped_and_listed(tmp_path: Path) -> None:
    async with limited(tmp_path) as (scene, number):
        call = await scene.carrier.invite(number, scene.carrier.sdp())
        await scene.pbx.hear("INVITE")
        dropped = 'edge_sip_events_total{event="dropped_known_flood"}'

        async def flooded() -> bool:
            for _ in range(1200):
                await call.request("INFO")
            return "dropped_known_flood" in await scene.server.api.get("/metrics")

        await eventually(flooded)
        assert await scene.server.api.metric(dropped) >= 1
        assert "more than 500 messages per second of trunk " + scene.carrier.host in await refused(scene)
        assert (await scene.server.api.get("sip/bans"))["items"] == []

        (trunk,) = (await scene.server.api.get("trunks"))["items"]
        await scene.server.api.patch(f"trunks/{trunk['id']}", {"max_cps": None})
        read = 'edge_sip_events_total{event="received_info"}'
        before = await scene.server.api.metric(read)

        async def read_again() -> bool:
            for _ in range(20):  # what is left of the flood may use up the new rate once more
                await call.request("INFO")
            return bool(await scene.server.api.metric(read) >= before + 200)

        await eventually(read_again)


async def test_a_flood_in_a_trunk_s_name_leaves_its_calls_alone(tmp_path: Path) -> None:
    """Whoever forges its address does not know the tags of its calls."""
    async with limited(tmp_path) as (scene, number):
        call = await scene.carrier.invite(number, scene.carrier.sdp())
        await scene.pbx.answer(await scene.pbx.hear("INVITE"), 200, scene.pbx.sdp())
        await call.hear("200")
        await call.request("ACK")
        dropped, over = 'edge_sip_events_total{event="dropped_known_flood"}', asyncio.Event()

        async def flood() -> None:
            with RawPhone(scene.carrier.server, scene.carrier.host) as forger:
                forged = Outgoing(forger, number, "forged@nowhere", remote_tag="0123456789abcdef")
                while not over.is_set():
                    for _ in range(100):
                        await forged.request("INFO")
                    await asyncio.sleep(0.01)

        flooding = asyncio.create_task(flood())

        async def is_dropped() -> bool:
            return bool(await scene.server.api.metric(dropped))

        await eventually(is_dropped)
        before = await scene.server.api.metric(dropped)
        for _ in range(10):
            await answered(call, "INFO")
        await answered(call, "BYE")

        async def goes_on() -> bool:
            return bool(await scene.server.api.metric(dropped) > before)

        await eventually(goes_on)
        over.set()
        await flooding


async def answered(call: Outgoing, method: str) -> None:
    """A request of the call, as often as the system loses it before the server can read it."""
    async with asyncio.timeout(30):
        while True:
            await call.request(method)
            with suppress(TimeoutError):
                await call.hear("200", method=method, limit_s=3)
                return


async def test_a_trunk_without_a_rate_may_send_what_the_server_is_set_to_take(tmp_path: Path) -> None:
    async with limited(tmp_path, None, EDGE_SIP__MAX_MESSAGES_PER_SECOND="50") as (scene, number):
        call = await scene.carrier.invite(number, scene.carrier.sdp())
        await scene.pbx.hear("INVITE")

        async def listed() -> bool:
            for _ in range(200):
                await call.request("INFO")
            return bool(await refused(scene))

        await eventually(listed)
        (line,) = (await scene.server.api.get("sip/refused"))["items"]
        assert line["reason"] == f"more than 50 messages per second of trunk {scene.carrier.host}"
        assert line["remedy"].startswith("raise sip.max_messages_per_second")
