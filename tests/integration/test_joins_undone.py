"""What can not be joined stays as it was: no port is left, or a call ends in the middle of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.calls.joining import Joining
from edge.media.engine import MediaUnavailable
from edge.media.link import Link
from edge.store.group import Group
from tests.integration.test_attended import (
    allow,
    another,
    ended,
    lines,
    notified,
    replaces,
    replacing,
    steps,
    taken,
    told_and_left,
    up,
)
from tests.integration.test_crossings import Scene
from tests.support.inside import inside
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.server import eventually


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """As in ``test_attended``, with the server in this process, to be broken."""
    async with inside(tmp_path) as started:
        server: Any = SimpleNamespace(api=started.api, sip={"udp": started.sip})
        at = started.sip
        with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
            for phone in (caller, target):
                await started.api.post("trunks", {"name": phone.host, "addresses": [f"{phone.host}/32"]})
            yield Scene(server, caller, target, second)


def no_port_is_left(patch: pytest.MonkeyPatch) -> None:
    def taken_all(_: Link, *, promised: bool) -> int:
        raise MediaUnavailable("no RTP port is left")

    patch.setattr(Link, "take_port", taken_all)


def nothing_is_written(patch: pytest.MonkeyPatch) -> None:
    def full(_: Group, *__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    patch.setattr(Group, "_commit", full)


async def ready(scene: Scene, status: int) -> bool:
    """What ``/readyz`` says."""
    api = scene.server.api
    async with api.http.get(f"{api.base}/readyz") as answer:
        return bool(answer.status == status)


async def talking(call: Outgoing, invited: Said, target: RawPhone, cseq: int) -> None:
    """What each of the two says reaches the other."""
    await target.say(invited, "INFO", cseq, "Signal=1\r\n", "Content-Type: application/dtmf-relay")
    heard = await call.phone.hear("INFO")
    assert heard.get("Call-ID") == call.call_id
    await call.phone.answer(heard, 200)
    await call.request("INFO", "Signal=2\r\n", "Content-Type: application/dtmf-relay")
    heard = await target.hear("INFO")
    assert heard.get("Call-ID") == invited.get("Call-ID")
    await target.answer(heard, 200)


async def test_a_take_over_without_a_port_leaves_the_call_as_it_was(scene: Scene) -> None:
    call, invited = await up(scene)
    with RawPhone(scene.server.sip["udp"], host=scene.target.host) as colleague:
        with pytest.MonkeyPatch.context() as patch:
            no_port_is_left(patch)
            taking = await colleague.invite("edge", colleague.sdp(), *replaces(invited, scene.target))
            await taking.refused("503")
        await talking(call, invited, scene.target, 1)
        await call.request("BYE")
        await call.hear("200", method="BYE")
        await ended(scene.target)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    assert [one["outcome"] for one in record["attempts"]] == ["answered"]
    assert steps(record) == []


async def test_a_join_without_a_port_leaves_both_calls_as_they_were(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, answered = await consult.connected()
    with pytest.MonkeyPatch.context() as patch:
        no_port_is_left(patch)
        refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
        await scene.target.say(invited, "REFER", 1, "", refer)
        assert await notified(scene.target) == "SIP/2.0 100 Trying"
        assert (await notified(scene.target)).startswith("SIP/2.0 503")
    await talking(call, invited, scene.target, 2)
    await talking(asked, answered, scene.second, 1)
    assert await taken(scene, desk_id) == 1, "the slot is the other call's again"
    await asked.request("BYE")
    await asked.hear("200", method="BYE")
    await ended(scene.second)
    other = await consult.record()
    assert await taken(scene, desk_id) == 0
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(scene.target)
    first = await scene.record()
    assert (first["disposition"], other["disposition"]) == ("connected", "connected")
    assert [one["outcome"] for one in first["attempts"]] == ["answered", "refused"]
    assert other["disposition_detail"] == ""


async def test_a_party_whose_own_call_is_ended_meanwhile_is_hung_up_on(scene: Scene) -> None:
    """The operator ends the call that lent it, while the party has not yet taken its new address."""
    call, invited = await up(scene)
    api, consult = scene.server.api, another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, _ = await consult.connected()
    (lending,) = [one for one in (await api.get("calls/live"))["items"] if one["called"] == consult.number]
    refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    await scene.target.say(invited, "REFER", 1, "", refer)
    offered = await scene.second.hear("INVITE")
    await api.post(f"calls/{lending['id']}/hangup", {})
    left = await scene.second.hear("BYE")
    assert left.get("Call-ID") == offered.get("Call-ID")
    await scene.second.answer(offered, 487)
    await scene.second.answer(left, 200)
    told, gone = [], ""
    while not (gone and len(told) == 2):
        said = await scene.target.hear("NOTIFY", "BYE")
        await scene.target.answer(said, 200)
        if said.start.startswith("BYE"):
            gone = said.get("Call-ID")
        else:
            told.append(said.body.strip())
    assert gone == asked.call_id, "the call that was to be transferred goes on"
    assert told[0] == "SIP/2.0 100 Trying" and told[1].startswith("SIP/2.0 480")
    (other,) = await consult.records(1)
    assert (other["disposition"], other["hung_up_by"]) == ("connected", "admin")
    await eventually(lambda: free(scene, desk_id))
    await talking(call, invited, scene.target, 2)
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(scene.target)
    first = await scene.record()
    assert (first["disposition"], first["hung_up_by"]) == ("connected", "caller")
    assert await free(scene, desk_id)
    assert [said.start for said in scene.second.log if said.start.startswith("BYE")] == [left.start]


@pytest.mark.parametrize("takes", [True, False])
async def test_who_transfers_may_leave_the_other_call_before_the_party_has_answered(
    scene: Scene, *, takes: bool
) -> None:
    """As many PBXs do: REFER in one call, and at once BYE in the other."""
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, answered = await consult.connected()
    refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    await scene.target.say(invited, "REFER", 1, "", refer)
    offered = await scene.second.hear("INVITE")
    await asked.request("BYE")
    await asked.hear("200", method="BYE")
    if takes:
        await scene.second.answer(offered, 200, scene.second.sdp())
        await scene.second.hear("ACK")
        told = [await notified(scene.target), await notified(scene.target)]
        assert told == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
        assert (await ended(scene.target)).get("Call-ID") == invited.get("Call-ID")
        assert await taken(scene, desk_id) == 1
        await talking(call, answered, scene.second, 1)
    else:
        await scene.second.answer(offered, 488)
        assert await notified(scene.target) == "SIP/2.0 100 Trying"
        assert (await notified(scene.target)).startswith("SIP/2.0 488")
        assert (await ended(scene.second)).get("Call-ID") == offered.get("Call-ID")
        await talking(call, invited, scene.target, 2)
    (other,) = await consult.records(1)
    assert (other["disposition"], other["hung_up_by"]) == ("connected", "caller")
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(scene.second if takes else scene.target)
    first = await scene.record()
    assert (first["disposition"], first["hung_up_by"]) == ("connected", "caller")
    await eventually(lambda: free(scene, desk_id))


async def test_a_party_that_hangs_up_while_its_slots_move_has_hung_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, gone = asyncio.Event(), asyncio.Event()
    whole = Joining._move_slots

    async def slowly(joining: Joining) -> Any:
        reached.set()
        await gone.wait()
        return await whole(joining)

    monkeypatch.setattr(Joining, "_move_slots", slowly)
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, answered = await consult.connected()
    refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    await scene.target.say(invited, "REFER", 1, "", refer)
    await reached.wait()
    await scene.second.say(answered, "BYE", 1)
    await scene.second.hear("SIP/2.0 200", method="BYE")
    gone.set()
    assert await notified(scene.target) == "SIP/2.0 100 Trying"
    assert (await notified(scene.target)).startswith("SIP/2.0 480")
    assert (await ended(scene.target)).get("Call-ID") == asked.call_id
    (other,) = await consult.records(1)
    assert (other["disposition"], other["hung_up_by"]) == ("connected", "target")
    await eventually(lambda: free(scene, desk_id))
    await talking(call, invited, scene.target, 2)
    await call.request("BYE")
    await ended(scene.target)
    assert (await scene.record())["hung_up_by"] == "caller"


async def test_what_a_party_asks_while_it_is_lent_is_put_off_at_once(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    await lines(consult, 1)
    await allow(consult)
    asked, answered = await consult.connected()
    refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    await scene.target.say(invited, "REFER", 1, "", refer)
    offered = await scene.second.hear("INVITE")
    with RawPhone(scene.server.sip["udp"], host=scene.second.host) as colleague:
        taking = await colleague.invite("edge", colleague.sdp(), *replaces(answered, scene.second))
        await taking.hear("491")
        to = f"Refer-To: <sip:t@{scene.target.address}>"
        await scene.second.say(answered, "REFER", 1, "", to)
        await scene.second.hear("SIP/2.0 491", method="REFER")
    await scene.second.answer(offered, 200, scene.second.sdp())
    await told_and_left(scene.target)
    await call.request("BYE")
    await ended(scene.second)
    assert (await scene.record())["disposition"] == "connected"


async def test_a_slot_goes_back_though_the_store_is_down_when_the_party_refuses(scene: Scene) -> None:
    call, invited = await up(scene)
    consult = another(scene, scene.target, scene.second)
    desk_id = await lines(consult, 1)
    asked, _ = await consult.connected()
    refer = replacing(scene, asked.call_id, asked.remote_tag, scene.target.tag)
    await scene.target.say(invited, "REFER", 1, "", refer)
    offered = await scene.second.hear("INVITE")
    with pytest.MonkeyPatch.context() as patch:
        nothing_is_written(patch)
        await scene.second.answer(offered, 488)
        assert await notified(scene.target) == "SIP/2.0 100 Trying"
        assert (await notified(scene.target)).startswith("SIP/2.0 488")
        await eventually(lambda: ready(scene, 503))
    await eventually(lambda: ready(scene, 200))
    assert await taken(scene, desk_id) == 1, "the slot is the other call's again"
    await asked.request("BYE")
    await asked.hear("200", method="BYE")
    await ended(scene.second)
    await consult.record()
    assert await taken(scene, desk_id) == 0
    await call.request("BYE")
    await ended(scene.target)
    assert (await scene.record())["disposition"] == "connected"


async def test_a_transfer_that_can_not_be_counted_is_refused_and_the_call_goes_on(scene: Scene) -> None:
    await lines(scene, 1)
    call, invited = await up(scene)
    with pytest.MonkeyPatch.context() as patch:
        nothing_is_written(patch)
        await scene.target.say(invited, "REFER", 1, "", f"Refer-To: <sip:t@{scene.second.address}>")
        await scene.target.hear("SIP/2.0 503", method="REFER")
    await eventually(lambda: ready(scene, 200))
    await talking(call, invited, scene.target, 2)
    await call.request("BYE")
    await ended(scene.target)
    record = await scene.record()
    assert record["disposition"] == "connected"
    ((result, reason),) = steps(record)
    assert result == "refused" and reason.endswith("the store can not write")


async def free(scene: Scene, owner: str) -> bool:
    return await taken(scene, owner) == 0
