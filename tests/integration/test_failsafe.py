"""What breaks within harms no call more than it must: the whole server in this process, to be broken."""

import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge.calls import call as calls
from edge.calls import hunt, ringing
from edge.parts import ground
from edge.store.database import connect
from edge.store.writer import Writer
from tests.support.api import Api, Json
from tests.support.inside import Inside, inside
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.server import eventually, simple_route

NUMBER = "+18005550100"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path) as started:
        yield started


def breaks_once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> None:
    """The first use of something is a mistake of ours; later ones work."""
    whole = getattr(where, name)

    def broken(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(where, name, whole)
        raise RuntimeError("a mistake")

    monkeypatch.setattr(where, name, broken)


async def ended(api: Api) -> dict[str, Any]:
    async def look() -> Any:
        calls = (await api.get("calls", number=NUMBER))["items"]
        return next((call for call in calls if call.get("ended_at")), None)

    found: dict[str, Any] = await eventually(look)
    return found


async def with_failsafe(
    api: Api, caller: RawPhone, spare: RawPhone, target: str = "sip:sales@127.0.0.1:9"
) -> tuple[Json, Json]:
    """A line to a target, whose campaign has another one for what breaks; answers both targets."""
    made = await simple_route(api, caller_host=caller.host, target=target)
    last = await api.post("targets", {"name": "spare", "address": f"sip:x@{spare.address}"})
    failsafe = {"action": "forward", "target_id": last["id"]}
    await api.patch(f"campaigns/{made['campaign']['id']}", {"failsafe": failsafe})
    return made["target"], last


async def talk(call: Outgoing, spare: RawPhone, arrived: Said) -> None:
    """The failsafe's target takes the call."""
    await spare.answer(arrived, 200, spare.sdp())
    await call.hear("200")
    await call.request("ACK")


async def recorded(api: Api, call: Outgoing) -> Json:
    """The record of a call that its caller ends."""
    await call.request("BYE")
    await call.hear("200", method="BYE")
    return await ended(api)


async def test_a_call_whose_routing_broke_goes_to_the_campaign_s_failsafe(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, address = server.api, server.sip
    with RawPhone(address) as caller, RawPhone(address) as spare:
        _, last = await with_failsafe(api, caller, spare)
        breaks_once(monkeypatch, hunt, "choose")
        call = await caller.invite(NUMBER, caller.sdp())
        await talk(call, spare, await spare.hear("INVITE"))
        record = await recorded(api, call)
    assert (record["disposition"], record["target_id"]) == ("connected", last["id"])
    assert ("failsafe", "forward") in [(s["step"], s["result"]) for s in record["decision"]["steps"]]


async def test_a_target_that_had_answered_as_the_call_broke_is_hung_up_on_at_once(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failsafe's target talks with the caller meanwhile: nobody listens to the first one any more, and it
    may have another call."""
    breaks_once(monkeypatch, calls, "Bridge")
    api, address = server.api, server.sip
    with RawPhone(address) as caller, RawPhone(address) as buyer, RawPhone(address) as spare:
        first, last = await with_failsafe(api, caller, spare, f"sip:sales@{buyer.address}")
        await one_call(api, first)
        call = await caller.invite(NUMBER, caller.sdp())
        await buyer.answer(await buyer.hear("INVITE"), 200, buyer.sdp())
        arrived = await spare.hear("INVITE")
        await buyer.answer(await buyer.hear("BYE"), 200)
        await talk(call, spare, arrived)
        assert await slots(api, first) == [(0, 0), (0, 0)]
        record = await recorded(api, call)
    assert (record["disposition"], record["target_id"]) == ("connected", last["id"])


async def test_a_target_whose_dial_broke_has_its_slots_back_and_is_in_the_record(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks_once(monkeypatch, ringing, "invitation")
    api, address = server.api, server.sip
    with RawPhone(address) as caller, RawPhone(address) as spare:
        first, last = await with_failsafe(api, caller, spare)
        await one_call(api, first)
        await one_call(api, last)
        call = await caller.invite(NUMBER, caller.sdp())
        await talk(call, spare, await spare.hear("INVITE"))
        assert await slots(api, first) == [(0, 0), (0, 0)]
        assert await slots(api, last) == [(1, 0), (0, 1)]
        record = await recorded(api, call)
    tried = [(attempt["target_id"], attempt["outcome"]) for attempt in record["attempts"]]
    assert tried == [(first["id"], "unreachable"), (last["id"], "answered")]


async def one_call(api: Api, target: Json) -> None:
    """All that the target ever takes, and at once."""
    caps = [{"window": "lifetime", "limit": 1}, {"window": "concurrency", "limit": 1}]
    await api.patch(f"targets/{target['id']}", {"caps": caps})


async def slots(api: Api, target: Json) -> list[tuple[int, int]]:
    """What is used and reserved of the target's caps, once nothing is on its way to the disk any more."""
    caps = (await api.get("caps", owner=target["id"]))["items"]
    return [(cap["used"], cap["reserved"]) for cap in caps]


async def test_without_a_failsafe_it_is_refused_with_500_and_says_so(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, address = server.api, server.sip
    with RawPhone(address) as caller:
        await simple_route(api, caller_host=caller.host, target="sip:sales@127.0.0.1:9")
        breaks_once(monkeypatch, hunt, "choose")
        call = await caller.invite(NUMBER, caller.sdp())
        await call.refused("500")
        assert (await ended(api))["disposition"] == "error_internal"


async def test_a_read_only_store_refuses_new_calls_and_keeps_the_live_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []

    def opens(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[0]

    monkeypatch.setattr(ground, "Writer", partial(Writer, open_database=opens))
    async with inside(tmp_path) as server:
        with RawPhone(server.sip) as caller, RawPhone(server.sip) as buyer:
            await simple_route(server.api, caller_host=caller.host, target=f"sip:sales@{buyer.address}")
            live = await caller.invite(NUMBER, caller.sdp())
            await buyer.answer(await buyer.hear("INVITE"), 200, buyer.sdp())
            await live.hear("200")
            await live.request("ACK")
            finds_out = await caller.invite(NUMBER, caller.sdp())
            rings = await buyer.hear("INVITE")
            # SQLite answers each write as it does on a file system that was mounted read-only.
            opened[0].execute("PRAGMA query_only = 1")
            await buyer.answer(rings, 486)
            await finds_out.refused("486")
            why = await eventually(lambda: readiness(server.api, 503))
            assert "attempt to write a readonly database" in why
            refused = await (await caller.invite(NUMBER, caller.sdp())).refused("503")
            assert 5 <= int(refused.get("Retry-After")) <= 30
            await live.request("BYE")
            await buyer.answer(await buyer.hear("BYE"), 200)
            await live.hear("200", method="BYE")
            opened[0].execute("PRAGMA query_only = 0")

            await eventually(lambda: readiness(server.api, 200))

            async def written() -> bool:
                found = (await server.api.get("calls", number=NUMBER))["items"]
                return sorted(call["disposition"] for call in found) == ["busy", "connected"]

            await eventually(written)


async def readiness(api: Api, status: int) -> str:
    """What ``/readyz`` says if it has this status, else nothing."""
    async with api.http.get(f"{api.base}/readyz") as answer:
        return await answer.text() if answer.status == status else ""


async def test_a_full_server_tells_the_carrier_to_come_back(tmp_path: Path) -> None:
    async with inside(tmp_path, EDGE_CALLS__MAX_LIVE="1") as server:
        with RawPhone(server.sip) as caller, RawPhone(server.sip) as buyer:
            await simple_route(server.api, caller_host=caller.host, target=f"sip:sales@{buyer.address}")
            first = await caller.invite(NUMBER, caller.sdp())
            rings = await buyer.hear("INVITE")
            refused = await (await caller.invite(NUMBER, caller.sdp())).refused("503")
            assert 5 <= int(refused.get("Retry-After")) <= 30
            await buyer.answer(rings, 486)
            await first.refused("486")
