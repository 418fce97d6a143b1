"""Calls that arrive while the only media worker is being restarted wait for it: none is lost."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.test_crossings import Scene
from tests.integration.test_durability import alive, children
from tests.support.api import Json
from tests.support.raw_phone import RawPhone
from tests.support.server import Server, eventually, running_server

NO_WORKER = "no media worker has the ports of one more call"


@asynccontextmanager
async def staged(tmp_path: Path, **overrides: str) -> AsyncIterator[Scene]:
    """A server with one media worker, its caller and its targets; it must go on without an exception."""
    async with running_server(tmp_path, EDGE_MEDIA__WORKERS="1", **overrides) as server:
        at = server.sip["udp"]
        with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
            await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
            yield Scene(server, caller, target, second)
        assert not [line for line in server.log() if "exception" in line or "Traceback" in str(line)]


async def kill_worker(server: Server) -> None:
    """The media worker is gone, and the kernel has closed what it had."""
    workers = [child for child in children(server.pid) if is_worker(child)]
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    await eventually(lambda: not any(alive(worker) for worker in workers))


def is_worker(pid: int) -> bool:
    """Whether a process is a media worker (the recorder is a child of the server's, too)."""
    try:
        return b"edge.media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def hold_restart(server: Server) -> int:
    """The new worker, stopped before it has come so far as to have ports."""
    (worker,) = await eventually(lambda: [pid for pid in children(server.pid) if is_worker(pid)])
    os.kill(worker, signal.SIGSTOP)
    return int(worker)


def media_steps(record: Json) -> list[tuple[str, str]]:
    """What the decision log says of the wait."""
    steps = record["decision"]["steps"]
    return [(step["result"], step["reason"]) for step in steps if step["step"] == "media"]


async def test_a_call_that_arrives_right_after_the_worker_was_killed_is_connected(tmp_path: Path) -> None:
    async with staged(tmp_path) as scene:
        await scene.route(scene.target)
        await kill_worker(scene.server)
        call, _ = await scene.connected()
        await call.request("BYE")
        await scene.target.answer(await scene.target.hear("BYE"), 200)
        record = await scene.record()
        assert record["disposition"] == "connected"
        [(result, words)] = media_steps(await scene.server.api.get(f"calls/{record['id']}"))
        assert result == "restarted" and words.endswith("for a media worker")


async def test_a_call_waits_for_a_worker_so_long_and_no_longer_and_its_caller_is_heard(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as scene:
        await scene.route(scene.target)
        await kill_worker(scene.server)
        worker = await hold_restart(scene.server)
        left = await scene.caller.invite(scene.number, scene.caller.sdp())
        await left.hear("100")
        await left.request("CANCEL")
        await left.refused("487")
        given_up = (await scene.records(1))[0]
        assert (given_up["disposition"], given_up["hung_up_by"]) == ("caller_hung_up_ringing", "caller")
        turned_away = await scene.caller.invite(scene.number, scene.caller.sdp())
        await turned_away.refused("503")
        lost = (await scene.records(2))[1]
        assert (lost["disposition"], lost["disposition_detail"]) == ("error_media", NO_WORKER)
        assert [result for result, _ in media_steps(await scene.server.api.get(f"calls/{lost['id']}"))] == [
            "lost"
        ]
        patient = await scene.caller.invite(scene.number, scene.caller.sdp())
        await patient.hear("100")
        os.kill(worker, signal.SIGCONT)
        await scene.target.answer(await scene.target.hear("INVITE"), 486)
        await patient.refused("486")


async def test_a_server_that_stops_ends_a_call_that_waits_for_a_worker(tmp_path: Path) -> None:
    async with staged(tmp_path, EDGE_CALLS__DRAIN_MAX_S="0") as scene:
        await scene.route(scene.target)
        await kill_worker(scene.server)
        await hold_restart(scene.server)
        waiting = await scene.caller.invite(scene.number, scene.caller.sdp())
        await waiting.hear("100")
        assert len((await scene.server.api.get("calls/live"))["items"]) == 1
        scene.server.process.terminate()
        await waiting.refused("480", "503")
        assert await scene.server.stop() == 0
