"""Caps as callers meet them: whole calls through the running server, placed and taken by SIPp."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, Line, World, outcomes
from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_server(tmp_path_factory.mktemp("caps")) as running:
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
    made = await above(world, line, path, timezone="America/New_York", caps=daily)
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
