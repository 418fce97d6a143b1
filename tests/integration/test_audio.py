"""Calls that are heard: phones of our own send tones through the server and say what arrived."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from edge.demo.handset import Event, Handset
from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.server import Server, eventually, running_server
from tests.support.tones import tone
from tests.support.wav import wav_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER, BUYER, PROMPT = 500, 700, 1000
"""Hz: what each of them sounds like."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    directory: Path = tmp_path_factory.mktemp("audio")
    async with running_server(directory) as started:
        yield started


@dataclass
class Talk:
    """What both phones told of one call, and its record."""

    caller: list[Event]
    caller_heard: Event
    buyer_heard: Event
    record: Json


@asynccontextmanager
async def buyer_phone(*options: str) -> AsyncIterator[Handset]:
    tones = ("--tone", str(BUYER), "--listen-for", str(CALLER))
    async with Handset.started("answer", "--host", own_address(), *tones, *options) as phone:
        yield phone


async def route(server: Server, host: str, number: str, buyer: Handset, greeting: bytes | None) -> None:
    """A trunk, a target and a campaign of their own for ``number``."""
    api = server.api
    await api.post("trunks", {"name": f"carrier {host}", "addresses": [f"{host}/32"]})
    target = await api.post("targets", {"name": "buyer", "address": f"sip:buyer@{buyer.address}"})
    campaign: Json = {"name": number, "routes": {"targets": [{"target_id": target["id"]}]}}
    if greeting is not None:
        prompt = await api.upload_prompt(f"greeting of {number}", greeting)
        campaign["prompts"] = {"greeting_prompt_id": prompt["id"]}
    made = await api.post("campaigns", campaign)
    await api.post("numbers", {"e164": number, "campaign_id": made["id"]})


async def talk(
    server: Server, number: str, buyer: Handset, *options: str, greeting: bytes | None = None
) -> Talk:
    """One call from a caller's phone, which hangs up after a second of the buyer's tone."""
    host = own_address()
    await route(server, host, number, buyer, greeting)
    to = f"sip:{number}@{server.address()}"
    tones = ("--tone", str(CALLER), "--listen-for", str(BUYER), "--listen-for", str(PROMPT))
    limits = ("--enough-s", "1", "--at-most-s", "30")
    async with Handset.started("call", "--host", host, "--to", to, *tones, *limits, *options) as caller:
        heard = await caller.until("heard", 60)
        assert any(told["event"] == "answered" for told in caller.told), caller.told
        buyer_heard = await buyer.until("heard", 30)
        record = await eventually(lambda: finished(server, number))
    return Talk(caller.told, heard, buyer_heard, record)


async def finished(server: Server, number: str) -> Json | None:
    calls = (await server.api.get("calls", number=number))["items"]
    return next((call for call in calls if call.get("ended_at")), None)


@pytest.mark.parametrize(("codec", "number"), [("PCMU", "+18005550301"), ("PCMA", "+18005550302")])
async def test_both_sides_hear_each_other(server: Server, codec: str, number: str) -> None:
    async with buyer_phone() as buyer:
        call = await talk(server, number, buyer, "--codecs", codec)
    assert call.caller_heard["tones"][str(BUYER)] >= 1
    assert call.buyer_heard["tones"][str(CALLER)] >= 0.3
    assert call.caller_heard["other_s"] + call.buyer_heard["other_s"] <= 0.4
    assert call.record["disposition"] == "connected"


@pytest.mark.parametrize(("codec", "number"), [("PCMU", "+18005550303"), ("PCMA", "+18005550304")])
async def test_the_greeting_then_ringback_then_the_buyer(server: Server, codec: str, number: str) -> None:
    greeting = wav_bytes(tone(PROMPT, 1, rate=44_100), rate=44_100)
    async with buyer_phone("--ring-s", "0.8") as buyer:
        call = await talk(server, number, buyer, "--codecs", codec, greeting=greeting)
    heard = call.caller_heard
    assert 0.8 <= heard["tones"][str(PROMPT)] <= 1.1
    assert heard["tones"]["ringback"] >= 0.2
    assert heard["tones"][str(BUYER)] >= 1
    assert heard["other_s"] <= 0.5
    assert call.buyer_heard["tones"][str(CALLER)] >= 0.3


async def test_a_buyer_of_another_codec_moves_the_caller_to_it(server: Server) -> None:
    greeting = wav_bytes(tone(PROMPT, 0.4))
    async with buyer_phone("--codecs", "PCMA") as buyer:
        call = await talk(server, "+18005550305", buyer, "--codecs", "PCMU,PCMA", greeting=greeting)
    assert "offered_again" in [told["event"] for told in call.caller]
    assert call.caller_heard["tones"][str(BUYER)] >= 1
    assert call.buyer_heard["tones"][str(CALLER)] >= 0.25


async def test_key_presses_cross_both_ways_by_each_sides_own_number(server: Server) -> None:
    async with buyer_phone("--press", "*0D", "--key-payload", "110") as buyer:
        call = await talk(server, "+18005550306", buyer, "--press", "12#", "--enough-s", "2")
        assert keys(buyer.told) == "12#"
    assert keys(call.caller) == "*0D"


def keys(told: list[Event]) -> str:
    return "".join(event["digit"] for event in told if event["event"] == "key")
