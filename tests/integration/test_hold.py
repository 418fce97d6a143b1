"""What a caller hears on hold, through the real server: the campaign's prompt, until the target is back."""

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.integration.test_attended import allow, ended, notified, replaces
from tests.integration.test_crossings import Scene
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.rtp_end import AUDIO, End, Rtp, packet
from tests.support.server import Server, eventually, flawless_server
from tests.support.tones import tone
from tests.support.wav import wav_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with flawless_server(tmp_path_factory.mktemp("hold")) as running:
        yield running


@dataclass
class Held:
    """A call that is up, of a campaign with music; both ends send audio."""

    scene: Scene
    call: Outgoing
    invite: Said
    answer: Said
    ear: End
    mouth: End
    calls: int = 1
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def hears_its_peer(self, port: int | None = None) -> set[bool]:
        """Whether what the caller hears now is what the other one sends."""
        host = self.scene.server.sip["udp"][0]
        self.ear.send(packet(next(self.numbers)), (host, self.answer.audio_port))
        self.mouth.send(packet(next(self.numbers), ssrc=7), (host, port or self.invite.audio_port))
        return {Rtp(raw).payload == AUDIO for raw in self.ear.received()}

    async def reoffers(self, direction: str, answered: str, cseq: int) -> None:
        """The target does, and the caller answers."""
        caller, target = self.scene.caller, self.scene.target
        offer = target.sdp(f"a={direction}", port=self.mouth.address[1])
        await target.say(self.invite, "INVITE", cseq, offer)
        again = await caller.hear("INVITE")
        assert ("a=sendonly" in again.body) is (direction != "sendrecv")
        await caller.answer(again, 200, caller.sdp(f"a={answered}", port=self.ear.address[1]))
        await caller.hear("ACK")
        await target.hear("SIP/2.0 200", method="INVITE")
        await target.say(self.invite, "ACK", cseq)


@pytest_asyncio.fixture(loop_scope="module")
async def held(server: Server) -> AsyncIterator[Held]:
    at = server.sip["udp"]
    with RawPhone(at) as caller, RawPhone(at) as target, End(caller.host) as ear, End(target.host) as mouth:
        scene = Scene(server, caller, target, target)
        await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
        music = await server.api.upload_prompt("music", wav_bytes(tone(440, 0.4)))
        await scene.route(target, prompts={"hold_prompt_id": music["id"]})
        await allow(scene, redirect_hosts=[target.host])
        call = await caller.invite(scene.number, caller.sdp(port=ear.address[1]))
        invite = await target.hear("INVITE")
        await target.answer(invite, 200, target.sdp(port=mouth.address[1]))
        await target.hear("ACK")
        answer = await call.hear("200")
        await call.request("ACK")
        held = Held(scene, call, invite, answer, ear, mouth)
        yield held
        assert {one["disposition"] for one in await scene.records(held.calls)} == {"connected"}


async def test_a_target_that_answers_on_hold_leaves_the_caller_the_prompt(held: Held) -> None:
    scene = held.scene
    await held.call.request("BYE")
    await ended(scene.target)
    call = await scene.caller.invite(scene.number, scene.caller.sdp(port=held.ear.address[1]))
    invite = await scene.target.hear("INVITE")
    await scene.target.answer(invite, 200, scene.target.sdp("a=inactive", port=held.mouth.address[1]))
    await scene.target.hear("ACK")
    answer = await call.hear("200")
    assert "a=sendonly" in answer.body
    await call.request("ACK")
    held.ear.received()
    held.answer, held.invite, held.call = answer, invite, call
    await eventually(lambda: held.hears_its_peer() == {False})
    await held.reoffers("sendrecv", "sendrecv", 1)
    await eventually(lambda: held.hears_its_peer() == {True})
    await call.request("BYE")
    await ended(scene.target)
    held.calls = 2


@pytest.mark.parametrize("hold", ["sendonly", "inactive"])
async def test_the_caller_hears_the_prompt_until_the_target_is_back(held: Held, hold: str) -> None:
    await eventually(lambda: held.hears_its_peer() == {True})
    await held.reoffers(hold, "recvonly", 1)
    await eventually(lambda: held.hears_its_peer() == {False})
    await held.reoffers("sendrecv", "sendrecv", 2)
    await eventually(lambda: held.hears_its_peer() == {True})
    await held.call.request("BYE")
    await ended(held.scene.target)


async def test_the_prompt_goes_on_when_the_caller_moves_to_another_address(held: Held) -> None:
    await held.reoffers("inactive", "recvonly", 1)
    await eventually(lambda: held.hears_its_peer() == {False})
    caller, target = held.scene.caller, held.scene.target
    with End(caller.host) as other:
        await held.call.request("INVITE", caller.sdp(port=other.address[1]))
        await target.answer(
            await target.hear("INVITE"), 200, target.sdp("a=inactive", port=held.mouth.address[1])
        )
        assert "a=sendonly" in (await held.call.hear("200")).body
        await held.call.request("ACK")
        held.ear = other
        await eventually(lambda: held.hears_its_peer() == {False})
        await held.reoffers("sendrecv", "sendrecv", 2)
        await eventually(lambda: held.hears_its_peer() == {True})
        await held.call.request("BYE")
        await ended(held.scene.target)


async def test_who_takes_the_call_over_is_heard_instead_of_the_prompt(held: Held) -> None:
    scene = held.scene
    await held.reoffers("inactive", "recvonly", 1)
    await eventually(lambda: held.hears_its_peer() == {False})
    with RawPhone(scene.server.sip["udp"], host=scene.target.host) as colleague:
        offer = colleague.sdp(port=held.mouth.address[1])
        taking = await colleague.invite("edge", offer, *replaces(held.invite, scene.target))
        told = await taking.hear("200")
        await taking.request("ACK")
        back = await scene.caller.hear("INVITE")
        await scene.caller.answer(back, 200, scene.caller.sdp(port=held.ear.address[1]))
        await ended(scene.target)
        await eventually(lambda: held.hears_its_peer(told.audio_port) == {True})
        await held.call.request("BYE")
        await ended(colleague)


async def test_after_a_transfer_that_failed_the_caller_hears_the_prompt_again(held: Held) -> None:
    scene = held.scene
    await held.reoffers("inactive", "recvonly", 1)
    await eventually(lambda: held.hears_its_peer() == {False})
    with RawPhone(scene.server.sip["udp"], host=scene.target.host) as busy:
        await scene.target.say(held.invite, "REFER", 2, "", f"Refer-To: <sip:t@{busy.address}>")
        await busy.answer(await busy.hear("INVITE"), 486)
        assert await notified(scene.target) == "SIP/2.0 100 Trying"
        assert (await notified(scene.target)).startswith("SIP/2.0 486")
    held.ear.received()
    await eventually(lambda: held.hears_its_peer() == {False})
    await held.call.request("BYE")
    await ended(scene.target)
