"""What a crash, a stop, a dead worker or a full disk may cost: what was finished stays, the rest is said."""

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.api import Api, Json
from tests.support.ports import own_address
from tests.support.raw_phone import Outgoing, RawPhone
from tests.support.server import Server, eventually, running_server, simple_route
from tests.support.sipp import call, sipp

NUMBER = "+18005550100"
ONE_AT_A_TIME = [{"window": "concurrency", "limit": 1}]


@asynccontextmanager
async def bridged_call(server: Server, host: str) -> AsyncIterator[Outgoing]:
    """A caller that is connected to the target now, and hangs up when it is told."""
    with RawPhone(server.sip["udp"], host) as caller:
        call = await caller.invite(NUMBER, caller.sdp())
        await call.hear("200")
        await call.request("ACK")
        await eventually(lambda: connected(server.api))
        yield call


async def hangs_up(call: Outgoing) -> None:
    """The caller does."""
    await call.request("BYE")
    await call.hear("200", method="BYE")


async def connected(api: Api) -> list[Json]:
    """The live calls that are bridged."""
    live = await api.get("calls/live")
    return [one for one in live["items"] if one.get("connected_at")]


async def records(api: Api) -> list[Json]:
    """All finished calls, oldest first."""
    found: list[Json] = (await api.get("calls", limit=100))["items"]
    return sorted((one for one in found if one.get("ended_at")), key=lambda one: str(one["started_at"]))


async def settled(api: Api, count: int) -> list[Json]:
    """The finished calls, once there are ``count``."""

    async def look() -> list[Json] | None:
        found = await records(api)
        return found if len(found) >= count else None

    found: list[Json] = await eventually(look)
    return found


async def one_call(directory: Path, server: Server, host: str) -> None:
    """A short call from end to end."""
    (await call(directory, server.address(), NUMBER, "caller", "-d", "50", host=host)).check()


def children(pid: int) -> list[int]:
    """The media workers (and whatever else a process started)."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_kill_9_loses_no_finished_record_and_leaves_no_capacity_taken(tmp_path: Path) -> None:
    host = own_address()
    async with sipp(tmp_path, "answer", calls=10) as target:
        async with running_server(tmp_path) as server:
            uri = f"sip:buyer@{target.address}"
            made = await simple_route(server.api, caller_host=host, target=uri, caps=ONE_AT_A_TIME)
            await one_call(tmp_path, server, host)
            [finished] = await settled(server.api, 1)
            async with bridged_call(server, host):
                workers = children(server.pid)
                server.kill()
                await server.process.wait()
                await eventually(lambda: not any(alive(worker) for worker in workers))
        async with running_server(tmp_path) as server:
            kept, interrupted = await settled(server.api, 2)
            assert kept == finished
            assert interrupted["disposition"] == "interrupted"
            assert interrupted["ended_at"]
            [cap] = (await server.api.get("caps", owner=made["number"]["id"]))["items"]
            assert (cap["used"], cap["reserved"]) == (0, 0)
            await one_call(tmp_path, server, host)


async def test_a_stop_refuses_new_calls_and_lets_live_ones_finish(tmp_path: Path) -> None:
    host = own_address()
    async with sipp(tmp_path, "answer", calls=2) as target, running_server(tmp_path) as server:
        await simple_route(server.api, caller_host=host, target=f"sip:buyer@{target.address}")
        async with bridged_call(server, host) as live:
            server.process.terminate()
            await eventually(lambda: not_ready(server.api))
            refused = await call(tmp_path, server.address(), NUMBER, "refused_503", host=host)
            refused.check()
            await hangs_up(live)
        assert await asyncio.wait_for(server.process.wait(), 60) == 0
        async with running_server(tmp_path) as again:
            first = (await settled(again.api, 1))[0]
            assert (first["disposition"], first["hung_up_by"]) == ("connected", "caller")


async def not_ready(api: Api) -> bool:
    """Whether the server says that it takes no new calls."""
    async with api.http.get(f"{api.base}/readyz") as answer:
        return answer.status == 503


async def test_a_dead_worker_ends_its_calls_and_nothing_else(tmp_path: Path) -> None:
    host = own_address()
    async with sipp(tmp_path, "answer", calls=10) as target, running_server(tmp_path) as server:
        await simple_route(server.api, caller_host=host, target=f"sip:buyer@{target.address}")
        async with sipp(tmp_path, "hung_up_on", server.address(), "-s", NUMBER, host=host) as caller:
            await eventually(lambda: connected(server.api))
            for worker in children(server.pid):
                os.kill(worker, signal.SIGKILL)
            (await caller.result()).check()
        [lost] = await settled(server.api, 1)
        assert lost["disposition"] == "error_media"
        assert lost["disposition_detail"]
        await eventually(lambda: ready(server.api))
        await one_call(tmp_path, server, host)


async def ready(api: Api) -> bool:
    """Whether the server takes calls."""
    async with api.http.get(f"{api.base}/readyz") as answer:
        return answer.status == 200


@pytest.fixture
def full_disk() -> Any:
    """Lets no file of a process grow any more, as a full disk would not."""

    def fill(pid: int, size: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return fill


async def test_a_store_that_can_not_write_refuses_new_calls_and_keeps_live_ones(
    tmp_path: Path, full_disk: Any
) -> None:
    host = own_address()
    async with sipp(tmp_path, "answer", calls=10) as target, running_server(tmp_path) as server:
        await simple_route(server.api, caller_host=host, target=f"sip:buyer@{target.address}")
        async with bridged_call(server, host) as live:
            (up,) = await connected(server.api)
            full_disk(server.pid, 1)
            async with sipp(tmp_path, "caller", server.address(), "-s", NUMBER, host=host):
                await eventually(lambda: not_ready(server.api))  # a call has found out
            refused = await call(tmp_path, server.address(), NUMBER, "refused_503", host=host)
            refused.check()
            await hangs_up(live)
            full_disk(server.pid, resource.RLIM_INFINITY)
        await eventually(lambda: ready(server.api), limit_s=40)

        async def kept() -> list[str]:
            """Of the call that was up; the one that found out has a record, too."""
            return [one["disposition"] for one in await records(server.api) if one["id"] == up["id"]]

        assert await eventually(kept) == ["connected"]
        await one_call(tmp_path, server, host)


@pytest.mark.parametrize("rate", ["250", "1000", "5000"])  # it dies early in the race, in it, after it
async def test_racing_callers_and_kill_9_never_use_a_slot_twice(tmp_path: Path, rate: str) -> None:
    """Fifty callers want two slots; the server dies under the first of them and they come again."""
    host = own_address()
    two = [{"window": "lifetime", "limit": 2, "on_cap": {"action": "reject"}}]
    callers = ("-s", NUMBER, "-l", "50", "-r")
    async with sipp(tmp_path, "answer", calls=10) as target:
        async with running_server(tmp_path) as server:
            uri = f"sip:buyer@{target.address}"
            made = await simple_route(server.api, caller_host=host, target=uri, caps=two)
            async with sipp(tmp_path, "race", server.address(), *callers, rate, host=host, calls=50):
                await eventually(lambda: bridged(server))
                server.kill()
                await server.process.wait()
        async with running_server(tmp_path) as server:
            used = await slots(server, made["number"]["id"])
            before = await records(server.api)  # those that ended before the crash, and by it
            async with sipp(
                tmp_path, "race", server.address(), *callers, "5000", host=host, calls=50
            ) as again:
                (await again.result()).check(50)
            ended = await settled(server.api, len(before) + 50)
            bridges = [one for one in ended if one["connected_at"]]
            assert 1 <= used <= 2
            assert await slots(server, made["number"]["id"]) == 2
            assert len(bridges) == 2


def bridged(server: Server) -> bool:
    """Whether a call has been bridged, by the server's log."""
    return any(line.get("event") == "call.connected" for line in server.log())


async def slots(server: Server, owner_id: str) -> int:
    """What is used of the owner's only cap; its ledger says the same, and nothing is reserved."""
    [cap] = (await server.api.get("caps", owner=owner_id))["items"]
    ledger = (await server.api.get(f"caps/{cap['id']}/ledger"))["items"]
    assert [line["state"] for line in ledger] == ["used"] * int(cap["used"])
    assert cap["reserved"] == 0
    return int(cap["used"])


async def test_after_a_crash_both_sides_of_a_lost_call_are_told_that_it_is_gone(tmp_path: Path) -> None:
    """481 to whatever they ask within it (RFC 3261 12.2.2), so that neither waits for it any longer."""
    with RawPhone(("", 0)) as carrier, RawPhone(("", 0)) as pbx:
        async with running_server(tmp_path) as server:
            carrier.server = pbx.server = server.sip["udp"]
            await simple_route(server.api, caller_host=carrier.host, target=f"sip:b@{pbx.address}")
            call = await carrier.invite(NUMBER, carrier.sdp())
            there = await pbx.hear("INVITE")
            await pbx.answer(there, 200, pbx.sdp())
            await call.hear("200")
            await call.request("ACK")
            await pbx.hear("ACK")
            server.kill()
            await server.process.wait()
        async with running_server(tmp_path) as server:
            carrier.server = server.sip["udp"]
            there = replace(there, source=server.sip["udp"])
            for cseq, method in enumerate(("UPDATE", "INVITE", "BYE"), 2):
                await call.request(method, carrier.sdp() if method == "INVITE" else "")
                await call.hear("481", method=method)
                await pbx.say(there, method, cseq, pbx.sdp() if method == "INVITE" else "")
                await pbx.hear("SIP/2.0 481", method=method)
            assert (await server.api.get("sip/refused"))["items"] == []
