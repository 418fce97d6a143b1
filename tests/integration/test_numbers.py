"""What becomes of a number, and of whom it belongs to, as callers notice it."""

import pytest

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World, server, world
from tests.support.scenario import ack_refusal, expect, invite, provisional, sdp

__all__ = ["server", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_call_keeps_the_publisher_of_its_arrival(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    api = world.server.api
    first, second = [await api.post("publishers", {"name": name}) for name in ("First", "Second")]
    line = await world.line(target.address, publisher_id=first["id"], sub_id="a1", tags={"channel": "tv"})
    (await line.call(*CALLS)).check()
    record = await line.record()
    await api.patch(f"numbers/{line.number['id']}", {"publisher_id": second["id"], "sub_id": "b2"})
    assert (record["publisher_id"], record["sub_id"]) == (first["id"], "a1")
    assert record["tags"]["channel"]["value"] == "tv"
    found = await api.get("calls", publisher_id=first["id"], sub_id="a1")
    assert [call["id"] for call in found["items"]] == [record["id"]]
    assert (await api.get("calls", publisher_id=second["id"]))["items"] == []


async def test_a_paused_publisher_s_numbers_refuse(world: World) -> None:
    publisher = await world.server.api.post("publishers", {"name": "P", "state": "paused"})
    line = await world.line("127.0.0.1:9", publisher_id=publisher["id"])
    (await line.call(invite(sdp()), provisional(), expect(480), ack_refusal())).check()
    record = await line.record()
    assert (record["disposition"], record["disposition_detail"]) == ("rejected_paused", "publisher paused")
    assert record["publisher_id"] == publisher["id"]


async def test_a_number_s_own_routes_hold_until_they_are_locked_again(world: World) -> None:
    common, own = await world.target(*TAKES_THE_CALL), await world.target(*TAKES_THE_CALL)
    line, api = await world.line(common.address), world.server.api
    target = await api.post("targets", {"name": "own", "address": f"sip:sales@{own.address}"})
    path = f"numbers/{line.number['id']}/settings/routes"
    await api.put(path, {"targets": [{"target_id": target["id"]}]})
    (await line.call(*CALLS)).check()
    (await own.result()).check()
    await api.post(f"{path}/lock", {})
    (await line.call(*CALLS)).check()
    (await common.result()).check()
    assert [call["target_id"] for call in await line.records(2)] == [target["id"], line.targets[0]["id"]]


async def test_a_released_number_refuses_and_counts_who_still_dials_it(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line, api = await world.line(target.address, tags={"channel": "tv"}), world.server.api
    path = f"numbers/{line.number['id']}"
    await api.delete(path)
    (await line.call(invite(sdp()), provisional(), expect(410), ack_refusal())).check()
    assert (await line.record())["disposition"] == "rejected_released"
    billed = (await api.get("numbers/to-cancel"))["items"]
    assert [(n["id"], n["calls"]) for n in billed] == [(line.number["id"], 1)]
    dialled = (await api.get("numbers/still-dialled"))["items"]
    assert (line.number["id"], "cooling", 1) in [(n["id"], n["state"], n["calls"]) for n in dialled]
    await api.post(f"{path}/restore", {})
    (await line.call(*CALLS)).check()
    assert [call["disposition"] for call in await line.records(2)] == ["rejected_released", "connected"]


async def test_a_blocked_caller_is_declined_and_recorded(world: World) -> None:
    line, api = await world.line("127.0.0.1:9"), world.server.api
    await api.post("blocks", {"pattern": "+1212555*", "campaign_id": line.number["campaign_id"]})
    (await line.call(invite(sdp()), provisional(), expect(603), ack_refusal())).check()
    assert (await line.record())["disposition"] == "rejected_blocked"
