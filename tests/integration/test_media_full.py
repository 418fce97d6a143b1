"""Calls for which there are no media ports are turned away at their arrival; those that are up miss none."""

from contextlib import ExitStack
from pathlib import Path

from tests.integration.test_crossings import Scene
from tests.support.raw_phone import RawPhone
from tests.support.server import eventually, running_server
from tests.support.tones import tone
from tests.support.wav import wav_bytes

ONE_CALL = "20000-20003"
TWO_CALLS = "20000-20007"
ENDED = 'edge_calls_ended_total{disposition="rejected_overload"}'


async def test_a_call_too_many_is_refused_at_once_and_the_others_have_all_that_they_need(
    tmp_path: Path,
) -> None:
    async with running_server(tmp_path, EDGE_MEDIA__PORTS=TWO_CALLS) as server:
        at, api = server.sip["udp"], server.api
        with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
            await api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
            scene = Scene(server, caller, target, second)
            prompt = await api.upload_prompt("two seconds", wav_bytes(tone(440, 2)))
            await scene.route(target, prompts={"greeting_prompt_id": prompt["id"]})
            calls = [await caller.invite(scene.number, caller.sdp()) for _ in range(2)]
            for call in calls:
                await call.hear("200")
                await call.request("ACK")
            surplus = await caller.invite(scene.number, caller.sdp())
            answer = await surplus.refused("503", "200")
            assert answer.start.startswith("SIP/2.0 503") and int(answer.get("Retry-After")) >= 5
            (line,) = (await api.get("sip/refused"))["items"]
            assert "media ports" in line["reason"] and line["called"] == scene.number
            assert await api.metric(ENDED) == 1

            for _ in calls:  # what they were promised is there
                await target.answer(await target.hear("INVITE"), 200, target.sdp())
                await target.hear("ACK")
            await calls[0].request("INVITE", caller.sdp("a=sendonly"))
            await target.answer(await target.hear("INVITE"), 200, target.sdp("a=recvonly"))
            await calls[0].hear("200")
            await calls[0].request("ACK", cseq=calls[0].cseq)
            await calls[0].request("BYE")
            await target.answer(await target.hear("BYE"), 200)

            async def taken() -> bool:
                """Once the ports have rested."""
                again = await caller.invite(scene.number, caller.sdp())
                said = await again.refused("200", "503")
                return said.start.startswith("SIP/2.0 200")

            await eventually(taken)
            ended = (await api.get("calls"))["items"]
            assert [call["disposition"] for call in ended if call["ended_at"]] == ["connected"]


async def test_a_call_that_has_the_last_ports_hunts_through_all_its_targets(tmp_path: Path) -> None:
    async with running_server(tmp_path, EDGE_MEDIA__PORTS=ONE_CALL, EDGE_MEDIA__WORKERS="1") as server:
        at, api = server.sip["udp"], server.api
        with ExitStack() as stack:
            caller, *targets = (stack.enter_context(RawPhone(at)) for _ in range(5))
            await api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
            scene = Scene(server, caller, targets[0], targets[1])
            await scene.route(*targets)
            call = await caller.invite(scene.number, caller.sdp())
            for target in targets[:-1]:
                invite = await target.hear("INVITE")
                await target.answer(invite, 183, target.sdp())
                await call.hear("183")
                await target.answer(invite, 486)
            last = targets[-1]
            await last.answer(await last.hear("INVITE"), 200, last.sdp())
            await last.hear("ACK")
            await call.hear("200")
            await call.request("ACK")
            await call.request("BYE")
            await last.answer(await last.hear("BYE"), 200)
            record = await scene.record()
            assert record["disposition"] == "connected"
            assert [attempt["outcome"] for attempt in record["attempts"]] == [*["busy"] * 3, "answered"]
