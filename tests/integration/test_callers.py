"""Callers that are known: lists and duplicates in real calls (rules: Caller lists, Duplicates)."""

import pytest

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World, server, world
from tests.integration.test_caps import reasons
from tests.support.scenario import ack_refusal, expect, invite, provisional, sdp

__all__ = ["server", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLER = "+12125550100"
REFUSED = (invite(sdp()), provisional(), expect(480), ack_refusal())


async def test_a_suppressed_caller_goes_to_the_next_target_at_once(world: World) -> None:
    api, other = world.server.api, await world.target(*TAKES_THE_CALL)
    line = await world.line("127.0.0.1:9", other.address)
    made = await api.post("caller-lists", {"name": "do not send"})
    await api.patch(f"targets/{line.targets[0]['id']}", {"suppression_list_ids": [made["id"]]})
    url, headers = f"{api.base}/api/v1/caller-lists/{made['id']}/numbers", {"Content-Type": "text/csv"}
    async with api.http.post(url, data=CALLER.encode(), headers=headers) as answer:
        assert (await answer.json())["count"] == 1
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert (record["target_id"], reasons(record)[0]) == (line.targets[1]["id"], "caller_list")


async def test_a_second_call_is_a_duplicate_for_the_target_and_a_repeat_for_the_number(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(target.address, campaign={"target": {"duplicates": {"days": 7}}})
    (await line.call(*CALLS)).check()
    await line.records(1)
    (await line.call(*REFUSED)).check()
    first, second = await line.records(2)
    assert (first["is_repeat"], second["is_repeat"]) == (False, True)
    assert (second["disposition"], reasons(second)) == ("no_target_duplicates", ["duplicate"])


async def test_a_caller_of_before_goes_back_to_who_took_the_call(world: World) -> None:
    api, first, second = (
        world.server.api,
        await world.target(*TAKES_THE_CALL),
        await world.target(*TAKES_THE_CALL, calls=2),
    )
    line = await world.line(
        first.address, second.address, campaign={"routes": {"duplicates": {"handling": "to_original"}}}
    )
    path = f"targets/{line.targets[0]['id']}"
    await api.patch(path, {"state": "paused"})
    (await line.call(*CALLS)).check()
    await line.records(1)
    await api.patch(path, {"state": "active"})
    (await line.call(*CALLS)).check()
    calls = await line.records(2)
    assert [call["target_id"] for call in calls] == [line.targets[1]["id"]] * 2
    away = {"duplicates": {"handling": "away_from_original"}}
    await api.patch(f"campaigns/{line.number['campaign_id']}", {"routes": away})
    (await line.call(*CALLS)).check()
    assert (await line.records(3))[2]["target_id"] == line.targets[0]["id"]
