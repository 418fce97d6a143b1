"""Targets that the running server asks by OPTIONS: their state in the API, in decisions and metrics."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World
from tests.support.ports import free_port, own_address
from tests.support.scenario import arrives, reply
from tests.support.server import eventually, running_server

EVERY_S = 1


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(tmp_path))
        yield World(server, tmp_path, stack)


async def test_a_target_that_is_gone_is_down_and_calls_pass_it_by(world: World) -> None:
    works = await world.target(*TAKES_THE_CALL)
    there = await world.target(arrives("OPTIONS"), reply(), calls=1000)
    host = own_address()
    gone = f"{host}:{free_port(host)}"
    asked = {"sip": {"options_interval_s": EVERY_S}}
    line = await world.line(gone, works.address)
    api = world.server.api
    await api.patch(f"targets/{line.targets[0]['id']}", asked)
    up = await api.post("targets", {"name": "there", "address": f"sip:x@{there.address}", **asked})

    async def state(target_id: str) -> Any:
        return (await api.get(f"targets/{target_id}"))["reachability"]

    async def both_known() -> bool:
        found = [await state(target_id) for target_id in (line.targets[0]["id"], up["id"])]
        return [each and each["state"] for each in found] == ["down", "up"]

    await eventually(both_known, 40)
    assert await state(line.targets[1]["id"]) is None
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert record["disposition"] == "connected"
    first = record["decision"]["candidates"][0]
    assert (first["result"], first["reason"]) == ("skipped", "down")
    assert len(record["attempts"]) == 1
    page = await api.get("/metrics")
    assert 'edge_peers{state="down"} 1.0' in page and 'edge_peers{state="up"} 1.0' in page
