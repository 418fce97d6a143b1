"""Offers that are taken back, never answered, or cross a transfer: both sides go on with what they share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.test_attended import allow, ended, notified, replaces, up
from tests.integration.test_crossings import Scene
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.server import Server, flawless_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("offers")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def scene(server: Server) -> AsyncIterator[Scene]:
    """``target`` is a phone of a PBX, which is a trunk as well."""
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, RawPhone(at) as second:
        for phone in (caller, target):
            await server.api.post("trunks", {"name": phone.host, "addresses": [f"{phone.host}/32"]})
        yield Scene(server, caller, target, second)


async def over(scene: Scene, call: Outgoing, last: RawPhone) -> None:
    """The caller hangs up, and the record says so."""
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await ended(last)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")


async def taken(phone: RawPhone, said: Said, body: str) -> None:
    """The phone takes an offer."""
    await phone.answer(said, 200, body)
    await phone.hear("ACK")


async def test_a_hold_that_the_caller_takes_back_is_taken_back_of_the_target(scene: Scene) -> None:
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("INVITE", scene.caller.sdp("a=sendonly"))
    held = await scene.target.hear("INVITE")
    assert "a=sendonly" in held.body
    await call.request("CANCEL")
    await call.refused("487")
    await taken(scene.target, held, scene.target.sdp("a=recvonly"))
    again = await scene.target.hear("INVITE")
    assert "a=sendonly" not in again.body and "a=inactive" not in again.body
    await taken(scene.target, again, scene.target.sdp())
    await over(scene, call, scene.target)


async def test_a_caller_that_asks_for_an_offer_and_never_answers_it_may_offer_again(scene: Scene) -> None:
    await scene.route(scene.target)
    call, _ = await scene.connected()
    await call.request("INVITE")
    asked = await scene.target.hear("INVITE")
    assert not asked.body
    await scene.target.answer(asked, 200, scene.target.sdp())
    assert (await call.hear("200")).audio_port
    await call.request("ACK")
    assert (await scene.target.hear("ACK")).audio_port, "its offer needs an answer all the same"
    await call.request("INVITE", scene.caller.sdp("a=sendonly"))
    held = await scene.target.hear("INVITE")
    await taken(scene.target, held, scene.target.sdp("a=recvonly"))
    assert "a=recvonly" in (await call.hear("200")).body
    await call.request("ACK")
    await over(scene, call, scene.target)


@pytest.mark.parametrize("says", ["nothing", "no audio"])
async def test_a_phone_that_takes_a_call_over_and_never_says_what_it_speaks_ends_it(
    scene: Scene, says: str
) -> None:
    call, invited = await up(scene)
    with RawPhone(scene.server.sip["udp"], host=scene.target.host) as colleague:
        taking = await colleague.invite("edge", "", *replaces(invited, scene.target))
        await taking.hear("200")
        await taking.request("ACK", colleague.sdp(port=0) if says == "no audio" else "")
        await ended(scene.target)
        await ended(colleague)
        await ended(scene.caller)
    record = await scene.record()
    assert (record["disposition"], record["hung_up_by"]) == ("error_sip", "server")
    assert "ACK" in record["disposition_detail"]
    assert call.phone is scene.caller


async def test_a_refresh_during_a_transfer_that_fails_leaves_both_with_one_codec(scene: Scene) -> None:
    """The target has chosen its codec; the refresh offers both again, and only we are there to answer."""
    await scene.route(scene.target)
    await allow(scene, redirect_hosts=[scene.second.host])
    call = await scene.caller.invite(scene.number, scene.caller.sdp())
    invited = await scene.target.hear("INVITE")
    await taken(scene.target, invited, scene.target.sdp(formats="8 101"))
    assert "RTP/AVP 8 101" in (await call.hear("200")).body
    await call.request("ACK")
    await scene.target.say(invited, "REFER", 1, "", f"Refer-To: <sip:t@{scene.second.address}>")
    ringing = await scene.second.hear("INVITE")
    await call.request("INVITE", scene.caller.sdp())
    refreshed = await call.hear("200")
    await call.request("ACK")
    await scene.second.answer(ringing, 486)
    assert await notified(scene.target) == "SIP/2.0 100 Trying"
    assert (await notified(scene.target)).startswith("SIP/2.0 486")
    if "RTP/AVP 8 101" not in refreshed.body:
        again = await scene.caller.hear("INVITE")
        assert "RTP/AVP 8 " in again.body
        await taken(scene.caller, again, scene.caller.sdp(formats="8 101"))
    await over(scene, call, scene.target)
