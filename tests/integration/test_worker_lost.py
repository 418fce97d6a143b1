"""Calls that arrive while the only media worker is being restarted wait for it: none is lost."""

import itertools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.test_crossings import Scene
from tests.integration.test_durability import alive, children
from tests.support.api import Json
from tests.support.raw_phone import RawPhone
from tests.support.rtp_end import End, packet
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


async def kill(server: Server, module: str = "edge.media.worker") -> None:
    """The media worker, or the recorder, is gone, and the kernel has closed what it had."""
    found = running(server, module)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: found and not any(alive(pid) for pid in found))


def running(server: Server, module: str = "edge.media.worker") -> list[int]:
    """The server's processes of one kind."""
    found = []
    for pid in children(server.pid):
        with suppress(OSError):
            if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


async def hold_restart(server: Server) -> int:
    """The new worker, stopped before it has come so far as to have ports."""
    (worker,) = await eventually(lambda: running(server))
    os.kill(worker, signal.SIGSTOP)
    return int(worker)


def media_steps(record: Json) -> list[tuple[str, str]]:
    """What the decision log says of the wait."""
    steps = record["decision"]["steps"]
    return [(step["result"], step["reason"]) for step in steps if step["step"] == "media"]


async def test_a_call_that_arrives_right_after_the_worker_was_killed_is_connected(tmp_path: Path) -> None:
    async with staged(tmp_path) as scene:
        await scene.route(scene.target)
        await kill(scene.server)
        call, _ = await scene.connected()
        await call.request("BYE")
        await scene.target.answer(await scene.target.hear("BYE"), 200)
        record = await scene.record()
        assert record["disposition"] == "connected"
        [(result, words)] = media_steps(await scene.server.api.get(f"calls/{record['id']}"))
        assert result == "restarted" and words.endswith("for a media worker")


async def test_a_call_whose_worker_dies_while_it_rings_rings_again(tmp_path: Path) -> None:
    """Nobody was told where its audio was to go but the target, which is dialled anew."""
    async with staged(tmp_path) as scene:
        await scene.route(scene.second, scene.target, caps=[{"window": "lifetime", "limit": 1}])
        call = await scene.caller.invite(scene.number, scene.caller.sdp())
        await scene.second.answer(await scene.second.hear("INVITE"), 486)
        first = await scene.target.hear("INVITE")
        await scene.target.answer(first, 180)
        await call.hear("180")
        await kill(scene.server)
        cancel = await scene.target.hear("CANCEL")
        await scene.target.answer(cancel, 200)
        await scene.target.answer(first, 487)
        invited = await scene.target.hear("INVITE")
        assert invited.get("Call-ID") != first.get("Call-ID")
        with End(scene.caller.host) as voice, End(scene.target.host) as ear:
            await scene.target.answer(invited, 200, scene.target.sdp(port=ear.address[1]))
            await scene.target.hear("ACK")
            answered = await call.hear("200")
            await call.request("ACK")

            def heard() -> bool:
                for n in range(3):
                    voice.send(packet(n), (answered.source[0], answered.audio_port))
                return bool(ear.received())

            await eventually(heard)
        await call.request("BYE")
        await scene.target.answer(await scene.target.hear("BYE"), 200)
        record = await scene.record()
        assert record["disposition"] == "connected"
        assert [one["outcome"] for one in record["attempts"]] == ["busy", "caller_gone", "answered"]
        assert record["attempts"][1]["reason"] == "the media worker died"
        assert sum(said.start.startswith("INVITE") for said in scene.second.log) == 1


async def test_a_message_is_taken_by_the_restarted_worker(tmp_path: Path) -> None:
    """What is played without a target waits as well, and the restarted worker records it."""
    async with staged(tmp_path) as scene:
        closed = {"active": True, "timezone": "UTC", "weekly": {}, "after_hours": {"action": "voicemail"}}
        await scene.route(scene.target, hours=closed)
        await kill(scene.server)
        with End(scene.caller.host) as voice:
            call = await scene.caller.invite(scene.number, scene.caller.sdp(port=voice.address[1]))
            answered = await call.hear("200", "503")
            assert answered.start.startswith("SIP/2.0 200")
            await call.request("ACK")
            host = answered.source[0]
            said = itertools.count(1)

            async def recording() -> bool:
                voice.send(packet(next(said)), (host, answered.audio_port))
                (live,) = (await scene.server.api.get("calls/live"))["items"]
                return bool(live["phase"] == "voicemail")

            await eventually(recording)
            for _ in range(30):
                voice.send(packet(next(said)), (host, answered.audio_port))
            await call.request("BYE")
            await call.hear("200", method="BYE")
        record = await scene.record()
        assert record["disposition"] == "after_hours_voicemail"
        whole = await scene.server.api.get(f"calls/{record['id']}")
        assert media_steps(whole)
        assert (whole["voicemail"]["state"], whole["voicemail"]["duration_s"] > 0) == ("ready", True)


@pytest.mark.parametrize("dies", ["before the call", "while the greeting is heard"])
async def test_a_message_is_taken_by_the_restarted_recorder(tmp_path: Path, dies: str) -> None:
    async with staged(tmp_path) as scene:
        closed = {"active": True, "timezone": "UTC", "weekly": {}, "after_hours": {"action": "voicemail"}}
        await scene.route(scene.target, hours=closed)
        if dies == "before the call":
            await kill(scene.server, "edge.media.recorder")
        with End(scene.caller.host) as voice:
            call = await scene.caller.invite(scene.number, scene.caller.sdp(port=voice.address[1]))
            answered = await call.hear("200")
            await call.request("ACK")
            if dies != "before the call":
                await eventually(voice.received)
                await kill(scene.server, "edge.media.recorder")

            async def recording() -> bool:
                live = (await scene.server.api.get("calls/live"))["items"]
                assert live, "it is over"
                return bool(live[0]["phase"] == "voicemail")

            await eventually(recording)
            for n in range(30):
                voice.send(packet(n), (answered.source[0], answered.audio_port))
            await call.request("BYE")
            await call.hear("200", method="BYE")
        record = await scene.record()
        assert record["disposition"] == "after_hours_voicemail"
        whole = await scene.server.api.get(f"calls/{record['id']}")
        assert (whole["voicemail"]["state"], whole["voicemail"]["duration_s"] > 0) == ("ready", True)


async def test_a_call_waits_for_a_worker_so_long_and_no_longer_and_its_caller_is_heard(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path) as scene:
        await scene.route(scene.target)
        await kill(scene.server)
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
        await kill(scene.server)
        await hold_restart(scene.server)
        waiting = await scene.caller.invite(scene.number, scene.caller.sdp())
        await waiting.hear("100")
        assert len((await scene.server.api.get("calls/live"))["items"]) == 1
        scene.server.process.terminate()
        await waiting.refused("480", "503")
        assert await scene.server.stop() == 0
