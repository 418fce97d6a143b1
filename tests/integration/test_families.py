"""Carriers and targets of which one speaks IPv4 and the other IPv6 hear each other."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from itertools import count
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.integration.test_attended import allow, told_and_left
from tests.integration.test_crossings import Scene
from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.raw_phone import Outgoing, RawPhone, Said, sdp
from tests.support.rtp_end import End, Rtp, packet
from tests.support.server import Server, eventually, flawless_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

IPV4, IPV6 = "IPv4", "IPv6"
_sequences = count(1000, 1000)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server that listens on an IPv4 and an IPv6 address."""
    listen = json.dumps([f"udp://{own_address()}:0", "udp://[::1]:0"])
    async with flawless_server(tmp_path_factory.mktemp("both"), EDGE_SIP__LISTEN=listen) as running:
        await running.api.post("trunks", {"name": "carrier by IPv6", "addresses": ["::1/128"]})
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ipv4_alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server that listens on an IPv4 address and no other."""
    async with flawless_server(tmp_path_factory.mktemp("ipv4")) as running:
        yield running


class Speaker:
    """A phone with its audio, which both may be of one family or of two."""

    def __init__(self, stack: ExitStack, server: Server, family: str, audio: str = "") -> None:
        listeners = [
            urlsplit(uri)
            for uri in json.loads((server.directory / "ready.json").read_text(encoding="utf-8"))["sip"]
        ]
        at = {IPV6 if ":" in str(uri.hostname) else IPV4: uri for uri in listeners if uri.scheme == "udp"}
        uri = at.get(family, listeners[0])
        host = own_address() if family == IPV4 else "::1"
        self.phone = stack.enter_context(RawPhone((str(uri.hostname), uri.port or 0), host))
        self.audio = stack.enter_context(End(host if audio in ("", family) else _loopback(audio)))
        self.ours = ("", 0)
        self.name = ""

    @property
    def sdp(self) -> str:
        """What it says of its audio: where that is, or the name of its host."""
        host, port = self.audio.address
        return sdp(self.name or host, port)

    def told(self, said: Said) -> str:
        """Takes in a description of ours; the address in it."""
        (line,) = (line for line in said.body.splitlines() if line.startswith("c="))
        _, family, host = line.split()
        assert family == ("IP6" if ":" in host else "IP4")
        self.ours = (host, said.audio_port)
        return host


def _loopback(family: str) -> str:
    return "::1" if family == IPV6 else own_address()


async def hear(talker: Speaker, listener: Speaker) -> None:
    """Lets one say something until the other has heard it, from where it was told to send to itself."""
    listener.audio.received()
    first = next(_sequences)
    said = (packet(n) for n in count(first))

    def heard() -> bool:
        talker.audio.send(next(said), talker.ours)
        return any(Rtp(raw).sequence >= first for raw in listener.audio.received())

    await eventually(heard)


async def connected(scene: Scene, caller: Speaker, target: Speaker, *, late: bool = False) -> Outgoing:
    """A call that is up: the caller's side of it."""
    call = await caller.phone.invite(scene.number, "" if late else caller.sdp)
    invited = await target.phone.hear("INVITE")
    await target.phone.answer(invited, 200, target.sdp)
    await target.phone.hear("ACK")
    answered = await call.hear("200")
    await call.request("ACK", caller.sdp if late else "")
    caller.told(answered)
    target.told(invited)
    return call


async def ended(scene: Scene, call: Outgoing, target: Speaker) -> Json:
    """Hangs up; the call's record."""
    await call.request("BYE")
    await target.phone.answer(await target.phone.hear("BYE"), 200)
    return await scene.record()


async def carrier(server: Server, caller: Speaker) -> None:
    if ":" not in caller.phone.host:
        host = caller.phone.host
        await server.api.post("trunks", {"name": f"carrier {host}", "addresses": [f"{host}/32"]})


@pytest.mark.parametrize("offers", ["early", "late"])
@pytest.mark.parametrize(("calls", "is_called"), [(IPV4, IPV6), (IPV6, IPV4), (IPV6, IPV6)])
async def test_both_hear_each_other(both: Server, calls: str, is_called: str, offers: str) -> None:
    with ExitStack() as stack:
        caller, target = Speaker(stack, both, calls), Speaker(stack, both, is_called)
        scene = Scene(both, caller.phone, target.phone, target.phone)
        await carrier(both, caller)
        await scene.route(target.phone)
        call = await connected(scene, caller, target, late=offers == "late")
        for speaker in (caller, target):
            assert (":" in speaker.ours[0]) == (":" in speaker.phone.host)
        await hear(caller, target)
        await hear(target, caller)
        record = await ended(scene, call, target)
    assert record["disposition"] == "connected"
    for leg in ("caller", "target"):
        assert record["media"][leg]["packets_in"] and record["media"][leg]["packets_out"]


@pytest.mark.parametrize("family", [IPV4, IPV6])
async def test_audio_is_of_the_family_that_its_description_names_whatever_sip_comes_by(
    both: Server, family: str
) -> None:
    other = IPV6 if family == IPV4 else IPV4
    with ExitStack() as stack:
        caller, target = Speaker(stack, both, family, other), Speaker(stack, both, family)
        scene = Scene(both, caller.phone, target.phone, target.phone)
        await carrier(both, caller)
        await scene.route(target.phone)
        call = await connected(scene, caller, target)
        assert (":" in caller.ours[0]) == (other == IPV6)
        await hear(caller, target)
        await hear(target, caller)
        await ended(scene, call, target)


async def test_peers_that_name_their_host_instead_of_an_address_hear_each_other(both: Server) -> None:
    """Before they say anything themselves: they are where their SIP comes from."""
    with ExitStack() as stack:
        caller, target = Speaker(stack, both, IPV4), Speaker(stack, both, IPV6)
        caller.name, target.name = "pbx.example.com", "phone.example.com"
        scene = Scene(both, caller.phone, target.phone, target.phone)
        await carrier(both, caller)
        await scene.route(target.phone)
        call = await connected(scene, caller, target)
        await hear(caller, target)
        await hear(target, caller)
        await ended(scene, call, target)


async def test_a_peer_may_move_from_one_family_to_the_other(both: Server) -> None:
    with ExitStack() as stack:
        caller, target = Speaker(stack, both, IPV4), Speaker(stack, both, IPV6)
        scene = Scene(both, caller.phone, target.phone, target.phone)
        await carrier(both, caller)
        await scene.route(target.phone)
        call = await connected(scene, caller, target)
        for family in (IPV6, IPV4):
            caller.audio = stack.enter_context(End(_loopback(family)))
            await call.request("INVITE", caller.sdp)
            assert (":" in caller.told(await call.hear("200"))) == (family == IPV6)
            await call.request("ACK")
            await hear(caller, target)
        assert [said.start.split()[0] for said in target.phone.log] == ["INVITE", "ACK"]
        await ended(scene, call, target)


@pytest.mark.parametrize("party_first", [False, True])
@pytest.mark.parametrize(("calls", "transfers", "is_joined"), [(IPV4, IPV6, IPV6), (IPV6, IPV4, IPV4)])
async def test_whom_an_attended_transfer_joins_hear_each_other(
    both: Server, calls: str, transfers: str, is_joined: str, party_first: bool
) -> None:
    """The agent has the one by the one family and asks the other by the other, or is asked by it."""
    with ExitStack() as stack:
        caller, agent = Speaker(stack, both, calls), Speaker(stack, both, transfers)
        party = Speaker(stack, both, is_joined)
        scene = Scene(both, caller.phone, agent.phone, agent.phone)
        for speaker in (caller, agent, party):
            await carrier(both, speaker)
        await scene.route(agent.phone)
        await allow(scene)
        invited = await _up(caller, scene.number, agent)
        if party_first:
            other = await _up(party, scene.number, agent)
            ours, theirs = other.get("From").partition(";tag=")[2], agent.phone.tag
            call_id = other.get("Call-ID")
        else:
            consult = Scene(both, agent.phone, party.phone, party.phone)
            await consult.route(party.phone)
            asked = await connected(consult, agent, party)
            call_id, ours, theirs = asked.call_id, asked.remote_tag, agent.phone.tag
        host, port = agent.phone.server
        values = f"{call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3D{theirs}".replace("@", "%40")
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        await agent.phone.say(invited, "REFER", 1, "", f"Refer-To: <sip:edge@{at}?Replaces={values}>")
        again = await party.phone.hear("INVITE")
        await party.phone.answer(again, 200, party.sdp)
        await party.phone.hear("ACK")
        assert (":" in party.told(again)) == (is_joined == IPV6)
        told, _ = await told_and_left(agent.phone)
        assert told[-1] == "SIP/2.0 200 OK"
        await hear(caller, party)
        await hear(party, caller)


async def _up(caller: Speaker, number: str, target: Speaker) -> Said:
    """A call that is up; the INVITE that the target got."""
    call = await caller.phone.invite(number, caller.sdp)
    invited = await target.phone.hear("INVITE")
    await target.phone.answer(invited, 200, target.sdp)
    await target.phone.hear("ACK")
    caller.told(await call.hear("200"))
    await call.request("ACK")
    target.told(invited)
    return invited


async def test_an_answer_of_the_other_family_is_no_answer(both: Server) -> None:
    with ExitStack() as stack:
        caller, wrong = Speaker(stack, both, IPV4), Speaker(stack, both, IPV6, IPV4)
        right = Speaker(stack, both, IPV6)
        scene = Scene(both, caller.phone, wrong.phone, right.phone)
        await carrier(both, caller)
        await scene.route()
        call = await caller.phone.invite(scene.number, caller.sdp)
        invited = await wrong.phone.hear("INVITE")
        await wrong.phone.answer(invited, 200, wrong.sdp)
        await wrong.phone.hear("BYE")
        invited = await right.phone.hear("INVITE")
        await right.phone.answer(invited, 200, right.sdp)
        await call.hear("200")
        await call.request("ACK")
        record = await ended(scene, call, right)
    refused, answered = record["attempts"]
    assert (refused["status"], answered["outcome"]) == (488, "answered")
    assert f"wants audio at {wrong.audio.address[0]}, and was offered it at ::1" in refused["reason"]


async def test_without_ipv6_a_caller_that_needs_it_is_refused(ipv4_alone: Server) -> None:
    with ExitStack() as stack:
        caller, target = Speaker(stack, ipv4_alone, IPV4, IPV6), Speaker(stack, ipv4_alone, IPV4)
        scene = Scene(ipv4_alone, caller.phone, target.phone, target.phone)
        await carrier(ipv4_alone, caller)
        await scene.route(target.phone)
        call = await caller.phone.invite(scene.number, caller.sdp)
        assert (await call.refused("488")).get("Warning").startswith("301 ")
        record = await scene.record()
    assert record["disposition"] == "rejected_no_codec"
    assert "no IPv6 address of ours for audio with ::1: sip.listen has none" in record["disposition_detail"]


async def test_without_ipv6_the_next_target_is_tried_and_nobody_moves_there(ipv4_alone: Server) -> None:
    with ExitStack() as stack:
        caller, target = Speaker(stack, ipv4_alone, IPV4), Speaker(stack, ipv4_alone, IPV4)
        unheard = Speaker(stack, ipv4_alone, IPV6)
        scene = Scene(ipv4_alone, caller.phone, target.phone, unheard.phone)
        await carrier(ipv4_alone, caller)
        await scene.route(unheard.phone, target.phone)
        call = await connected(scene, caller, target)
        await call.request("INVITE", unheard.sdp)
        await call.refused("488")
        await hear(caller, target)
        await hear(target, caller)
        record = await ended(scene, call, target)
    passed_over, answered = record["attempts"]
    assert (passed_over["status"], passed_over["outcome"]) == (0, "unreachable")
    assert "no IPv6 address of ours" in passed_over["reason"]
    assert answered["outcome"] == "answered"
