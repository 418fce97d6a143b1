"""Phones that log in: SIPp, which knows MD5 alone and looks at the first challenge only."""

import asyncio
import itertools
from pathlib import Path

import pytest

from edge.sip.digest import ClientDigest
from edge.sip.events import Credentials
from edge.sip.message import Headers, Response
from tests.support.ports import own_address
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.scenario import ack, ack_refusal, bye, expect, logs_in, provisional, sdp, written
from tests.support.server import eventually, running_server, simple_route
from tests.support.sipp import call, sipp

NUMBER = "+18005550100"


async def _log_in(
    directory: Path, algorithms: str, *rest: str, password: str = "right", transport: str = "udp"
) -> str:
    """A call over a trunk with credentials alone; answers all that SIPp saw."""
    scenario = written(directory, "log-in", logs_in(sdp(), "phone", password), *rest)
    async with (
        sipp(directory, "answer") as target,
        running_server(directory, EDGE_SIP__DIGEST_ALGORITHMS=algorithms) as server,
    ):
        await simple_route(server.api, caller_host=own_address(), target=f"sip:b@{target.address}")
        await server.api.post("trunks", {"name": "phones", "username": "phone", "password": "right"})
        at = server.address(transport)
        result = await call(directory, at, NUMBER, scenario, transport=transport, limit_s=15)
        result.check()
        return result.messages


CONNECTS = (provisional(), expect(200), ack(cseq=2), bye(cseq=3))


@pytest.mark.parametrize(("algorithms", "transport"), [("MD5", "tcp"), ("MD5,SHA-256", "udp")])
async def test_a_phone_of_md5_logs_in_when_md5_is_offered_first(
    tmp_path: Path, algorithms: str, transport: str
) -> None:
    messages = await _log_in(tmp_path, algorithms, *CONNECTS, transport=transport)
    assert messages.count("algorithm=SHA-256") == ("SHA-256" in algorithms)


async def test_a_phone_calls_though_somebody_asked_as_a_scanner_in_its_name(tmp_path: Path) -> None:
    phone = own_address()
    scenario = written(tmp_path, "log-in", logs_in(sdp(), "phone", "right"), *CONNECTS)
    md5 = {"EDGE_SIP__DIGEST_ALGORITHMS": "MD5"}
    async with sipp(tmp_path, "answer") as target, running_server(tmp_path, **md5) as server:
        await simple_route(server.api, caller_host=own_address(), target=f"sip:b@{target.address}")
        await server.api.post("trunks", {"name": "phones", "username": "phone", "password": "right"})
        with RawPhone(server.sip["udp"], phone) as forger:
            await Outgoing(forger, NUMBER, "x").request("OPTIONS", "", "User-Agent: friendly-scanner")

            async def banned() -> bool:
                return bool((await server.api.get("sip/bans"))["items"])

            await eventually(banned)
        (await call(tmp_path, server.address(), NUMBER, scenario, host=phone, limit_s=15)).check()
        await server.stop()
    async with running_server(tmp_path) as server:
        assert (await server.api.get("sip/bans"))["items"] == []
        for _ in range(2):
            with RawPhone(server.sip["udp"], phone) as forger:
                await Outgoing(forger, NUMBER, "x").request("OPTIONS", "", "User-Agent: friendly-scanner")
                await Outgoing(forger, NUMBER, "y").request("OPTIONS")
                await forger.hear("SIP/2.0 401")
        assert (await server.api.get("sip/bans"))["items"] == [], "it logged in before the restart"


async def test_a_phone_calls_whatever_flood_is_sent_in_its_name(tmp_path: Path) -> None:
    """Its first request comes again, as one over UDP does; no forged one does."""
    phone = own_address()
    scenario = written(tmp_path, "log-in", logs_in(sdp(), "phone", "right"), *CONNECTS)
    md5 = {"EDGE_SIP__DIGEST_ALGORITHMS": "MD5"}
    async with sipp(tmp_path, "answer") as target, running_server(tmp_path, **md5) as server:
        await simple_route(server.api, caller_host=own_address(), target=f"sip:b@{target.address}")
        await server.api.post("trunks", {"name": "phones", "username": "phone", "password": "right"})

        async def flood() -> None:
            with RawPhone(server.sip["udp"], phone) as forger:
                for n in itertools.count():
                    await Outgoing(forger, NUMBER, f"forged-{n}").request("INVITE", forger.sdp())
                    if n % 20 == 0:
                        await asyncio.sleep(0.01)

        flooding = asyncio.create_task(flood())
        dropped = 'edge_sip_events_total{event="dropped_banned"}'

        async def is_dropped() -> bool:
            return bool(await server.api.metric(dropped) >= 1000)

        await eventually(is_dropped)
        (await call(tmp_path, server.address(), NUMBER, scenario, host=phone, limit_s=30)).check()
        flooding.cancel()


def answered(asked: Said, call: Outgoing) -> list[str]:
    """The header that answers a challenge."""
    login = ClientDigest(Credentials("phone", "right"), lambda: "abc")
    lines = [("WWW-Authenticate", value) for value in asked.all("WWW-Authenticate")]
    assert login.accept(Response(401, "", Headers(lines)))
    uri = "sip:{}@{}:{}".format(call.number, *call.phone.server)
    return [f"{name}: {value}" for name, value in login.headers("INVITE", uri)]


async def test_a_phone_that_moves_within_a_call_logs_in_and_nobody_else_takes_the_call_along(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path) as server:
        at = server.sip["udp"]
        with RawPhone(at) as phone, RawPhone(at) as moved, RawPhone(at) as thief, RawPhone(at) as pbx:
            await simple_route(server.api, caller_host=own_address(), target=f"sip:b@{pbx.address}")
            await server.api.post("trunks", {"name": "phones", "username": "phone", "password": "right"})
            call = Outgoing(phone, NUMBER, "moving")
            await call.request("INVITE", phone.sdp())
            asked = await call.refused("401")
            call.remote_tag = ""
            await call.request("INVITE", phone.sdp(), *answered(asked, call))
            there = await pbx.hear("INVITE")
            await pbx.answer(there, 200, pbx.sdp())
            await call.hear("200")
            await call.request("ACK")
            for elsewhere in (thief, moved):
                elsewhere.tag = phone.tag
                again = Outgoing(elsewhere, NUMBER, "moving", call.cseq, remote_tag=call.remote_tag)
                await again.request("INVITE", elsewhere.sdp())
                asked = await again.refused("401")
            await again.request("INVITE", moved.sdp(), *answered(asked, again))
            await again.hear("200")
            await again.request("ACK")
            await pbx.say(there, "BYE", 2)
            await moved.answer(await moved.hear("BYE"), 200)
            assert not [said.start for each in (phone, thief) for said in each.log if "BYE" in said.start]


async def test_wrong_credentials_are_challenged_again_and_no_call(tmp_path: Path) -> None:
    await _log_in(tmp_path, "MD5", expect(401), ack_refusal(cseq=2), password="wrong")
