"""Messages that cross, and peers that do the unexpected: every call ends, and its record says how."""

import itertools
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api import Json
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.server import Server, finished, flawless_server
from tests.support.tones import tone
from tests.support.wav import wav_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

_digits = itertools.count(18005550300)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("crossings")) as running:
        yield running


@dataclass
class Scene:
    """A caller, a number of its own and two targets, tried in order; everything by hand."""

    server: Server
    caller: RawPhone
    target: RawPhone
    second: RawPhone
    number: str = ""
    number_id: str = ""

    async def route(self, *targets: RawPhone, user: str = "t", **campaign: Any) -> None:
        """A number of ours leads to the phones in this order."""
        api, self.number = self.server.api, f"+{next(_digits)}"
        made = [
            await api.post("targets", {"name": phone.address, "address": f"sip:{user}@{phone.address}"})
            for phone in targets or (self.target, self.second)
        ]
        routes = {"targets": [{"target_id": one["id"], "priority": n} for n, one in enumerate(made)]}
        body = {"name": self.number, "routes": routes, **campaign}
        campaign_id = (await api.post("campaigns", body))["id"]
        numbered = await api.post("numbers", {"e164": self.number, "campaign_id": campaign_id})
        self.number_id = numbered["id"]

    async def connected(self, offer: str | None = None) -> tuple[Outgoing, Said]:
        """A call that is up: the caller's side of it, and the INVITE that the target got."""
        call = await self.caller.invite(self.number, self.caller.sdp() if offer is None else offer)
        invite = await self.target.hear("INVITE")
        await self.target.answer(invite, 200, self.target.sdp())
        await self.target.hear("ACK")
        await call.hear("200")
        await call.request("ACK")
        return call, invite

    async def records(self, count: int) -> list[Json]:
        """The number's calls, finished, oldest first."""
        return await finished(self.server.api, count, number_id=self.number_id)

    async def record(self) -> Json:
        """The number's only call, finished."""
        return (await self.records(1))[0]


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
        await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
        yield Scene(server, caller, target, second)


async def test_a_cancel_that_crosses_the_targets_200_ends_the_call(scene: Scene) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invite = await scene.target.hear("INVITE")
    await call.hear("100")
    # Both are in the socket before the server wakes, the target's answer first.
    scene.server.process.send_signal(signal.SIGSTOP)
    await scene.target.answer(invite, 200, scene.target.sdp())
    await call.request("CANCEL")
    scene.server.process.send_signal(signal.SIGCONT)
    bye = await scene.target.hear("BYE")
    await scene.target.answer(bye, 200)
    assert (await call.hear("487", "200")).start.startswith("SIP/2.0 487")
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("caller_hung_up_ringing", "caller")
    assert record["answered_at"] is None


async def test_a_caller_who_gives_up_between_the_targets_answer_and_ours_uses_no_slot(scene: Scene) -> None:
    """The connect is being written: our 200 waits for it, and does not go any more."""
    await scene.route(scene.target, caps=[{"window": "lifetime", "limit": 9}])
    records: list[Json] = []
    while len(records) < 5 and not any(one["disposition"] == "caller_hung_up_ringing" for one in records):
        call = await scene.caller.invite(scene.number, scene.caller.sdp())
        invite = await scene.target.hear("INVITE")
        await scene.target.answer(invite, 200, scene.target.sdp())
        await scene.target.hear("ACK")
        await call.request("CANCEL")
        if not (await call.hear("487", "200")).start.startswith("SIP/2.0 487"):  # too late: it is up
            await call.request("ACK")
            await call.request("BYE")
        await scene.target.answer(await scene.target.hear("BYE"), 200)
        records = await scene.records(len(records) + 1)
    [cap] = (await scene.server.api.get("caps", owner=records[0]["campaign_id"]))["items"]
    assert cap["used"] == sum(one["disposition"] == "connected" for one in records)
    assert cap["reserved"] == 0


async def test_a_call_ends_with_the_hang_up_however_late_the_other_sides_answer(scene: Scene) -> None:
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("BYE")
    await scene.target.hear("BYE")  # and never says a word
    heard = datetime.now(UTC)
    record = await scene.record()
    assert datetime.fromisoformat(record["ended_at"]) <= heard


async def test_a_target_that_hangs_up_while_a_late_offer_waits_for_its_ack(scene: Scene) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number)
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await call.hear("200")
    await scene.target.say(invite, "BYE", 1)
    await scene.target.hear("SIP/2.0 200")
    await call.request("ACK", scene.caller.sdp())
    await scene.caller.hear("BYE")
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "target")


@pytest.mark.parametrize("how", ["port 0", "no shared codec"])
async def test_a_late_answer_that_comes_to_no_audio_ends_the_call(scene: Scene, how: str) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number)
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await call.hear("200")
    answer = scene.caller.sdp(port=0) if how == "port 0" else scene.caller.sdp(formats="18")
    await call.request("ACK", answer)
    await scene.target.hear("BYE")
    await scene.caller.hear("BYE")
    assert (await scene.record())["disposition"] == "rejected_no_codec"


@pytest.mark.parametrize("answer", ["port 0", "no SDP", "no SDP, broken"])
async def test_a_200_without_audio_gives_way_to_the_next_target(scene: Scene, answer: str) -> None:
    await scene.route()
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invite = await scene.target.hear("INVITE")
    bodies = {"port 0": scene.target.sdp(port=0), "no SDP": "", "no SDP, broken": "v=0\r\nnonsense\r\n"}
    await scene.target.answer(invite, 200, bodies[answer])
    await scene.target.hear("ACK")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    again = await scene.second.hear("INVITE")
    await scene.second.answer(again, 200, scene.second.sdp())
    await scene.second.hear("ACK")
    await call.hear("200")
    await call.request("ACK")
    await call.request("BYE")
    await scene.second.answer(await scene.second.hear("BYE"), 200)
    record = await scene.record()
    assert [one["outcome"] for one in record["attempts"]] == ["refused", "answered"]


async def test_a_caller_that_holds_while_the_target_rings_is_answered_in_kind(scene: Scene) -> None:
    wav = wav_bytes(tone(440, 0.02))
    prompt = await scene.server.api.upload_prompt("short", wav)
    await scene.route(scene.target, prompts={"greeting_prompt_id": prompt["id"]})
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    await call.hear("200")
    await call.request("ACK")
    invite = await scene.target.hear("INVITE")
    await call.request("INVITE", scene.caller.sdp("a=sendonly", port=4100))
    held = await call.hear("200")
    assert "a=recvonly" in held.body or "a=inactive" in held.body, held.body
    await call.request("ACK")
    await scene.target.answer(invite, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


async def test_a_call_whose_invite_expires_while_it_rings_is_over(scene: Scene) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp(), "Expires: 1")
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 180)
    await call.hear("180")
    await call.refused("487")
    cancel = await scene.target.hear("CANCEL")
    await scene.target.answer(cancel, 200)
    await scene.target.answer(invite, 487)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("caller_hung_up_ringing", "caller")
    assert record["disposition_detail"] == "its INVITE expired"


async def test_two_byes_that_cross_end_the_call_once(scene: Scene) -> None:
    await scene.route(scene.target)
    call, invite = await scene.connected()
    await scene.target.say(invite, "BYE", 1)
    await call.request("BYE")
    await scene.target.hear("SIP/2.0 200", method="BYE")
    await call.hear("200", method="BYE")
    assert (await scene.record())["disposition"] == "connected"


async def test_a_second_fork_that_answers_is_acknowledged_and_ended(scene: Scene) -> None:
    await scene.route(scene.target)
    call, invite = await scene.connected()
    await scene.target.answer(invite, 200, scene.target.sdp(), tag="other")
    ack = await scene.target.hear("ACK")
    assert "tag=other" in ack.get("To")
    bye = await scene.target.hear("BYE")
    assert "tag=other" in bye.get("To")
    await scene.target.answer(bye, 200)
    await call.request("BYE")
    last = await scene.target.hear("BYE")
    assert f"tag={scene.target.tag}" in last.get("To")
    await scene.target.answer(last, 200)
    assert (await scene.record())["disposition"] == "connected"


async def test_offers_that_cross_are_both_refused_with_491(scene: Scene) -> None:
    await scene.route(scene.target)
    call, invite = await scene.connected()
    await call.request("INVITE", scene.caller.sdp("a=sendonly"))
    offered = await scene.target.hear("INVITE")
    await scene.target.say(invite, "INVITE", 1, scene.target.sdp("a=sendonly"))
    await scene.target.hear("SIP/2.0 491", method="INVITE")
    await scene.target.answer(offered, 491)
    await scene.target.hear("ACK")
    again = await scene.target.hear("INVITE")
    await scene.target.answer(again, 200, scene.target.sdp("a=recvonly"))
    await call.hear("200")
    await call.request("ACK")
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


@pytest.mark.parametrize(
    ("status", "told"), [(488, 488), (606, 606), (302, 488), (401, 488), (420, 488), (503, 488)]
)
async def test_a_refused_offer_is_refused_to_who_made_it(scene: Scene, status: int, told: int) -> None:
    """What is between the target and us, a challenge say, would tell the caller what is not so."""
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("INVITE", scene.caller.sdp("a=sendonly"))
    await scene.target.answer(await scene.target.hear("INVITE"), status)
    await call.refused(str(told))
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


@pytest.mark.parametrize("status", [400, 488, 500])
async def test_who_asks_for_an_offer_that_the_other_side_does_not_make_gets_ours(
    scene: Scene, status: int
) -> None:
    """Such is the session refresh of some gateways: refused, it would end the call in its time."""
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("INVITE")
    asked = await scene.target.hear("INVITE")
    assert not asked.body
    await scene.target.answer(asked, status)
    offered = await call.hear("200")
    assert offered.audio_port
    await call.request("ACK", scene.caller.sdp())
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


async def test_early_media_then_failover_reaches_the_next_target(scene: Scene) -> None:
    await scene.route()
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 183, scene.target.sdp())
    await call.hear("183")
    await scene.target.answer(invite, 180)
    await call.hear("180")
    await scene.target.answer(invite, 486)
    again = await scene.second.hear("INVITE")
    await scene.second.answer(again, 200, scene.second.sdp(formats="8 101"))
    await scene.second.hear("ACK")
    said = await call.hear("200")
    assert said.audio_port
    assert "RTP/AVP 8 101" in said.body, said.body
    await call.request("ACK")
    await call.request("BYE")
    await scene.second.answer(await scene.second.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


async def test_no_caller_steers_where_a_call_goes(scene: Scene) -> None:
    await scene.route(scene.target, user="[number]")
    trunks = (await scene.server.api.get("trunks", limit=500))["items"]
    trunk = next(one for one in trunks if one["name"] == scene.caller.host)
    await scene.server.api.patch(f"trunks/{trunk['id']}", {"default_number_id": scene.number_id})
    call = await scene.caller.invite(
        f"1%40{scene.second.host}%3A{scene.second.port}%3Bx=", scene.caller.sdp()
    )
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 486)
    await call.refused("486")
    assert not scene.second.log


async def test_what_a_target_says_reaches_records_and_the_caller_clean(scene: Scene) -> None:
    await scene.route(scene.target)
    call, invite = await scene.connected()
    await call.request("INFO")
    await call.hear("200", method="INFO")
    await scene.target.say(invite, "BYE", 1, "", 'Reason: Q.850;cause=16;text="\0\x1b[31m"')
    bye = await scene.caller.hear("BYE")
    assert "\0" not in bye.get("Reason")
    assert bye.get("Reason").startswith("Q.850;cause=16")
    assert not [said for said in scene.target.log if said.start.startswith("INFO")]


async def test_a_reason_phrase_can_not_paint_the_operators_terminal(scene: Scene) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    await scene.target.answer(await scene.target.hear("INVITE"), 486, phrase="Busy \x1b[31m\0")
    await call.refused("486")
    record = await scene.record()
    assert record["attempts"][0]["reason"] == "Busy \ufffd[31m\ufffd: is busy"
    ladder = await scene.server.api.get(f"calls/{record['id']}/trace")
    assert "\x1b" not in str(ladder)
    assert "\\x1b" not in str(ladder)


@pytest.mark.parametrize("offer", ["video alone", "port 0"])
async def test_an_offer_without_audio_is_refused_before_anybody_is_dialled(scene: Scene, offer: str) -> None:
    await scene.route(scene.target)
    body = scene.caller.sdp(port=0) if offer == "port 0" else scene.caller.sdp().replace("m=audio", "m=video")
    await (await scene.caller.invite(scene.number, body)).refused("488")
    record = await scene.record()
    assert (record["disposition"], record["attempts"]) == ("rejected_no_codec", [])


async def test_a_target_that_offers_while_the_caller_is_offered_its_codec_is_told_to_wait(
    scene: Scene,
) -> None:
    prompt = await scene.server.api.upload_prompt("brief", wav_bytes(tone(440, 0.02)))
    await scene.route(scene.target, prompts={"greeting_prompt_id": prompt["id"]})
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    await call.hear("200")
    await call.request("ACK")
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 200, scene.target.sdp(formats="8 101"))
    await scene.target.hear("ACK")
    ours = await scene.caller.hear("INVITE")
    await scene.target.say(invite, "INVITE", 1, scene.target.sdp(formats="8 101", port=4200))
    await scene.target.hear("SIP/2.0 491", method="INVITE")
    await scene.caller.answer(ours, 200, scene.caller.sdp(formats="8 101"))
    await scene.caller.hear("ACK")
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"
