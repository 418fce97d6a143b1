"""Caps as callers meet them: whole calls through the running server, placed and taken by SIPp."""

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, Line, World, midday, outcomes
from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.scenario import (
    ack_refusal,
    answer,
    arrives,
    called,
    cancel,
    expect,
    invite,
    provisional,
    reply,
    sdp,
)
from tests.support.server import Server, eventually, running_server
from tests.support.sipp import sipp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    # Two hundred rounds at a thousand calls a second want more ports than a few calls do.
    more = {"EDGE_CALLS__MAX_CPS": "100000", "EDGE_MEDIA__PORTS": "20480-36863"}
    async with running_server(tmp_path_factory.mktemp("caps"), **more) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(server: Server, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(server, tmp_path, stack)


def reasons(record: Json) -> list[str]:
    return [candidate["reason"] for candidate in record["decision"]["candidates"]]


async def above(world: World, line: Line, path: str, **fields: Any) -> Json:
    """A group with the line's targets in its route, or their buyer."""
    api = world.server.api
    if path == "buyers":
        made: Json = await api.post(path, {"name": "above", **fields})
        for target in line.targets:
            await api.patch(f"targets/{target['id']}", {"buyer_id": made["id"]})
        return made
    members = [{"target_id": t["id"], "priority": place} for place, t in enumerate(line.targets)]
    made = await api.post(path, {"name": "above", "members": members, **fields})
    routes = {"targets": [{"group_id": made["id"]}]}
    await api.patch(f"campaigns/{line.number['campaign_id']}", {"routes": routes})
    return made


@pytest.mark.parametrize("path", ["target-groups", "buyers"])
async def test_a_call_counts_on_the_group_and_the_buyer_of_its_target(world: World, path: str) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(own_address(), target.address)
    await world.server.api.patch(f"targets/{line.targets[0]['id']}", {"max_calls": 0})
    daily = [{"window": "day", "limit": 1}]
    made = await above(world, line, path, timezone=midday(), caps=daily)
    (await line.call(*CALLS)).check()
    [record] = await line.records(1)
    assert outcomes(record) == ["answered"]
    assert record["buyer_id"] == (made["id"] if path == "buyers" else None)
    [cap] = (await world.server.api.get("caps", owner=made["id"]))["items"]
    assert (cap["used"], cap["reserved"], cap["headroom"]) == (1, 0, 0)
    assert (await line.call(*CALLS)).calls_failed == 1
    _, second = await line.records(2)
    assert second["disposition"] == "no_target_all_capped"
    assert reasons(second) == ["capped", "capped"]


async def test_k4_a_call_that_rings_out_gives_its_slot_back(world: World) -> None:
    rings = (called(), answer(180), arrives("CANCEL"), reply(), answer(487), arrives("ACK"))
    first, second = await world.target(*rings), await world.target(*TAKES_THE_CALL)
    line = await world.line(first.address, campaign={"target": {"ring_timeout_s": 1}})
    where = f"targets/{line.targets[0]['id']}"
    await world.server.api.patch(where, {"caps": [{"window": "lifetime", "limit": 1}]})
    (await line.call(invite(sdp()), provisional(), expect(480), ack_refusal())).check()
    await line.records(1)  # with which the slot is given back
    await world.server.api.patch(where, {"address": f"sip:sales@{second.address}"})
    (await line.call(*CALLS)).check()
    [cap] = (await world.server.api.get("caps", owner=line.targets[0]["id"]))["items"]
    assert (cap["used"], cap["reserved"]) == (1, 0)
    [entry] = (await world.server.api.get(f"caps/{cap['id']}/ledger"))["items"]
    assert (entry["state"], entry["call_id"]) == ("used", (await line.records(2))[1]["id"])


async def test_a_campaigns_cap_holds_for_all_its_numbers_until_it_is_reset(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL, calls=2)
    total = [{"window": "lifetime", "limit": 1, "on_cap": {"action": "reject"}}]
    line = await world.line(target.address, campaign={"caps": total})
    (await line.call(*CALLS)).check()
    (await line.call(invite(sdp()), expect(100, optional=True), expect(486), ack_refusal())).check()
    [cap] = (await world.server.api.get("caps", owner=line.number["campaign_id"]))["items"]
    assert (await world.server.api.post(f"caps/{cap['id']}/reset", {}))["used"] == 0
    (await line.call(*CALLS)).check()


async def test_a_limit_that_is_taken_away_and_set_again_finds_the_calls_in_between(world: World) -> None:
    target, api = await world.target(*TAKES_THE_CALL), world.server.api
    total: Json = {"window": "lifetime", "limit": None, "on_cap": {"action": "reject"}}
    line = await world.line(target.address, campaign={"caps": [total]})
    (await line.call(*CALLS)).check()
    where = f"campaigns/{line.number['campaign_id']}"
    await api.patch(where, {"caps": [{**total, "limit": 1}]})
    (await line.call(invite(sdp()), expect(100, optional=True), expect(486), ack_refusal())).check()
    [cap] = (await api.get("caps", owner=line.number["campaign_id"]))["items"]
    assert (cap["used"], cap["headroom"]) == (1, 0)


async def test_a_publishers_cap_holds_for_all_its_numbers(world: World) -> None:
    target, api = await world.target(*TAKES_THE_CALL), world.server.api
    daily = [{"window": "day", "limit": 1, "on_cap": {"action": "reject"}}]
    owner = await api.post("publishers", {"name": "P", "timezone": midday(), "caps": daily})
    first = await world.line(target.address, publisher_id=owner["id"])
    second = await world.line("127.0.0.1:9", publisher_id=owner["id"])
    (await first.call(*CALLS)).check()
    (await second.call(invite(sdp()), expect(100, optional=True), expect(486), ack_refusal())).check()
    assert (await second.record())["disposition"] == "number_cap"
    [cap] = (await api.get("caps", owner=owner["id"]))["items"]
    assert (cap["used"], cap["headroom"]) == (1, 0)
    assert [entry["state"] for entry in (await api.get(f"caps/{cap['id']}/ledger"))["items"]] == ["used"]


async def test_k8_a_caller_who_gives_up_while_it_rings_frees_the_slot_at_once(world: World) -> None:
    rings = (called(), answer(180), arrives("CANCEL"), reply(), answer(487), arrives("ACK"))
    first = await world.target(*rings)
    line = await world.line(first.address, campaign={"target": {"max_calls": 1}})
    gives_up = (expect(100, optional=True), expect(180), cancel(), expect(200), expect(487), ack_refusal())
    (await line.call(invite(sdp()), *gives_up)).check()

    async def free() -> bool:
        [cap] = (await world.server.api.get("caps", owner=line.targets[0]["id"]))["items"]
        return bool((cap["used"], cap["reserved"], cap["headroom"]) == (0, 0, 1))

    await eventually(free)


RACERS = 50
ROUNDS = int(os.environ.get("RACE_ROUNDS", "10"))


@pytest.mark.parametrize("owner", ["target", "number"])
async def test_fifty_callers_race_for_one_slot(world: World, owner: str) -> None:
    """One is connected, 49 get the overflow of the target or the ``on_cap`` of the number; every time."""
    target = await world.target(*TAKES_THE_CALL, calls=ROUNDS)
    line = await world.line(target.address)
    path, owner_id = (
        ("targets", line.targets[0]["id"]) if owner == "target" else ("numbers", line.number["id"])
    )
    slot = {"window": "lifetime", "limit": 1, "on_cap": {"action": "reject"}}
    [cap] = (await world.server.api.patch(f"{path}/{owner_id}", {"caps": [slot]}))["caps"]
    at_once = ("-s", line.e164, "-r", "5000", "-l", str(RACERS))
    refused = "no_target_all_capped" if owner == "target" else "number_cap"
    for _ in range(ROUNDS):
        since, address = datetime.now(UTC).isoformat(), world.server.address()
        async with sipp(world.directory, "race", address, *at_once, host=line.host, calls=RACERS) as callers:
            (await callers.result()).check(RACERS)
        ended = Counter(record["disposition"] for record in await everything(line, since, refused))
        assert ended["connected"] == 1
        # A server that is overrun turns callers away before it routes them.
        assert set(ended) <= {"connected", refused, "rejected_overload"}
        held = (await world.server.api.get(f"caps/{cap['id']}/ledger"))["items"]
        assert [entry["state"] for entry in held if entry["state"] in ("reserved", "used")] == ["used"]
        await world.server.api.post(f"caps/{cap['id']}/reset", {})


async def everything(line: Line, since: str, refused: str) -> list[Json]:
    """The records of one round, once its calls are over and those of both kinds are written."""
    api, query = line.server.api, {"number_id": line.number["id"], "since": since, "limit": 500}

    seen: dict[str, object] = {}

    async def look() -> list[Json] | None:
        found: list[Json] = (await api.get("calls", **query))["items"]
        live = (await api.get("calls/live"))["items"]
        ended = Counter(record["disposition"] for record in found)
        seen.update(ended=ended, live=live)
        return found if {"connected", refused} <= ended.keys() and not live else None

    try:
        found: list[Json] = await eventually(look)
    except TimeoutError:
        raise TimeoutError(f"the round did not end as it should: {seen}") from None
    return found


async def test_a_call_goes_where_its_tags_fit(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(own_address(), target.address, tags={"channel": "tv", "zip": "60601"})
    radio, rest = line.targets
    filters = [{"key": "channel", "op": "==", "value": "radio"}]
    await world.server.api.patch(f"targets/{radio['id']}", {"filters": filters})
    local = [{"key": "zip", "op": "regex", "value": "^606"}, {"key": "channel", "op": "in", "values": ["tv"]}]
    await world.server.api.patch(f"targets/{rest['id']}", {"filters": local})
    (await line.call(*CALLS)).check()
    [record] = await line.records(1)
    assert reasons(record) == ["tag_mismatch", "answered"]
