"""baresip, a phone of other makers, through the running server, with sound that is heard at the other end."""

import json
from pathlib import Path

from tests.support.api import Api, Json
from tests.support.baresip import baresip
from tests.support.certificates import Authority
from tests.support.ports import own_address
from tests.support.server import eventually, finished, running_server
from tests.support.tones import heard, tone
from tests.support.wav import wav_bytes

NUMBER = "+18005550100"
CALLER_TONE, BUYER_TONE, PROMPT_TONE = 440, 700, 1000
ENOUGH_S = 1.0


async def route(api: Api, target: str, hours: Json | None = None, **prompts: str) -> None:
    """A trunk for the whole loopback network, since phones choose their own address there."""
    await api.post("trunks", {"name": "phones", "addresses": ["127.0.0.0/8"]})
    made = await api.post("targets", {"name": "buyer", "address": target})
    routes = {"targets": [{"target_id": made["id"]}]}
    campaign = await api.post(
        "campaigns", {"name": "c", "routes": routes, "prompts": prompts, "hours": hours}
    )
    await api.post("numbers", {"e164": NUMBER, "campaign_id": campaign["id"]})


async def test_baresip_calls_baresip_and_each_hears_the_other(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server, baresip(tmp_path, "buyer", tone(BUYER_TONE, 60)) as buyer:
        await route(server.api, f"sip:buyer@{buyer.address}")
        dial = f"sip:{NUMBER}@{server.address()}"
        async with baresip(tmp_path, "caller", tone(CALLER_TONE, 60), dial=dial) as caller:
            await eventually(lambda: heard(caller.heard(), BUYER_TONE) >= ENOUGH_S, 40)
            await eventually(lambda: heard(buyer.heard(), CALLER_TONE) >= ENOUGH_S, 40)
            await caller.hang_up()
        record = (await finished(server.api, limit_s=60))[0]
        assert heard(caller.heard(), CALLER_TONE) < ENOUGH_S, "the caller hears itself"
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller"), caller.log()
    assert all(leg["packets_in"] > 50 for leg in record["media"].values())


async def test_the_caller_hears_the_greeting_first_and_the_buyer_never_does(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server, baresip(tmp_path, "buyer", tone(BUYER_TONE, 60)) as buyer:
        # It is looked for in the middle: there is time for that on a slow machine, too.
        greeting = await server.api.upload_prompt("greeting", wav_bytes(tone(PROMPT_TONE, 4)))
        await route(server.api, f"sip:buyer@{buyer.address}", greeting_prompt_id=greeting["id"])
        dial = f"sip:{NUMBER}@{server.address()}"
        async with baresip(tmp_path, "caller", tone(CALLER_TONE, 60), dial=dial) as caller:
            await eventually(lambda: heard(caller.heard(), PROMPT_TONE) >= ENOUGH_S, 40)
            assert len(buyer.heard()) == 0, "the buyer was called before the greeting was over"
            await eventually(lambda: heard(caller.heard(), BUYER_TONE) >= ENOUGH_S, 40)
            await eventually(lambda: heard(buyer.heard(), CALLER_TONE) >= ENOUGH_S, 40)
            await caller.hang_up()
        record = (await finished(server.api, limit_s=60))[0]
    assert record["disposition"] == "connected"
    assert heard(buyer.heard(), PROMPT_TONE) == 0


async def test_after_hours_the_caller_hears_the_prompt_that_was_uploaded(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        closed = await server.api.upload_prompt("closed", wav_bytes(tone(PROMPT_TONE, 2)))
        after = {"action": "message", "prompt_id": closed["id"]}
        hours = {"timezone": "America/New_York", "weekly": {}, "after_hours": after}
        await route(server.api, f"sip:nobody@{own_address()}", hours=hours)
        dial = f"sip:{NUMBER}@{server.address()}"
        async with baresip(tmp_path, "caller", tone(CALLER_TONE, 60), dial=dial) as caller:
            record = (await finished(server.api, limit_s=60))[0]
            await eventually(lambda: heard(caller.heard(), PROMPT_TONE) >= ENOUGH_S)
    assert (record["disposition"], record["hung_up_by"]) == ("after_hours_message", "server")


async def test_a_call_over_tls_on_both_sides(tmp_path: Path) -> None:
    authority, host = Authority(tmp_path), own_address()
    ours = authority.certificate("edge", f"IP:{host}")
    tls = {
        "EDGE_SIP__LISTEN": json.dumps([f"udp://{host}:0", f"tls://{host}:0"]),
        "EDGE_SIP__TLS_CERTIFICATE": str(ours.certificate),
        "EDGE_SIP__TLS_PRIVATE_KEY": str(ours.private_key),
        "EDGE_SIP__TLS_TRUST": str(authority.file),
    }
    phone = baresip(tmp_path, "buyer", tone(BUYER_TONE, 60), authority=authority)
    async with running_server(tmp_path, **tls) as server, phone as buyer:
        await route(server.api, f"sip:buyer@{buyer.host}:{buyer.port + 1};transport=tls")
        dial = f"sip:{NUMBER}@{server.address('tls')};transport=tls"
        said = tone(CALLER_TONE, 60)
        async with baresip(tmp_path, "caller", said, dial=dial, authority=authority) as caller:
            await eventually(lambda: heard(caller.heard(), BUYER_TONE) >= ENOUGH_S, 40)
            await eventually(lambda: heard(buyer.heard(), CALLER_TONE) >= ENOUGH_S, 40)
            await caller.hang_up()
        record = (await finished(server.api, limit_s=60))[0]
        trace = (await server.api.get(f"calls/{record['id']}/trace"))["items"]
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller"), caller.log()
    assert {line["peer"].partition(":")[0] for line in trace} == {"tls"}
