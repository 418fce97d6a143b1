"""Calls between our server and pyVoIP, an independent phone, with tones that are heard."""

from pathlib import Path

from tests.support.ports import own_address
from tests.support.pyvoip import pyvoip
from tests.support.server import eventually, running_server, simple_route

NUMBER = "+18005550100"


async def test_pyvoip_calls_pyvoip_through_the_server(tmp_path: Path) -> None:
    carrier, buyer = own_address(), own_address()
    async with running_server(tmp_path, EDGE_SIP__DOMAINS=f'["{carrier}"]') as server:
        edge = server.sip["udp"]
        callee = pyvoip(edge, buyer, dial=None, sends_hz=440, hears_hz=600)
        async with callee as target:
            host, port = target.registrar
            await simple_route(server.api, caller_host=carrier, target=f"sip:phone@{host}:{port}")
            async with pyvoip(edge, carrier, dial=NUMBER, sends_hz=600, hears_hz=440) as caller:
                await caller.event("answered")
                assert (await caller.event("over"))["heard_s"] >= 0.8
                assert (await target.event("over"))["heard_s"] >= 0.8

        async def finished() -> object:
            items = (await server.api.get("calls"))["items"]
            return items and items[0].get("ended_at") and items[0]

        record = await eventually(finished)
        assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
