"""Attended transfers: two calls become one, and a call goes from one phone of a PBX to another (RFC 3891)."""

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from edge.sip.digest import ClientDigest
from edge.sip.events import Credentials
from edge.sip.message import Headers, Response
from tests.integration.test_crossings import Scene
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.rtp_end import AUDIO, End, packet
from tests.support.server import Server, eventually, flawless_server
from tests.support.stage import tracks
from tests.support.tones import Samples

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("attended")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    """``target`` is a phone of a PBX, which is a trunk as well: it may call us."""
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
        for phone in (caller, target):
            await server.api.post("trunks", {"name": phone.host, "addresses": [f"{phone.host}/32"]})
        yield Scene(server, caller, target, second)


@pytest.fixture
def colleague(scene: Scene) -> Iterator[RawPhone]:
    """Another phone of the same PBX."""
    with RawPhone(scene.server.sip["udp"], host=scene.target.host) as phone:
        yield phone


def another(scene: Scene, caller: RawPhone, target: RawPhone) -> Scene:
    """Another call of the same server."""
    return Scene(scene.server, caller, target, scene.second)


async def allow(scene: Scene, **sip: Any) -> None:
    """The target of the route may transfer; a call keeps the configuration of its arrival."""
    found = (await scene.server.api.get("targets", limit=500))["items"]
    for one in found:
        if one["name"] == scene.target.address:
            await scene.server.api.patch(f"targets/{one['id']}", {"sip": {"allow_refer": True, **sip}})


async def up(scene: Scene, offer: str | None = None) -> tuple[Outgoing, Said]:
    await scene.route(scene.target)
    await allow(scene)
    return await scene.connected(offer)


async def lines(scene: Scene, limit: int) -> str:
    """A number that leads to the second phone, which has so many lines; the target's id."""
    await scene.route(scene.second)
    found = (await scene.server.api.get("targets", limit=500))["items"]
    desk_id = next(one["id"] for one in found if one["name"] == scene.second.address)
    cap = {"window": "concurrency", "limit": limit}
    await scene.server.api.patch(f"targets/{desk_id}", {"caps": [cap]})
    return str(desk_id)


async def taken(scene: Scene, owner: str) -> int:
    """How many lines are in use."""
    (cap,) = (await scene.server.api.get("caps", owner=owner))["items"]
    return int(cap["used"] + cap["reserved"])


def replacing(scene: Scene, call_id: str, ours: str, theirs: str) -> str:
    """A Refer-To that leads back to us, as a phone writes it from what it knows of its other call."""
    host, port = scene.server.sip["udp"]
    values = f"{call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}".replace("@", "%40")
    return f"Refer-To: <sip:edge@{host}:{port}?Replaces={values}>"


def dialog_of(invited: Said, phone: RawPhone) -> tuple[str, str, str]:
    """Call-ID, our tag and the phone's, of a call that the phone took."""
    return invited.get("Call-ID"), invited.get("From").partition(";tag=")[2], phone.tag


def replaces(invited: Said, phone: RawPhone, more: str = "") -> tuple[str, ...]:
    call_id, ours, theirs = dialog_of(invited, phone)
    return f"Replaces: {call_id};to-tag={ours};from-tag={theirs}{more}", "Require: replaces"


async def notified(phone: RawPhone) -> str:
    said = await phone.hear("NOTIFY")
    await phone.answer(said, 200)
    return said.body.strip()


async def ended(phone: RawPhone) -> Said:
    bye = await phone.hear("BYE")
    await phone.answer(bye, 200)
    return bye


async def told_and_left(phone: RawPhone) -> tuple[list[str], set[str]]:
    """What the NOTIFYs said, and the Call-IDs of the two calls that were then hung up."""
    told: list[str] = []
    left: set[str] = set()
    while len(left) < 2:
        said = await phone.hear("NOTIFY", "BYE")
        await phone.answer(said, 200)
        if said.start.startswith("BYE"):
            left.add(said.get("Call-ID"))
        else:
            told.append(said.body.strip())
    return told, left


def steps(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (one["result"], one["reason"]) for one in record["decision"]["steps"] if one["step"] == "transfer"
    ]


async def reoffered(phone: RawPhone, *lines: str) -> Said:
    """The phone takes a re-INVITE."""
    again = await phone.hear("INVITE")
    await phone.answer(again, 200, phone.sdp(*lines))
    await phone.hear("ACK")
    return again


async def test_the_caller_gets_whom_the_target_has_called_meanwhile(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, answered = await consult.connected()
    await scene.target.say(
        invited, "REFER", 1, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    )
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await reoffered(scene.second)
    told, left = await told_and_left(scene.target)
    assert told == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
    assert left == {invited.get("Call-ID"), asked.call_id}
    other = await consult.record()
    assert await taken(scene, desk_id) == 1, "the line is held by the call that goes on"
    # The two parties have but one another.
    await scene.second.say(answered, "INFO", 7, "Signal=1\r\n")
    await scene.second.hear("SIP/2.0 200", method="INFO")
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(scene.second)
    first = await scene.record()
    assert await taken(scene, desk_id) == 0
    assert (first["disposition"], first["hung_up_by"]) == ("connected", "caller")
    assert (other["disposition"], other["hung_up_by"]) == ("connected", "caller")
    assert other["disposition_detail"] == f"transferred to call {first['id']}"
    assert steps(first) == [("joined", f"target of call {other['id']}")]
    assert steps(other) == [("joined", f"the target went to call {first['id']}")]
    attempt = first["attempts"][1]
    assert attempt["target_id"] == other["target_id"]
    assert attempt["reason"] == f"transferred by {scene.target.address}: target of call {other['id']}"


async def test_the_group_s_slot_goes_with_the_call(scene: Scene) -> None:
    call, invited = await up(scene)
    api, consult = scene.server.api, another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 5)
    cap = {"window": "concurrency", "limit": 3}
    body = {"name": f"g{desk_id}", "members": [{"target_id": desk_id}], "caps": [cap]}
    group_id = (await api.post("target-groups", body))["id"]
    number = await api.get(f"numbers/{consult.number_id}")
    routes = {"targets": [{"group_id": group_id}]}
    await api.patch(f"campaigns/{number['campaign_id']}", {"routes": routes})
    asked, _ = await consult.connected()
    assert await taken(scene, group_id) == 1
    await scene.target.say(
        invited, "REFER", 1, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    )
    await scene.target.hear("SIP/2.0 202", method="REFER")
    await reoffered(scene.second)
    await told_and_left(scene.target)
    await consult.record()
    assert await taken(scene, group_id) == 1, "the call that goes on counts for the group"
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(scene.second)
    await scene.record()
    assert await taken(scene, group_id) == 0


async def test_a_party_for_whom_the_call_has_no_slot_stays_where_it_is(scene: Scene) -> None:
    """A cap that is younger than the other call, and taken: it is one of the configuration of the call that
    would go on."""
    consult = another(scene, scene.target, scene.second)
    await consult.route(scene.second)
    asked, answered = await consult.connected()
    found = (await scene.server.api.get("targets", limit=500))["items"]
    desk_id = next(one["id"] for one in found if one["name"] == scene.second.address)
    cap = {"window": "concurrency", "limit": 1}
    await scene.server.api.patch(f"targets/{desk_id}", {"caps": [cap]})
    last = await scene.caller.invite(consult.number, scene.caller.sdp())
    await scene.second.answer(await scene.second.hear("INVITE"), 200, scene.second.sdp())
    await last.hear("200")
    await last.request("ACK")
    call, invited = await up(scene)
    assert await taken(scene, desk_id) == 1
    await scene.target.say(
        invited, "REFER", 1, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    )
    await scene.target.hear("SIP/2.0 202", method="REFER")
    assert await notified(scene.target) == "SIP/2.0 100 Trying"
    assert (await notified(scene.target)).startswith("SIP/2.0 480")
    # Each has whom it had, and the third its slot.
    await scene.second.say(answered, "INFO", 7, "Signal=1\r\n")
    assert (await scene.target.hear("INFO")).get("Call-ID") == asked.call_id
    assert await taken(scene, desk_id) == 1
    for one, phone in ((call, scene.target), (asked, scene.second), (last, scene.second)):
        await one.request("BYE")
        await ended(phone)
    first = await scene.record()
    assert first["attempts"][1]["outcome"] == "cap_taken"
    assert first["attempts"][1]["reason"].endswith(": another call took the last slot")
    await consult.records(2)
    assert await taken(scene, desk_id) == 0


async def test_two_callers_of_one_target_are_joined(scene: Scene) -> None:
    with RawPhone(scene.server.sip["udp"], host=scene.caller.host) as friend:
        call, invited = await up(scene)
        second = another(scene, friend, scene.target)
        other, also = await up(second)
        await scene.target.say(invited, "REFER", 1, "", replacing(scene, *dialog_of(also, scene.target)))
        await scene.target.hear("SIP/2.0 202", method="REFER")
        await reoffered(friend)
        told, left = await told_and_left(scene.target)
        assert told[-1] == "SIP/2.0 200 OK"
        assert left == {invited.get("Call-ID"), also.get("Call-ID")}
        await other.request("BYE")
        await other.hear("200", method="BYE")
        await ended(scene.caller)
        first, lost = await scene.record(), await second.record()
        assert (first["disposition"], first["hung_up_by"]) == ("connected", "target")
        assert (lost["disposition"], lost["hung_up_by"]) == ("connected", "target")
        assert steps(first) == [("joined", f"caller of call {lost['id']}")]
        assert call.phone is scene.caller


async def test_those_who_are_joined_hear_each_other_though_both_were_on_hold(scene: Scene) -> None:
    with End(scene.caller.host) as mouth, End(scene.second.host) as ear:
        call, invited = await up(scene, scene.caller.sdp(port=mouth.address[1]))
        await scene.target.say(invited, "INVITE", 1, scene.target.sdp("a=sendonly"))
        held = await scene.caller.hear("INVITE")
        assert "a=sendonly" in held.body
        await scene.caller.answer(held, 200, scene.caller.sdp("a=recvonly", port=mouth.address[1]))
        await scene.caller.hear("ACK")
        await scene.target.hear("SIP/2.0 200", method="INVITE")
        await scene.target.say(invited, "ACK", 1)
        consult = another(scene, scene.target, scene.second)
        await consult.route(scene.second)
        asked, _ = await consult.connected()
        await scene.target.say(
            invited, "REFER", 2, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
        )
        again = await scene.second.hear("INVITE")
        assert "a=recvonly" not in again.body and "a=sendonly" not in again.body
        await scene.second.answer(again, 200, scene.second.sdp(port=ear.address[1]))
        back = await scene.caller.hear("INVITE")
        assert "a=sendonly" not in back.body
        await scene.caller.answer(back, 200, scene.caller.sdp(port=mouth.address[1]))
        await scene.caller.hear("ACK")
        numbers = itertools.count()

        def heard() -> bool:
            mouth.send(packet(next(numbers)), (scene.server.sip["udp"][0], back.audio_port))
            ear.send(packet(next(numbers), ssrc=7), (scene.server.sip["udp"][0], again.audio_port))
            return bool(ear.received()) and bool(mouth.received())

        await eventually(heard)
        await call.request("BYE")
        await ended(scene.second)


async def test_a_party_that_refuses_leaves_both_calls_as_they_were(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    await consult.route(scene.second)
    asked, _ = await consult.connected()
    await scene.target.say(
        invited, "REFER", 1, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    )
    await scene.second.answer(await scene.second.hear("INVITE"), 488)
    await scene.second.hear("ACK")
    assert await notified(scene.target) == "SIP/2.0 100 Trying"
    assert (await notified(scene.target)).startswith("SIP/2.0 488")
    await asked.request("BYE")
    await ended(scene.second)
    await call.request("BYE")
    await ended(scene.target)
    first, other = await scene.record(), await consult.record()
    assert (first["disposition"], other["disposition"]) == ("connected", "connected")
    assert other["disposition_detail"] == ""


async def test_a_party_that_hangs_up_instead_leaves_the_call_as_it_was(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    await consult.route(scene.second)
    asked, answered = await consult.connected()
    await scene.target.say(
        invited, "REFER", 1, "", replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    )
    await scene.second.hear("INVITE")
    await scene.second.say(answered, "BYE", 7)
    await scene.second.hear("SIP/2.0 200", method="BYE")
    assert await notified(scene.target) == "SIP/2.0 100 Trying"
    assert (await notified(scene.target)).startswith("SIP/2.0 480")
    bye = await ended(scene.target)
    assert bye.get("Call-ID") == asked.call_id, "only what was with the party is over"
    other = await consult.record()
    assert (other["disposition"], other["hung_up_by"]) == ("connected", "target")
    await call.request("BYE")
    assert (await ended(scene.target)).get("Call-ID") == invited.get("Call-ID")
    assert (await scene.record())["hung_up_by"] == "caller"


async def test_no_target_takes_the_call_of_another(scene: Scene) -> None:
    with RawPhone(scene.server.sip["udp"]) as stranger:
        call, invited = await up(scene)
        foreign = another(scene, scene.caller, stranger)
        await foreign.route(stranger)
        other, theirs = await foreign.connected()
        await scene.target.say(invited, "REFER", 1, "", replacing(scene, *dialog_of(theirs, stranger)))
        await scene.target.hear("SIP/2.0 603", method="REFER")
        for one, phone in ((other, stranger), (call, scene.target)):
            await one.request("BYE")
            await ended(phone)
        assert "not the target's own" in steps(await scene.record())[0][1]


async def test_a_colleague_takes_the_call(scene: Scene, colleague: RawPhone) -> None:
    call, invited = await up(scene)
    taking = await colleague.invite("edge", colleague.sdp(), *replaces(invited, scene.target))
    assert (await taking.hear("200")).audio_port
    await taking.request("ACK")
    assert (await ended(scene.target)).get("Reason") == ELSEWHERE
    await taking.request("INFO", "Signal=1\r\n")
    await taking.hear("200", method="INFO")
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(colleague)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    ((result, reason),) = steps(record)
    assert result == "taken over" and colleague.address in reason
    assert [one["outcome"] for one in record["attempts"]] == ["answered"]


async def test_a_caller_on_hold_hears_the_colleague(scene: Scene, colleague: RawPhone) -> None:
    with End(scene.caller.host) as mouth, End(colleague.host) as ear:
        call, invited = await up(scene, scene.caller.sdp(port=mouth.address[1]))
        await scene.target.say(invited, "INVITE", 1, scene.target.sdp("a=inactive"))
        held = await scene.caller.hear("INVITE")
        await scene.caller.answer(held, 200, scene.caller.sdp("a=inactive", port=mouth.address[1]))
        await scene.caller.hear("ACK")
        await scene.target.hear("SIP/2.0 200", method="INVITE")
        await scene.target.say(invited, "ACK", 1)
        offer = colleague.sdp(port=ear.address[1])
        taking = await colleague.invite("edge", offer, *replaces(invited, scene.target))
        answer = await taking.hear("200")
        assert "a=inactive" not in answer.body and "a=recvonly" not in answer.body
        await taking.request("ACK")
        back = await scene.caller.hear("INVITE")
        assert "a=inactive" not in back.body
        await scene.caller.answer(back, 200, scene.caller.sdp(port=mouth.address[1]))
        await ended(scene.target)
        numbers = itertools.count()

        def heard() -> bool:
            mouth.send(packet(next(numbers)), (scene.server.sip["udp"][0], back.audio_port))
            ear.send(packet(next(numbers), ssrc=7), (scene.server.sip["udp"][0], answer.audio_port))
            return bool(ear.received()) and bool(mouth.received())

        await eventually(heard)
        await call.request("BYE")
        await ended(colleague)


async def test_a_colleague_without_an_offer_gets_the_callers(scene: Scene, colleague: RawPhone) -> None:
    call, invited = await up(scene)
    taking = await colleague.invite("edge", "", *replaces(invited, scene.target))
    assert (await taking.hear("200")).audio_port
    await taking.request("ACK", colleague.sdp())
    await ended(scene.target)
    await taking.request("BYE")
    await taking.hear("200", method="BYE")
    await ended(scene.caller)
    assert (await scene.record())["hung_up_by"] == "target"
    assert call.phone is scene.caller


async def test_a_caller_on_hold_hears_a_colleague_who_brought_no_offer(
    scene: Scene, colleague: RawPhone
) -> None:
    call, invited = await up(scene)
    await scene.target.say(invited, "INVITE", 1, scene.target.sdp("a=sendonly"))
    held = await scene.caller.hear("INVITE")
    assert "a=sendonly" in held.body
    await scene.caller.answer(held, 200, scene.caller.sdp("a=recvonly"))
    await scene.caller.hear("ACK")
    await scene.target.hear("SIP/2.0 200", method="INVITE")
    await scene.target.say(invited, "ACK", 1)
    taking = await colleague.invite("edge", "", *replaces(invited, scene.target))
    await taking.hear("200")
    await ended(scene.target)
    await taking.request("ACK", colleague.sdp())
    back = await reoffered(scene.caller)
    assert "a=sendonly" not in back.body and "a=inactive" not in back.body
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(colleague)
    assert (await scene.record())["hung_up_by"] == "caller"


async def test_nobody_takes_a_call_whose_caller_is_still_announced(scene: Scene, colleague: RawPhone) -> None:
    await scene.route(scene.target)
    await allow(scene)
    (desk,) = [
        one
        for one in (await scene.server.api.get("targets", limit=500))["items"]
        if one["name"] == scene.target.address
    ]
    await scene.server.api.patch(f"targets/{desk['id']}", {"accept_key": "1"})
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    ringing = await scene.target.hear("INVITE")
    await scene.target.answer(ringing, 200, scene.target.sdp())
    await scene.target.hear("ACK")
    taking = await colleague.invite("edge", colleague.sdp(), *replaces(ringing, scene.target))
    assert (await taking.hear("491", "480", "200")).start.startswith("SIP/2.0 491")
    await call.request("CANCEL")
    await ended(scene.target)
    await scene.record()


@pytest.mark.parametrize("late", [False, True])
async def test_a_colleague_picks_up_what_rings(scene: Scene, colleague: RawPhone, *, late: bool) -> None:
    await scene.route(scene.target)
    await allow(scene)
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    ringing = await scene.target.hear("INVITE")
    await scene.target.answer(ringing, 180)
    await call.hear("180")
    offer = "" if late else colleague.sdp()
    taking = await colleague.invite("edge", offer, *replaces(ringing, scene.target, ";early-only"))
    await taking.hear("200")
    await taking.request("ACK", colleague.sdp() if late else "")
    cancel = await scene.target.hear("CANCEL")
    assert cancel.get("Reason") == ELSEWHERE
    await scene.target.answer(cancel, 200)
    await scene.target.answer(ringing, 487)
    assert (await call.hear("200")).audio_port
    await call.request("ACK")
    await call.request("BYE")
    await ended(colleague)
    record = await scene.record()
    assert record["disposition"] == "connected" and steps(record)[0][0] == "taken over"
    assert [one["outcome"] for one in record["attempts"]] == ["answered"]


async def test_no_carrier_takes_a_call(scene: Scene) -> None:
    call, invited = await up(scene)
    taking = await scene.caller.invite("edge", scene.caller.sdp(), *replaces(invited, scene.target))
    await taking.refused("603")
    await call.request("BYE")
    await ended(scene.target)
    assert (await scene.record())["disposition"] == "connected"


async def test_a_call_that_is_over_is_not_taken(scene: Scene, colleague: RawPhone) -> None:
    call, invited = await up(scene)
    await call.request("BYE")
    await ended(scene.target)
    await scene.record()
    taking = await colleague.invite("edge", colleague.sdp(), *replaces(invited, scene.target))
    await taking.refused("481")


async def target_id(scene: Scene) -> str:
    """The target of the route."""
    found = (await scene.server.api.get("targets", limit=500))["items"]
    return next(str(one["id"]) for one in reversed(found) if one["name"] == scene.target.address)


async def takes(call: Outgoing, scene: Scene, taking: Outgoing) -> None:
    """It is answered, the first phone is left, and the caller ends the call with the second one."""
    await taking.hear("200")
    await taking.request("ACK")
    assert (await ended(scene.target)).get("Reason") == ELSEWHERE
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(taking.phone)
    assert steps(await scene.record())[-1][0] == "taken over"


async def refusal(scene: Scene, source: str) -> dict[str, Any]:
    """What the operator is told of a source."""
    found = (await scene.server.api.get("sip/refused", limit=500))["items"]
    return next(dict(one) for one in found if one["source"] == source)


async def test_another_node_of_the_pbx_takes_the_call_once_it_is_known(scene: Scene) -> None:
    with RawPhone(scene.server.sip["udp"]) as node:
        await scene.server.api.post("trunks", {"name": node.host, "addresses": [f"{node.host}/32"]})
        call, invited = await up(scene)
        taking = await node.invite("edge", node.sdp(), *replaces(invited, scene.target))
        await taking.refused("603")
        told = await refusal(scene, node.host)
        assert scene.target.address in told["reason"]
        assert f"add {node.host} to the target's sip.peer_addresses" in told["remedy"]
        await allow(scene, peer_addresses=[f"{node.host}/31"])
        taking = await node.invite("edge", node.sdp(), *replaces(invited, scene.target))
        await takes(call, scene, taking)


async def test_a_phone_of_the_pbx_logs_in_and_takes_the_call_from_anywhere(scene: Scene) -> None:
    api = scene.server.api
    login = {"name": f"pbx {scene.target.host}", "username": scene.target.host, "password": "of the pbx"}
    trunk_id = (await api.post("trunks", login))["id"]
    await scene.route(scene.target)
    await allow(scene, peer_trunk_ids=[trunk_id])
    call, invited = await scene.connected()
    with RawPhone(scene.server.sip["udp"]) as away:
        taking = await away.invite("edge", away.sdp(), *replaces(invited, scene.target))
        asked = await taking.refused("401")
        digest = ClientDigest(Credentials(scene.target.host, "of the pbx"), lambda: "cnonce")
        challenge = Headers([("WWW-Authenticate", asked.get("WWW-Authenticate"))])
        assert digest.accept(Response(401, "Unauthorized", challenge))
        ((_, answer),) = digest.headers("INVITE", f"sip:edge@{away.server[0]}:{away.server[1]}")
        taking = await away.invite(
            "edge", away.sdp(), f"Authorization: {answer}", *replaces(invited, scene.target)
        )
        await takes(call, scene, taking)
    await api.patch(f"targets/{await target_id(scene)}", {"sip": {"peer_trunk_ids": []}})
    await api.delete(f"trunks/{trunk_id}")


async def test_a_colleague_takes_the_place_of_a_caller_of_the_pbx(scene: Scene, colleague: RawPhone) -> None:
    """The PBX has called out through us: its call moves to another of its phones, and the other side is
    taken off hold."""
    await scene.route(scene.target)
    await allow(scene)
    outward = another(scene, scene.target, scene.second)
    await outward.route(scene.second)
    asked, answered = await outward.connected()
    await asked.request("INVITE", scene.target.sdp("a=sendonly"))
    held = await scene.second.hear("INVITE")
    assert "a=sendonly" in held.body
    await scene.second.answer(held, 200, scene.second.sdp("a=recvonly"))
    await scene.second.hear("ACK")
    await asked.hear("200")
    await asked.request("ACK", cseq=asked.cseq)
    named = f"{asked.call_id};to-tag={asked.remote_tag};from-tag={scene.target.tag}"
    early = await colleague.invite("edge", colleague.sdp(), f"Replaces: {named};early-only")
    await early.refused("486")
    taking = await colleague.invite("edge", colleague.sdp(), f"Replaces: {named}")
    answer = await taking.hear("200")
    assert answer.audio_port and "a=recvonly" not in answer.body and "a=inactive" not in answer.body
    await taking.request("ACK")
    left = await ended(scene.target)
    assert (left.get("Call-ID"), left.get("Reason")) == (asked.call_id, ELSEWHERE)
    back = await reoffered(scene.second)
    assert "a=sendonly" not in back.body and "a=inactive" not in back.body
    await taking.request("INFO", "Signal=1\r\n")
    await taking.hear("200", method="INFO")
    assert (await scene.second.hear("INFO")).get("Call-ID") == answered.get("Call-ID")
    await taking.request("BYE")
    await taking.hear("200", method="BYE")
    await ended(scene.second)
    record = await outward.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    ((result, reason),) = steps(record)
    assert result == "taken over" and reason.startswith("from the caller by ")


async def test_nobody_takes_the_place_of_a_carrier_s_caller(scene: Scene, colleague: RawPhone) -> None:
    call, _ = await up(scene)
    named = f"{call.call_id};to-tag={call.remote_tag};from-tag={scene.caller.tag}"
    for phone in (colleague, scene.caller):
        taking = await phone.invite("edge", phone.sdp(), f"Replaces: {named}")
        await taking.refused("603")
        told = await refusal(scene, phone.host)
        assert "carrier" in told["reason"] and "peer_trunk_ids" in told["remedy"]
    await call.request("BYE")
    await ended(scene.target)
    assert steps(await scene.record()) == []


async def test_who_takes_a_caller_s_place_is_not_recorded(scene: Scene, colleague: RawPhone) -> None:
    """It heard no consent message; the recording goes on with the other side alone, and is kept."""
    with End(scene.target.host) as first, End(colleague.host) as new, End(scene.second.host) as other:
        await scene.route(scene.target)
        await allow(scene)
        outward = another(scene, scene.target, scene.second)
        await outward.route(scene.second)
        await record_from_the_bridge_on(outward)
        call = await scene.target.invite(outward.number, scene.target.sdp(port=first.address[1]))
        invite = await scene.second.hear("INVITE")
        await scene.second.answer(invite, 200, scene.second.sdp(port=other.address[1]))
        answer = await call.hear("200")
        await call.request("ACK")
        numbers, host = itertools.count(), scene.server.sip["udp"][0]

        def talk(speaker: End, port: int) -> bool:
            said = b"\x10" * 80 if speaker is first else b"\x20" * 160
            speaker.send(packet(next(numbers), payload=said), (host, port))
            other.send(packet(next(numbers), ssrc=7), (host, invite.audio_port))
            return bool(speaker.received()) and bool(other.received())

        await eventually(lambda: talk(first, answer.audio_port))
        for _ in range(3):
            talk(first, answer.audio_port)
        named = f"{call.call_id};to-tag={call.remote_tag};from-tag={scene.target.tag}"
        taking = await colleague.invite("edge", colleague.sdp(port=new.address[1]), f"Replaces: {named}")
        told = await taking.hear("200")
        await taking.request("ACK")
        await ended(scene.target)
        await eventually(lambda: talk(new, told.audio_port))
        await taking.request("BYE")
        await ended(scene.second)
    record = await outward.record()
    assert record["recording"]["state"] == "ready", record["recording"]
    assert record["hung_up_by"] == "caller"
    octets = record["media"]["caller"]["octets_in"]
    assert octets > 0 and octets % 172 == 0, "figures of the caller who spoke last"
    kept, other_side = await recorded(scene, record)
    assert loudness(0x10) in kept and loudness(0x20) not in kept
    assert loudness(AUDIO[0]) in other_side


async def test_who_took_a_caller_s_place_is_not_recorded_by_the_call_it_is_joined_with(scene: Scene) -> None:
    """Nor does it hear the consent message of that call."""
    api, at = scene.server.api, scene.server.sip["udp"]
    await api.post("trunks", {"name": scene.second.host, "addresses": [f"{scene.second.host}/32"]})
    for pbx in (scene.second, scene.target):
        one = another(scene, scene.caller, pbx)
        await one.route(pbx)
        await allow(one)
    lent = another(scene, scene.second, scene.target)
    with (
        RawPhone(at, host=scene.second.host) as new,
        End(scene.caller.host) as mouth,
        End(scene.second.host) as ear,
    ):
        for one in (lent, scene):
            await one.route(scene.target)
            await allow(one)
            await record_from_the_bridge_on(one)
        out, taken_by = await lent.connected()
        named = f"{out.call_id};to-tag={out.remote_tag};from-tag={scene.second.tag}"
        taking = await new.invite("edge", new.sdp(port=ear.address[1]), f"Replaces: {named}")
        await taking.hear("200")
        await taking.request("ACK")
        await ended(scene.second)
        call, invited = await scene.connected(scene.caller.sdp(port=mouth.address[1]))
        refer = replacing(scene, *dialog_of(taken_by, scene.target))
        await scene.target.say(invited, "REFER", 1, "", refer)
        again = await new.hear("INVITE")
        await new.answer(again, 200, new.sdp(port=ear.address[1]))
        await told_and_left(scene.target)
        numbers, answer = itertools.count(), scene.caller.log

        def heard() -> bool:
            (port,) = {said.audio_port for said in answer if said.audio_port}
            mouth.send(packet(next(numbers), payload=b"\x10" * 160), (at[0], port))
            ear.send(packet(next(numbers), payload=b"\x20" * 160, ssrc=7), (at[0], again.audio_port))
            return bool(ear.received()) and bool(mouth.received())

        await eventually(heard)
        for _ in range(3):
            heard()
        await call.request("BYE")
        await ended(new)
    caller, target = await recorded(scene, await scene.record())
    assert loudness(0x10) in caller
    assert not target.any(), "who was joined"


async def record_from_the_bridge_on(scene: Scene) -> None:
    api = scene.server.api
    campaign_id = (await api.get(f"numbers/{scene.number_id}"))["campaign_id"]
    await api.patch(f"campaigns/{campaign_id}", {"routes": {"record": "connect"}})


async def recorded(scene: Scene, record: dict[str, Any]) -> Samples:
    """A call's recording: the caller's track, and the target's."""
    return await tracks(scene.server.api, f"calls/{record['id']}/recording")


def loudness(octet: int) -> int:
    """The sample that a G.711 µ-law octet stands for."""
    turned = ~octet & 0xFF
    size = (((turned & 0x0F) << 3) + 0x84 << (turned >> 4 & 7)) - 0x84
    return -size if turned & 0x80 else size
