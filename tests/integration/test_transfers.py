"""A target transfers its caller by REFER: only where it may, only to where the configuration says."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from edge.calls.breaker import FAILURES
from edge.calls.transfer import MOST_MOVES
from tests.integration.test_crossings import Scene
from tests.support.api import ApiError
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.rtp_end import End, packet
from tests.support.server import Server, eventually, flawless_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("transfers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
        await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
        yield Scene(server, caller, target, second)


async def up(scene: Scene, **sip: Any) -> tuple[Outgoing, Said]:
    """A call with a target that may transfer; a call keeps the configuration of its arrival."""
    await scene.route(scene.target)
    await allow(scene, **sip)
    return await scene.connected()


async def allow(scene: Scene, **sip: Any) -> None:
    """The route's target may transfer."""
    found = (await scene.server.api.get("targets", limit=500))["items"]
    one = next(each for each in found if each["name"] == scene.target.address)
    await scene.server.api.patch(f"targets/{one['id']}", {"sip": {"allow_refer": True, **sip}})


async def desk(scene: Scene, **fields: Any) -> str:
    """The second phone is a target of ours, though in no route."""
    made = await scene.server.api.post(
        "targets", {"name": "desk", "address": f"sip:desk@{scene.second.address}", **fields}
    )
    return str(made["id"])


async def refer(scene: Scene, invited: Said, to: str, *more: str) -> None:
    await scene.target.say(invited, "REFER", 1, "", f"Refer-To: <{to}>", *more)


async def notified(scene: Scene) -> str:
    """The next NOTIFY's fragment, answered."""
    said = await scene.target.hear("NOTIFY")
    assert said.get("Content-Type") == "message/sipfrag;version=2.0"
    await scene.target.answer(said, 200)
    return said.body.strip()


async def taken(scene: Scene) -> Said:
    """The second phone answers its call."""
    invited = await scene.second.hear("INVITE")
    await scene.second.answer(invited, 180)
    await scene.second.answer(invited, 200, scene.second.sdp())
    await scene.second.hear("ACK")
    return invited


async def ended_by_the_caller(scene: Scene, call: Outgoing, last: RawPhone) -> None:
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await last.answer(await last.hear("BYE"), 200)


async def test_a_call_is_transferred_to_another_target(scene: Scene) -> None:
    desk_id = await desk(scene, headers={"X-Desk": "[target_name]"})
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}", "Referred-By: <sip:agent@pbx.example>")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    assert await notified(scene) == "SIP/2.0 100 Trying"
    arrived = await taken(scene)
    assert arrived.get("Referred-By") == "<sip:agent@pbx.example>"
    assert arrived.get("X-Desk") == "desk"
    assert arrived.get("X-Edge-Call-ID") == invited.get("X-Edge-Call-ID")
    assert await notified(scene) == "SIP/2.0 200 OK"
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    await ended_by_the_caller(scene, call, scene.second)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    assert [one["outcome"] for one in record["attempts"]] == ["answered", "answered"]
    assert record["attempts"][1]["target_id"] == desk_id
    assert record["attempts"][1]["reason"] == f"transferred by {scene.target.address}"


async def test_one_that_fails_is_told_and_the_call_goes_on(scene: Scene) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}")
    assert await notified(scene) == "SIP/2.0 100 Trying"
    await scene.second.answer(await scene.second.hear("INVITE"), 486)
    assert await notified(scene) == "SIP/2.0 486 Busy Here"
    await scene.target.say(invited, "OPTIONS", 2)
    await scene.target.hear("SIP/2.0 200", method="OPTIONS")
    await ended_by_the_caller(scene, call, scene.target)
    record = await scene.record()
    assert [one["outcome"] for one in record["attempts"]] == ["answered", "busy"]
    assert record["disposition"] == "connected"


async def test_the_caller_and_the_new_target_hear_each_other(scene: Scene) -> None:
    await desk(scene)
    with End(scene.caller.host) as mouth, End(scene.second.host) as ear:
        await scene.route(scene.target)
        await allow(scene)
        call = await scene.caller.invite(scene.number, scene.caller.sdp(port=mouth.address[1]))
        invited = await scene.target.hear("INVITE")
        await scene.target.answer(invited, 200, scene.target.sdp())
        await scene.target.hear("ACK")
        ours = (await call.hear("200")).audio_port
        await call.request("ACK")
        await refer(scene, invited, f"sip:desk@{scene.second.address}")
        again = await scene.second.hear("INVITE")
        await scene.second.answer(again, 200, scene.second.sdp(port=ear.address[1]))
        await scene.second.hear("ACK")
        numbers = itertools.count()

        def heard() -> bool:
            mouth.send(packet(next(numbers)), (scene.server.sip["udp"][0], ours))
            ear.send(packet(next(numbers), ssrc=7), (scene.server.sip["udp"][0], again.audio_port))
            return bool(ear.received()) and bool(mouth.received())

        await eventually(heard)
        await ended_by_the_caller(scene, call, scene.second)


@pytest.mark.parametrize("to", ["sip:toll@203.0.113.9", "sip:other@{second}", "tel:+18005559999"])
async def test_no_target_sends_a_call_anywhere_else(scene: Scene, to: str) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await refer(scene, invited, to.format(second=scene.second.address))
    await scene.target.hear("SIP/2.0 603", method="REFER")
    await ended_by_the_caller(scene, call, scene.target)
    assert not scene.second.log
    (step,) = [one for one in (await scene.record())["decision"]["steps"] if one["step"] == "transfer"]
    assert step["result"] == "refused"


async def test_a_paused_target_is_not_transferred_to(scene: Scene) -> None:
    await desk(scene, state="paused")
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}")
    await scene.target.hear("SIP/2.0 603", method="REFER")
    await ended_by_the_caller(scene, call, scene.target)


async def test_a_target_that_has_had_its_calls_of_the_second_is_not_transferred_to(scene: Scene) -> None:
    await desk(scene, max_cps=0.001)
    call, invited = await up(scene)
    to = f"Refer-To: <sip:desk@{scene.second.address}>"
    await scene.target.say(invited, "REFER", 1, "", to, "Refer-Sub: false")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await scene.second.answer(await scene.second.hear("INVITE"), 486)
    await scene.second.hear("ACK")

    async def refused() -> bool:
        """Once the first one is over."""
        await scene.target.say(invited, "REFER", next(cseqs), "", to, "Refer-Sub: false")
        said = await scene.target.hear("SIP/2.0 603", "SIP/2.0 491", "SIP/2.0 202", method="REFER")
        return said.start.startswith("SIP/2.0 603")

    cseqs = itertools.count(2)
    await eventually(refused)
    await ended_by_the_caller(scene, call, scene.target)
    assert len([said for said in scene.second.log if said.start.startswith("INVITE")]) == 1
    record = await scene.record()
    reasons = [one["reason"] for one in record["decision"]["steps"] if one["step"] == "transfer"]
    assert reasons[-1].endswith("max_cps 0.001"), reasons


async def test_a_target_that_does_not_answer_any_more_is_passed_over_by_transfers_too(scene: Scene) -> None:
    desk_id = await desk(scene)
    call, invited = await up(scene)
    to = f"Refer-To: <sip:desk@{scene.second.address}>"
    for number in range(1, FAILURES + 1):
        await scene.target.say(invited, "REFER", number, "", to)
        await scene.target.hear("SIP/2.0 202", method="REFER")
        await scene.second.answer(await scene.second.hear("INVITE"), 503)
        await scene.second.hear("ACK")
        while await notified(scene) != "SIP/2.0 503 Service Unavailable":
            pass
    await scene.target.say(invited, "REFER", FAILURES + 1, "", to)
    await scene.target.hear("SIP/2.0 603", method="REFER")
    assert (await scene.server.api.get(f"targets/{desk_id}"))["reachability"]["state"] == "down"
    await ended_by_the_caller(scene, call, scene.target)


async def test_a_call_that_its_pbx_sends_elsewhere_still_takes_a_line_of_the_target(scene: Scene) -> None:
    await scene.route(scene.target)
    found = (await scene.server.api.get("targets", limit=500))["items"]
    target_id = next(one["id"] for one in found if one["name"] == scene.target.address)
    sip = {"allow_refer": True, "redirect_hosts": [scene.second.host]}
    await scene.server.api.patch(f"targets/{target_id}", {"sip": sip, "max_calls": 1})
    call, invited = await scene.connected()
    await refer(scene, invited, f"sip:201@{scene.second.address}")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await taken(scene)
    while await notified(scene) != "SIP/2.0 200 OK":
        pass
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    for count in (1, 2):  # what was given back is free once the first one's record is written
        surplus = await scene.caller.invite(scene.number, scene.caller.sdp())
        await surplus.refused("480")
        await scene.records(count)
    await ended_by_the_caller(scene, call, scene.second)
    await scene.records(3)
    call, _ = await scene.connected()
    await ended_by_the_caller(scene, call, scene.target)
    ended = [one["disposition"] for one in await scene.records(4)]
    assert ended == ["connected", "no_target_all_capped", "no_target_all_capped", "connected"]


async def test_a_target_gets_its_digits_from_a_transfer_too(scene: Scene) -> None:
    """The old one may hang up meanwhile."""
    await desk(scene, send_digits="w5")
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}")
    assert await notified(scene) == "SIP/2.0 100 Trying"
    arrived = await scene.second.hear("INVITE")
    await scene.second.answer(arrived, 200, scene.second.sdp(formats="0"))
    await scene.second.hear("ACK")
    await scene.target.say(invited, "BYE", 2)
    await scene.target.hear("SIP/2.0 200", method="BYE")
    pressed = await scene.second.hear("INFO")
    assert pressed.body.startswith("Signal=5")
    await scene.second.answer(pressed, 200)

    async def bridged() -> bool:
        live = (await scene.server.api.get("calls/live"))["items"]
        return [one["phase"] for one in live if one["called"] == scene.number] == ["bridged"]

    await eventually(bridged)
    await ended_by_the_caller(scene, call, scene.second)
    record = await scene.record()
    assert ("send_digits", "info") in [(one["step"], one["result"]) for one in record["decision"]["steps"]]
    assert [one["outcome"] for one in record["attempts"]] == ["answered", "answered"]


async def test_who_refers_and_hangs_up_at_once_need_not_wait(scene: Scene) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}", "Refer-Sub: false")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await scene.target.say(invited, "BYE", 2)
    await scene.target.hear("SIP/2.0 200", method="BYE")
    await taken(scene)
    await ended_by_the_caller(scene, call, scene.second)
    assert (await scene.record())["disposition"] == "connected"
    assert not [said for said in scene.target.log if said.start.startswith("NOTIFY")]


async def test_when_nobody_is_left_the_caller_is_hung_up_on(scene: Scene) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}", "Refer-Sub: false")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await scene.target.say(invited, "BYE", 2)
    await scene.second.answer(await scene.second.hear("INVITE"), 480)
    await scene.caller.answer(await scene.caller.hear("BYE"), 200)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "target")
    assert call.phone is scene.caller


async def test_an_attended_transfer_within_the_pbx_replaces_its_own_call(scene: Scene) -> None:
    call, invited = await up(scene, redirect_hosts=[scene.second.host])
    replaced = "consult%40pbx%3Bto-tag%3Da%3Bfrom-tag%3Db"
    await refer(scene, invited, f"sip:201@{scene.second.address}?Replaces={replaced}")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    arrived = await taken(scene)
    assert arrived.start.startswith(f"INVITE sip:201@{scene.second.address} ")
    assert arrived.get("Replaces") == "consult@pbx;to-tag=a;from-tag=b"
    assert "replaces" in arrived.all("Require")
    while await notified(scene) != "SIP/2.0 200 OK":
        pass
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    await ended_by_the_caller(scene, call, scene.second)
    assert (await scene.record())["attempts"][1]["outcome"] == "answered"


async def test_a_caller_on_hold_is_taken_off_it_by_the_transfer(scene: Scene) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await scene.target.say(invited, "INVITE", 1, scene.target.sdp("a=sendonly"))
    held = await scene.caller.hear("INVITE")
    await scene.caller.answer(held, 200, scene.caller.sdp("a=recvonly"))
    await scene.caller.hear("ACK")
    await scene.target.hear("SIP/2.0 200", method="INVITE")
    await scene.target.say(invited, "ACK", 1)
    await scene.target.say(invited, "REFER", 2, "", f"Refer-To: <sip:desk@{scene.second.address}>")
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await taken(scene)
    back = await scene.caller.hear("INVITE")
    assert "a=sendonly" not in back.body and "a=inactive" not in back.body
    await scene.caller.answer(back, 200, scene.caller.sdp())
    await scene.caller.hear("ACK")
    await ended_by_the_caller(scene, call, scene.second)
    assert (await scene.record())["disposition"] == "connected"


async def test_a_caller_that_hangs_up_in_the_middle_ends_everything(scene: Scene) -> None:
    await desk(scene)
    call, invited = await up(scene)
    await refer(scene, invited, f"sip:desk@{scene.second.address}")
    ringing = await scene.second.hear("INVITE")
    await scene.second.answer(ringing, 180)
    await call.request("BYE")
    await scene.second.answer(await scene.second.hear("CANCEL"), 200)
    await scene.second.answer(ringing, 487)
    await scene.target.answer(await scene.target.hear("BYE"), 200)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    assert [one["outcome"] for one in record["attempts"]] == ["answered", "caller_gone"]


async def test_a_target_that_refers_again_and_again_is_heard_so_often_and_no_more(scene: Scene) -> None:
    call, invited = await up(scene)
    for number in range(MOST_MOVES + 10):
        to = "Refer-To: <sip:x@203.0.113.9>"
        await scene.target.say(invited, "REFER", number + 1, "", to)
        await scene.target.hear("SIP/2.0 603", method="REFER")
    await ended_by_the_caller(scene, call, scene.target)
    record = await scene.record()
    told = [one["result"] for one in record["decision"]["steps"] if one["step"] == "transfer"]
    assert told == ["refused"] * MOST_MOVES + ["limit"]


async def test_no_carrier_transfers(server: Server) -> None:
    refers = {"sip": {"allow_refer": True}}
    carrier = {"name": "carrier", "addresses": ["198.51.100.0/24"], "proxy": "sip:proxy.example"}
    trunk_id = (await server.api.post("trunks", carrier))["id"]
    bodies = {
        "trunks": {"name": "carrier", "addresses": ["203.0.113.0/24"], **refers},
        "targets": {"name": "phone", "address": "+12025550123", "trunk_ids": [trunk_id], **refers},
    }
    for path, body in bodies.items():
        with pytest.raises(ApiError) as error:
            await server.api.post(path, body)
        assert [one["path"] for one in error.value.problem["errors"]] == ["sip.allow_refer"]
