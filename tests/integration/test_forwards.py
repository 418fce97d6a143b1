"""Forwards and keys in real calls: on to numbers, campaigns and groups (rules: Actions, Menus)."""

import pytest

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World, outcomes, server, world
from tests.integration.test_menus import LEAVES, MENU, SALES, menu
from tests.support.api import ApiError
from tests.support.scenario import ack_refusal, answer, arrives, called, expect, invite, provisional, sdp
from tests.support.server import Server
from tests.support.stage import stage_of

__all__ = ["server", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

CLOSED = {"timezone": "Etc/UTC", "weekly": {}}


async def test_after_hours_a_call_goes_on_at_another_number_whose_own_hours_are_skipped(world: World) -> None:
    night = await world.target(*TAKES_THE_CALL)
    there = await world.line(night.address, hours=CLOSED)
    forward = {"action": "forward", "number_id": there.number["id"]}
    line = await world.line("127.0.0.1:9", hours={**CLOSED, "after_hours": forward})
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert (record["disposition"], outcomes(record)) == ("after_hours_forward", ["answered"])
    assert (record["number_id"], record["target_id"]) == (line.number["id"], there.targets[0]["id"])
    assert "forward" in [step["step"] for step in record["decision"]["steps"]]
    with pytest.raises(ApiError, match=r"409.*after_hours"):
        await world.server.api.delete(f"numbers/{there.number['id']}")


async def test_over_a_cap_and_without_a_target_a_call_goes_on_in_another_campaign(world: World) -> None:
    spare, busy = (
        await world.target(*TAKES_THE_CALL),
        await world.target(called(), answer(486), arrives("ACK")),
    )
    there = await world.line(spare.address)
    forward = {"action": "forward", "campaign_id": there.number["campaign_id"]}
    line = await world.line(busy.address, campaign={"routes": {"overflow": forward}})
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert (record["disposition"], outcomes(record)) == ("connected", ["busy", "answered"])
    full = [{"window": "concurrency", "limit": 0, "on_cap": forward}]
    await world.server.api.patch(f"numbers/{line.number['id']}", {"caps": full})
    await world.server.api.patch(f"targets/{there.targets[0]['id']}", {"state": "paused"})
    (await line.call(invite(sdp()), provisional(), expect(480), ack_refusal())).check()
    assert (await line.records(2))[1]["disposition"] == "no_target_none_configured"


async def test_forwards_in_a_circle_are_refused_with_the_way(world: World) -> None:
    api = world.server.api
    first, second = await world.line("127.0.0.1:9"), await world.line("127.0.0.1:9")
    to_second = {"action": "forward", "number_id": second.number["id"]}
    await api.patch(f"numbers/{first.number['id']}", {"hours": {**CLOSED, "after_hours": to_second}})
    back = {"failsafe": {"action": "forward", "number_id": first.number["id"]}}
    with pytest.raises(ApiError) as refused:
        await api.patch(f"campaigns/{second.number['campaign_id']}", back)
    assert refused.value.status == 422
    [error] = refused.value.problem["errors"]
    assert error["path"] == "failsafe.number_id"
    assert first.e164 in error["message"]


async def test_a_key_leads_to_a_group(server: Server) -> None:
    async with stage_of(server) as stage:
        sales = await stage.phone(SALES, *LEAVES)
        members = [{"target_id": await stage.target(sales)}]
        group = await stage.api.post("target-groups", {"name": "sales", "members": members})
        asked = await menu(stage, **{"4": {"group_id": group["id"]}})
        number = await stage.number(await stage.campaign(menu=asked))
        talk = await stage.call(number, MENU, SALES, options=("--press", "4"))
    assert talk.seconds(SALES) >= 0.25
    assert [c["group_id"] for c in talk.record["decision"]["candidates"]] == [group["id"]]


async def test_a_key_s_tags_steer_the_call_and_are_told_in_its_record(server: Server) -> None:
    async with stage_of(server) as stage:
        spanish = await stage.phone(SALES, *LEAVES)
        wants = [
            {"key": "language", "op": "==", "value": "es"},
            {"key": "channel", "op": "==", "value": "tv"},
        ]
        behind = await stage.campaign(await stage.target(spanish, filters=wants))
        key = {"campaign_id": behind, "tags": {"language": "es", "channel": "radio"}}
        asked = await menu(stage, **{"2": key})
        number = await stage.number(await stage.campaign(menu=asked), tags={"channel": "tv"})
        talk = await stage.call(number, MENU, SALES, options=("--press", "2"))
    assert talk.seconds(SALES) >= 0.25
    tags = talk.record["tags"]
    assert (tags["language"]["value"], tags["language"]["origin"]) == ("es", "menu")
    assert (tags["channel"]["value"], tags["channel"]["origin"]) == ("tv", "number")
    assert [(w["value"], w["origin"]) for w in tags["channel"]["shadowed"]] == [("radio", "menu")]
