"""Kamailio in the path: the proxy in front of us, or the carrier that we register with and dial through."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.api import Api, Json
from tests.support.kamailio import PASSWORD, Kamailio, between, from_host, kamailio
from tests.support.ports import free_port, own_address
from tests.support.scenario import (
    ack,
    answer,
    arrives,
    bye,
    called,
    expect,
    invite,
    provisional,
    reinvite,
    reply,
    sdp,
    target_request,
    written,
)
from tests.support.server import Server, eventually, finished, running_server
from tests.support.sipp import Sipp, call, sipp

NUMBER, BUYER = "+18005550100", "+12025550123"

CONNECTS = (invite(sdp()), provisional(), expect(200), ack())
HOLDS = (
    reinvite(sdp("sendonly", 2), 2),
    expect(100, optional=True),
    expect(200, having="a=recvonly"),
    ack(cseq=2),
)
HANGS_UP, HEARS_BYE = (bye(3),), (arrives("BYE"), reply())
ANSWERS = (
    called(),
    *(said.replace("Via:[$via]", "[last_Via:]") for said in (answer(180), answer(200, sdp()))),  # all of them
    arrives("ACK"),
)
IS_HELD = (arrives("INVITE", having="a=sendonly"), reply(200, sdp("recvonly", 2)), arrives("ACK"))
TARGET_HANGS_UP = (target_request("BYE", 7), expect(200))

ENDINGS = {
    "the caller hangs up": ((*HOLDS, *HANGS_UP), (*IS_HELD, *HEARS_BYE)),
    "the target hangs up": ((*HOLDS, *HEARS_BYE), (*IS_HELD, *TARGET_HANGS_UP)),
}
"""What the caller and the target do after the answer."""


@dataclass
class Site:
    """A server that sees the world through one proxy, and a buyer behind it."""

    server: Server
    proxy: Kamailio
    caller: str
    buyer: Sipp
    directory: Path

    async def call(self, *steps: str, user: str = NUMBER) -> None:
        """One call to the proxy for ``user``, with the number in To."""
        text = "".join(steps).replace("To: <sip:[service]@", f"To: <sip:{NUMBER}@")
        scenario = written(self.directory, "caller", text)
        (await call(self.directory, self.proxy.address, user, scenario, host=self.caller, limit_s=30)).check()

    async def record(self) -> Json:
        """The only call, finished."""
        return (await finished(self.server.api))[0]

    async def peers(self, record: Json) -> set[str]:
        """Whom our messages of a call came from and went to."""
        trace = (await self.server.api.get(f"calls/{record['id']}/trace"))["items"]
        return {line["peer"] for line in trace}


@asynccontextmanager
async def site(
    directory: Path, *buyer: str, in_front: bool, forces_rport: bool = True
) -> AsyncIterator[Site]:
    """The proxy sends the caller's calls to the server, and the server's calls to a buyer.

    It is a proxy of ours, behind which callers have trunks (``in_front``), or it is the carrier itself.
    """
    host, caller = own_address(), own_address()
    address = f"{host}:{free_port(host)}"
    account = {"registrar": f"sip:{address}", "username": "edge", "password": PASSWORD}
    carrier = {"addresses": [host], "register": account, "called_number_from": "to"}
    trusted = {"EDGE_SIP__TRUSTED_PROXIES": json.dumps([host])} if in_front else {}
    async with AsyncExitStack() as stack:
        phone = await stack.enter_async_context(sipp(directory, written(directory, "buyer", *buyer)))
        server = await stack.enter_async_context(running_server(directory, **trusted))
        route = between if in_front else from_host
        ours = server.address() if in_front else server.sip["udp"][0]
        proxying = kamailio(directory, address, route(ours, phone.address), forces_rport=forces_rport)
        proxy = await stack.enter_async_context(proxying)
        await _set_up(server.api, {"addresses": [caller]} if in_front else carrier, f"sip:{address}")
        yield Site(server, proxy, caller, phone, directory)


async def _set_up(api: Api, carrier: Json, proxy: str) -> None:
    trunk = await api.post("trunks", {"name": "carrier", "proxy": proxy, **carrier})
    target = await api.post("targets", {"name": "buyer", "address": BUYER, "trunk_ids": [trunk["id"]]})
    routes = {"targets": [{"target_id": target["id"]}]}
    campaign = await api.post("campaigns", {"name": "campaign", "routes": routes})
    await api.post("numbers", {"e164": NUMBER, "campaign_id": campaign["id"]})


@pytest.mark.parametrize("ending", ENDINGS)
async def test_calls_through_a_proxy_in_front_stay_with_it(tmp_path: Path, ending: str) -> None:
    after, buyer_after = ENDINGS[ending]
    async with site(tmp_path, *ANSWERS, *buyer_after, in_front=True) as here:
        await here.call(*CONNECTS, *after)
        (await here.buyer.result()).check()
        record = await here.record()
        assert record["disposition"] == "connected"
        assert await here.peers(record) == {f"udp:{here.proxy.address}"}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_calls_of_a_carrier_that_we_register_with(tmp_path: Path, ending: str) -> None:
    after, buyer_after = ENDINGS[ending]
    async with site(tmp_path, *ANSWERS, *buyer_after, in_front=False) as here:

        async def registered() -> bool:
            (trunk,) = (await here.server.api.get("trunks"))["items"]
            return bool((trunk["registration"] or {}).get("state") == "registered")

        await eventually(registered, 30)
        await here.call(*CONNECTS, *after, user="edge")
        (await here.buyer.result()).check()
        record = await here.record()
        assert (record["disposition"], record["called"]) == ("connected", NUMBER)
        assert await here.peers(record) == {f"udp:{here.proxy.address}"}


FORGED = """INVITE sip:{number}@{proxy} SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKforged{count}{more}
Max-Forwards: 70
From: <sip:+12125550100@{host}>;tag=1
To: <sip:{number}@{proxy}>
Call-ID: forged-{count}
CSeq: 1 INVITE
Contact: <sip:x@{host}:{port}>
Content-Length: 0

"""
CLAIMS = (";received={caller}", ";received={caller};rport", ";rport;received={caller}")
DROPPED = 'edge_sip_events_total{event="dropped_stranger"}'


async def test_nobody_behind_the_proxy_can_pass_for_a_trunk(tmp_path: Path) -> None:
    async with site(tmp_path, *ANSWERS, in_front=True, forces_rport=False) as here:
        with socket.socket(type=socket.SOCK_DGRAM) as stranger:
            stranger.bind((own_address(), 0))
            host, port = stranger.getsockname()
            who = {"number": NUMBER, "proxy": here.proxy.address, "host": host, "port": port}
            for count, claim in enumerate(CLAIMS):
                text = FORGED.format(**who, count=count, more=claim.format(caller=here.caller))
                stranger.sendto(text.replace("\n", "\r\n").encode(), (here.proxy.host, here.proxy.port))

            async def dropped() -> bool:
                return await here.server.api.metric(DROPPED) >= len(CLAIMS)

            await eventually(dropped)
        refused = (await here.server.api.get("sip/refused"))["items"]
        assert {one["source"] for one in refused} == {host}
        assert (await here.server.api.get("calls"))["items"] == []
