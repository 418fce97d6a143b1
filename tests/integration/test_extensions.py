"""What carriers' and buyers' machines add to a plain call: PRACK, UPDATE, session timers, habits of PBXs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.test_calls import ANSWERED, World, outcomes, over_both
from tests.integration.test_crossings import Scene
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.scenario import (
    ack,
    ack_refusal,
    answer,
    arrives,
    bye,
    called,
    expect,
    invite,
    prack,
    provisional,
    reinvite,
    reliable,
    reply,
    sdp,
    target_request,
    update,
)
from tests.support.server import Server, flawless_server
from tests.support.tones import tone
from tests.support.wav import wav_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

ABLE = ("Supported: 100rel", "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK")
RELIABLE = ("Require: 100rel", "RSeq: 1", "Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("extensions")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(server, tmp_path, stack, getattr(request, "param", "udp"))


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
        await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
        yield Scene(server, caller, target, second)


# -- PRACK ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_prack_on_both_sides(world: World, transport: str) -> None:
    rings = answer(183, sdp(), *RELIABLE)
    target = await world.target(
        called(having="Supported: 100rel"), rings, arrives("PRACK", having="RAck: 1 1 INVITE"), reply(),
        answer(200), arrives("ACK"), arrives("BYE"), reply(),
    )  # fmt: skip
    line = await world.line(target.address)
    able = invite(sdp(), "Require: 100rel")
    result = await line.call(
        able, expect(100, optional=True), reliable(183, having="m=audio"), prack(),
        expect(200, having="m=audio"), ack(), bye(3), transport=transport,
    )  # fmt: skip
    result.check()
    (await target.result()).check()
    assert outcomes(await line.record()) == ["answered"]


async def test_an_update_of_an_early_dialog_crosses_to_the_target(scene: Scene) -> None:
    call, invited = await early(scene)
    await call.request("UPDATE", scene.caller.sdp("a=sendonly"), *ABLE)
    offered = await scene.target.hear("UPDATE")
    assert "a=sendonly" in offered.body
    await scene.target.answer(offered, 200, scene.target.sdp("a=recvonly"))
    said = await call.hear("200", method="UPDATE")
    assert "a=recvonly" in said.body and said.audio_port
    await connected(scene, call, invited)


async def test_an_update_of_the_targets_early_dialog_crosses_to_the_caller(scene: Scene) -> None:
    call, invited = await early(scene)
    await scene.target.say(invited, "UPDATE", 1, scene.target.sdp("a=sendonly"))
    offered = await scene.caller.hear("UPDATE")
    assert "a=sendonly" in offered.body
    await scene.caller.answer(offered, 200, scene.caller.sdp("a=recvonly"))
    said = await scene.target.hear("SIP/2.0 200", method="UPDATE")
    assert "a=recvonly" in said.body
    await connected(scene, call, invited)


async def test_where_the_target_can_take_no_update_its_answer_stands(scene: Scene) -> None:
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp(), *ABLE)
    invited = await scene.target.hear("INVITE")
    await scene.target.answer(invited, 183, scene.target.sdp())
    await pracked(call, await call.hear("183"))
    await call.request("UPDATE", scene.caller.sdp("a=sendonly"))
    assert "a=recvonly" in (await call.hear("200", method="UPDATE")).body
    await connected(scene, call, invited, scene.target.sdp())


async def test_early_media_of_one_target_and_the_answer_of_another_in_another_codec(scene: Scene) -> None:
    await scene.route()
    call = await scene.caller.invite(scene.number, scene.caller.sdp(), *ABLE)
    invited = await scene.target.hear("INVITE")
    await scene.target.answer(invited, 183, scene.target.sdp(formats="0 101"))
    await pracked(call, await call.hear("183"))
    await scene.target.answer(invited, 486)
    again = await scene.second.hear("INVITE")
    await scene.second.answer(again, 200, scene.second.sdp(formats="8 101"))
    await scene.second.hear("ACK")
    said = await call.hear("200")
    assert "RTP/AVP 0 101" in said.body, "what was agreed reliably stands"
    await call.request("ACK", cseq=1)
    moved = await scene.caller.hear("INVITE")
    assert "RTP/AVP 8" in moved.body, moved.body
    await scene.caller.answer(moved, 200, scene.caller.sdp(formats="8 101"))
    await scene.caller.hear("ACK")
    await call.request("BYE")
    await scene.second.answer(await scene.second.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


async def test_what_a_target_offered_before_it_gave_way_and_the_caller_refuses_is_not_what_is_agreed(
    scene: Scene,
) -> None:
    call, invited = await early(scene, scene.target, scene.second)
    await scene.target.say(invited, "UPDATE", 1, scene.target.sdp("a=sendonly"))
    offered = await scene.caller.hear("UPDATE")
    assert "a=sendonly" in offered.body
    await scene.target.answer(invited, 486)
    again = await scene.second.hear("INVITE")
    await scene.caller.answer(offered, 488)
    await scene.second.answer(again, 200, scene.second.sdp())
    await scene.second.hear("ACK")
    said = await call.hear("200")
    assert said.audio_port and "a=sendonly" not in said.body
    await call.request("ACK", cseq=1)
    await call.request("BYE")
    await scene.second.answer(await scene.second.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"
    assert not [heard for heard in scene.caller.log if heard.start.startswith("INVITE")]


async def test_a_hold_that_crosses_the_answer_of_a_target_that_is_asked_first_is_taken_back(
    scene: Scene,
) -> None:
    """The caller is told that it can not be, for the target talks with us alone; the target has taken it."""
    await scene.route(scene.target)
    found = (await scene.server.api.get("targets", limit=500))["items"]
    one = next(each for each in found if each["name"] == scene.target.address)
    await scene.server.api.patch(f"targets/{one['id']}", {"accept_key": "1"})
    call, invited = await early(scene, routed=True)
    await call.request("UPDATE", scene.caller.sdp("a=sendonly"), *ABLE)
    held = await scene.target.hear("UPDATE")
    await scene.target.answer(invited, 200)
    await scene.target.hear("ACK")
    await call.hear("488", method="UPDATE")
    await scene.target.answer(held, 200, scene.target.sdp("a=recvonly"))
    key = ("Content-Type: application/dtmf-relay",)
    await scene.target.say(invited, "INFO", 1, "Signal=1\r\n", *key)
    assert "a=sendrecv" in (await call.hear("200")).body
    await call.request("ACK", cseq=1)
    again = await scene.target.hear("INVITE")
    assert "a=sendonly" not in again.body and "a=inactive" not in again.body
    await scene.target.answer(again, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await call.request("UPDATE", scene.caller.sdp("a=sendonly"), *ABLE)
    held = await scene.target.hear("UPDATE", "INVITE")
    await scene.target.answer(held, 200, scene.target.sdp("a=recvonly"))
    await call.hear("200", method="UPDATE")
    await ended(scene, call)


@over_both
async def test_a_late_offer_with_prack_hears_early_media(world: World) -> None:
    """Cisco CUBE: delayed offer, rel1xx required on the way in."""
    target = await world.target(
        called(having="m=audio"), answer(183, sdp()), answer(200, sdp()), arrives("ACK"), arrives("BYE"),
        reply(),
    )  # fmt: skip
    line = await world.line(target.address)
    result = await line.call(
        invite(None, "Require: 100rel"), expect(100, optional=True), reliable(183, having="m=audio"),
        prack(sdp()), expect(200), ack(), bye(3),
    )  # fmt: skip
    result.check()
    assert (await line.record())["disposition"] == "connected"


@over_both
async def test_a_late_offer_that_requires_prack_is_offered_ours_with_the_first_180(world: World) -> None:
    target = await world.target(*ANSWERED, arrives("BYE"), reply())
    line = await world.line(target.address)
    result = await line.call(
        invite(None, "Require: 100rel"), expect(100, optional=True), reliable(180, having="m=audio"),
        prack(sdp()), expect(200), ack(), bye(3),
    )  # fmt: skip
    result.check()
    assert (await line.record())["disposition"] == "connected"


# -- UPDATE and session timers in the call ------------------------------------------------------------------


@over_both
async def test_an_update_with_hold_crosses_a_call_that_is_up(world: World) -> None:
    allow = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"
    target = await world.target(
        called(), answer(180), answer(200, sdp(), allow), arrives("ACK"),
        arrives("UPDATE", having="a=sendonly"), reply(200, sdp("recvonly", 2)), arrives("BYE"), reply(),
    )  # fmt: skip
    line = await world.line(target.address)
    result = await line.call(
        invite(sdp()), provisional(), expect(200), ack(), update(sdp("sendonly", 2), 2), bye(3)
    )
    result.check()
    (await target.result()).check()


@over_both
async def test_a_session_timer_of_the_caller_is_kept_by_its_refreshes(world: World) -> None:
    target = await world.target(*ANSWERED, arrives("BYE"), reply())
    line = await world.line(target.address)
    timer = ("Supported: timer", "Session-Expires: 1800;refresher=uac")
    result = await line.call(
        invite(sdp(), *timer), provisional(), expect(200, having="Session-Expires: 1800;refresher=uac"),
        ack(), update(None, 2), reinvite(sdp(), 3), expect(100, optional=True), expect(200),
        ack(cseq=3), bye(4),
    )  # fmt: skip
    result.check()


async def test_an_interval_below_90_s_is_refused_with_the_shortest(scene: Scene) -> None:
    await scene.route(scene.target)
    short = ("Supported: timer", "Session-Expires: 60")
    call = await scene.caller.invite(scene.number, scene.caller.sdp(), *short)
    assert (await call.refused("422")).get("Min-SE") == "90"


# -- habits of PBXs ----------------------------------------------------------------------------------------


async def test_asterisk_answers_and_at_once_tells_the_connected_line(scene: Scene) -> None:
    """A 200, and right after our ACK a re-INVITE with the same media: the caller hears nothing of it."""
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invited = await scene.target.hear("INVITE")
    await scene.target.answer(invited, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await scene.target.say(invited, "INVITE", 1, scene.target.sdp())
    said = await scene.target.hear("SIP/2.0 200", method="INVITE")
    assert said.audio_port
    await acknowledged(scene.target, invited, 1)
    await call.hear("200")
    await call.request("ACK")
    await ended(scene, call)
    assert not [one for one in scene.caller.log if one.start.startswith("INVITE")]


async def test_a_direct_media_re_invite_is_absorbed(scene: Scene) -> None:
    """Only the address is new, and the caller sends to ours whatever it is."""
    await scene.route(scene.target)
    call, invited = await scene.connected()
    await scene.target.say(invited, "INVITE", 1, scene.target.sdp(port=4242))
    said = await scene.target.hear("SIP/2.0 200", method="INVITE")
    assert said.audio_port
    await acknowledged(scene.target, invited, 1)
    await ended(scene, call)
    assert not [one for one in scene.caller.log if one.start.startswith("INVITE")]


@over_both
async def test_an_asker_for_an_offer_in_mid_call_gets_the_other_sides(world: World) -> None:
    target = await world.target(
        *ANSWERED, arrives("INVITE"), reply(200, sdp("sendrecv", 2)), arrives("ACK", having="m=audio"),
        arrives("BYE"), reply(),
    )  # fmt: skip
    line = await world.line(target.address)
    result = await line.call(
        invite(sdp()), provisional(), expect(200), ack(), reinvite(None, 2), expect(100, optional=True),
        expect(200, having="m=audio"),
        ack(sdp("sendrecv", 2), cseq=2), bye(3),
    )  # fmt: skip
    result.check()
    (await target.result()).check()


@over_both
async def test_a_target_that_holds_by_re_invite(world: World) -> None:
    target = await world.target(
        *ANSWERED, target_request("INVITE", 1, sdp("sendonly", 2)), expect(100, optional=True),
        expect(200, having="a=recvonly"), target_request("ACK", 1), arrives("BYE"), reply(),
    )  # fmt: skip
    line = await world.line(target.address)
    result = await line.call(
        invite(sdp()), provisional(), expect(200), ack(), arrives("INVITE", having="a=sendonly"),
        reply(200, sdp("recvonly", 2)), arrives("ACK"), bye(2),
    )  # fmt: skip
    result.check()


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("INFO", 200), ("MESSAGE", 405), ("REFER", 405)]
)
async def test_other_requests_within_a_call(scene: Scene, method: str, status: int) -> None:
    await scene.route(scene.target)
    call, invited = await scene.connected()
    await call.request(method)
    said = await call.hear(str(status), method=method)
    assert status == 200 or "REFER" not in said.get("Allow")
    await scene.target.say(invited, method, 1)
    await scene.target.hear(f"SIP/2.0 {status}", method=method)
    await ended(scene, call)


async def test_a_reason_crosses_from_either_side(scene: Scene) -> None:
    reason = "Q.850;cause=31"
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invited = await scene.target.hear("INVITE")
    await scene.target.answer(invited, 180)
    await call.hear("180")
    await call.request("CANCEL", "", f"Reason: {reason}")
    cancel = await scene.target.hear("CANCEL")
    assert cancel.get("Reason") == reason
    await scene.target.answer(cancel, 200)
    await scene.target.answer(invited, 487)
    await call.refused("487")
    call, _ = await scene.connected()
    await call.request("BYE", "", f"Reason: {reason}")
    gone = await scene.target.hear("BYE")
    assert gone.get("Reason") == reason
    await scene.target.answer(gone, 200)
    records = await scene.records(2)
    assert [one["sip_reason"] for one in records] == [reason, reason]


async def test_the_reason_of_a_refusal_reaches_the_caller(scene: Scene) -> None:
    said = 'Q.850;cause=17;text="User busy"'
    await scene.route(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    await scene.target.answer(await scene.target.hear("INVITE"), 486, "", f"Reason: {said}")
    refused = await call.refused("486")
    assert refused.get("Reason") == said
    record = await scene.record()
    assert record["attempts"][0]["sip_reason"] == said
    assert record["sip_reason"] is None, "nobody hung up"


async def test_the_reason_of_a_refusal_reaches_a_caller_who_was_answered(scene: Scene) -> None:
    prompt = await scene.server.api.upload_prompt("short", wav_bytes(tone(440, 0.02)))
    await scene.route(scene.target, prompts={"greeting_prompt_id": prompt["id"]})
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    await call.hear("200")
    await call.request("ACK")
    refusal = "Reason: SIP;cause=600, Q.850;cause=21"
    await scene.target.answer(await scene.target.hear("INVITE"), 603, "", refusal)
    bye = await scene.caller.hear("BYE")
    await scene.caller.answer(bye, 200)
    assert bye.get("Reason") == "SIP;cause=480, Q.850;cause=21"


async def test_a_description_among_other_parts_makes_a_call(scene: Scene) -> None:
    await scene.route(scene.target)
    kind = "Content-Type: multipart/mixed;boundary=edge1"
    call = await scene.caller.invite(scene.number, mixed(scene.caller.sdp(), "optional"), kind)
    invited = await scene.target.hear("INVITE")
    assert invited.get("Content-Type") == "application/sdp" and invited.audio_port
    await scene.target.answer(invited, 200, mixed(scene.target.sdp(), "optional"), kind)
    await scene.target.hear("ACK")
    assert (await call.hear("200")).audio_port
    await call.request("ACK")
    await ended(scene, call)
    refused = await scene.caller.invite(scene.number, mixed(scene.caller.sdp(), "required"), kind)
    said = await refused.refused("415")
    assert "application/sdp" in said.get("Accept")


# -- the pieces -------------------------------------------------------------------------------------------


def mixed(sdp: str, handling: str) -> str:
    """A description with a carrier's signalling beside it."""
    parts = (
        "application/sdp\r\n\r\n" + sdp,
        f"application/isup\r\nContent-Disposition: signal;handling={handling}\r\n\r\n1",
    )
    return "".join(f"--edge1\r\nContent-Type: {part}\r\n" for part in parts) + "--edge1--\r\n"


async def pracked(call: Outgoing, said: Said) -> None:
    await call.request("PRACK", "", f"RAck: {said.get('RSeq')} 1 INVITE")
    await call.hear("200", method="PRACK")


async def early(scene: Scene, *targets: RawPhone, routed: bool = False) -> tuple[Outgoing, Said]:
    """The caller and the first target have agreed on early media reliably."""
    if not routed:
        await scene.route(*(targets or (scene.target,)))
    call = await scene.caller.invite(scene.number, scene.caller.sdp(), *ABLE)
    invited = await scene.target.hear("INVITE")
    await scene.target.answer(invited, 183, scene.target.sdp(), *RELIABLE)
    await scene.target.answer(await scene.target.hear("PRACK"), 200)
    await pracked(call, await call.hear("183"))
    return call, invited


async def connected(scene: Scene, call: Outgoing, invited: Said, body: str = "") -> None:
    """The target answers, the caller hangs up; the record says that the call was connected."""
    await scene.target.answer(invited, 200, body)
    await scene.target.hear("ACK")
    await call.hear("200")
    await call.request("ACK", cseq=1)
    await ended(scene, call)


async def ended(scene: Scene, call: Outgoing) -> None:
    await call.request("BYE")
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    assert (await scene.record())["disposition"] == "connected"


async def acknowledged(phone: RawPhone, invited: Said, cseq: int) -> None:
    await phone.say(invited, "ACK", cseq)


async def test_a_loop_through_us_ends_with_its_hops(world: World) -> None:
    """A target that is ourselves: each turn has one hop less, and the last is refused with 483."""
    host, port = world.server.sip["udp"]
    api = world.server.api
    await api.post("trunks", {"name": "ourselves", "addresses": [f"{host}/32"]})
    line = await world.line(f"{host}:{port}")
    await api.patch(f"targets/{line.targets[0]['id']}", {"address": f"sip:{line.e164}@{host}:{port}"})
    few = invite(sdp()).replace("Max-Forwards: 70", "Max-Forwards: 3")
    (await line.call(few, provisional(), expect(480), ack_refusal())).check()
    records = await line.records(3)
    assert sorted(one["attempts"][0]["status"] for one in records) == [480, 480, 483]


async def test_a_target_that_took_an_offer_that_came_to_nothing_is_told_the_old_one_again(
    scene: Scene,
) -> None:
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("INVITE", scene.caller.sdp(formats="18 101"))
    offered = await scene.target.hear("INVITE")
    assert "RTP/AVP 18" in offered.body
    await scene.target.answer(offered, 200, scene.target.sdp(formats="0 8 101"))
    await call.refused("488")
    again = await scene.target.hear("INVITE")
    assert "RTP/AVP 0 8 101" in again.body
    first, second = (int(said.body.split("o=- ")[1].split()[1]) for said in (offered, again))
    assert second == first + 1, "another description has another version"
    await scene.target.answer(again, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    await ended(scene, call)
