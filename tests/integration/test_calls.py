"""Whole calls through the running server, placed and taken by SIPp: the ladder of each, and its record."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api import Json
from tests.support.ports import free_port, own_address
from tests.support.raw_phone import RawPhone
from tests.support.scenario import (
    ack,
    ack_refusal,
    answer,
    arrives,
    bye,
    called,
    cancel,
    expect,
    invite,
    options,
    pause,
    provisional,
    reinvite,
    reply,
    sdp,
    target_request,
    written,
)
from tests.support.server import Server, eventually, finished, running_server
from tests.support.sipp import Result, Sipp, call, sipp
from tests.support.tones import tone
from tests.support.wav import wav_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

_digits = itertools.count(18005550200)

ANSWERED = (called(), answer(180), answer(200, sdp()), arrives("ACK"))
TAKES_THE_CALL = (*ANSWERED, arrives("BYE"), reply())
CONNECTS = (invite(sdp()), provisional(), expect(200), ack())
CALLS = (*CONNECTS, pause(0.1), bye())
STAYS = (*CONNECTS, arrives("BYE"), reply())
"""Until ``hang_up``."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for all these tests: each has a trunk, a number and targets of its own."""
    async with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@dataclass
class Line:
    """A number of the running server with its route, and the address that its trunk is known by."""

    server: Server
    directory: Path
    host: str
    e164: str
    number: Json
    targets: list[Json]
    transport: str

    async def call(self, *steps: str, transport: str = "", seconds: float = 45) -> Result:
        """Places one call to the number and waits for its end."""
        transport = transport or self.transport
        scenario = written(self.directory, "caller", *steps)
        address = self.server.address(transport)
        return await call(
            self.directory, address, self.e164, scenario, host=self.host, transport=transport, limit_s=seconds
        )

    async def records(self, count: int) -> list[Json]:
        """The number's calls, finished, oldest first, once there are ``count``."""
        return await finished(self.server.api, count, number_id=self.number["id"])

    async def record(self) -> Json:
        """The number's only call, finished."""
        return (await self.records(1))[0]


class World:
    """Makes the targets and lines of one test, and ends its SIPps with it; all speak over ``transport``
    unless a test says otherwise."""

    def __init__(
        self, server: Server, directory: Path, stack: AsyncExitStack, transport: str = "udp"
    ) -> None:
        self.server = server
        self.directory = directory
        self._stack = stack
        self.transport = transport
        self._count = itertools.count(1)

    async def target(self, *steps: str, transport: str = "", calls: int = 1) -> Sipp:
        """A SIPp that plays a target, ``calls`` times."""
        transport = transport or self.transport
        scenario = written(self.directory, f"target-{next(self._count)}", *steps)
        playing = sipp(self.directory, scenario, transport=transport, calls=calls)
        return await self._stack.enter_async_context(playing)

    def phone(self, host: str = "") -> RawPhone:
        """A phone of which each word waits for the test's, on a host of its own or on this one."""
        return self._stack.enter_context(RawPhone(self.server.sip["udp"], host or own_address()))

    async def line(self, *addresses: str, campaign: Json | None = None, **number: Any) -> Line:
        """A number routed to SIP addresses (``host:port`` and URI parameters), tried in this order."""
        api, host, e164 = self.server.api, own_address(), f"+{next(_digits)}"
        await api.post("trunks", {"name": host, "addresses": [f"{host}/32"]})
        fields = (campaign or {}).pop("target", {})
        if self.transport == "tcp":
            addresses = tuple(f"{address};transport=tcp" for address in addresses)
        targets = [
            await api.post("targets", {"name": address, "address": f"sip:sales@{address}", **fields})
            for address in addresses
        ]
        routes = [{"target_id": t["id"], "priority": place} for place, t in enumerate(targets)]
        body = {"name": e164, **(campaign or {})}
        body["routes"] = {"targets": routes, **body.pop("routes", {})}
        made = await api.post("campaigns", body)
        numbered = await api.post("numbers", {"e164": e164, "campaign_id": made["id"], **number})
        return Line(self.server, self.directory, host, e164, numbered, targets, self.transport)


@pytest_asyncio.fixture(loop_scope="module")
async def world(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(server, tmp_path, stack, getattr(request, "param", "udp"))


over_both = pytest.mark.parametrize("world", ["udp", "tcp"], indirect=True)
"""The same by datagrams and by connections."""


def outcomes(record: Json) -> list[str]:
    return [attempt["outcome"] for attempt in record["attempts"]]


# -- success --------------------------------------------------------------------------------------------


async def test_a_call_is_bridged_and_its_record_says_so(world: World) -> None:
    target = await world.target(called(having="X-Edge-Call-ID: call_"), *TAKES_THE_CALL[1:])
    line = await world.line(target.address, tags={"channel": "tv"})
    (await line.call(invite(sdp()), expect(100), expect(180), expect(200), ack(), pause(0.1), bye())).check()
    (await target.result()).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "caller")
    assert (record["caller"], record["called"]) == ("+12125550100", line.e164)
    assert record["tags"]["channel"]["value"] == "tv"
    assert outcomes(record) == ["answered"]
    instants = [record[name] for name in ("started_at", "answered_at", "connected_at", "ended_at")]
    assert all(instants)
    assert instants[0] == min(instants)
    assert instants[-1] == max(instants)
    assert [step["step"] for step in record["decision"]["steps"]][:3] == ["number", "paused", "hours"]
    assert record["decision"]["candidates"][0]["reason"] == "answered"


async def test_the_target_hangs_up(world: World) -> None:
    target = world.phone()
    line = await world.line(target.address)
    caller = world.phone(line.host)
    call = await caller.invite(line.e164, caller.sdp())
    invited = await target.hear("INVITE")
    await target.answer(invited, 200, target.sdp())
    await call.hear("200")
    await call.request("ACK")
    await target.say(invited, "BYE", 1)
    await caller.answer(await caller.hear("BYE"), 200)
    await target.hear("SIP/2.0 200", method="BYE")
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "target")


@over_both
async def test_early_media_reaches_the_caller(world: World) -> None:
    target = await world.target(called(), answer(183, sdp()), pause(0.1), *TAKES_THE_CALL[2:])
    line = await world.line(target.address)
    early = expect(183, having="m=audio [1-9]")
    (await line.call(invite(sdp()), expect(100), early, expect(200), ack(), bye())).check()
    (await target.result()).check()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_tcp_on_either_side(world: World, transport: str) -> None:
    other = {"udp": "tcp", "tcp": "udp"}[transport]
    target = await world.target(*TAKES_THE_CALL, transport=other)
    line = await world.line(f"{target.address};transport={other}")
    (await line.call(*CALLS, transport=transport)).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


@over_both
async def test_a_late_offer_is_answered_with_ours(world: World) -> None:
    target = await world.target(called(having="m=audio"), *TAKES_THE_CALL[1:])
    line = await world.line(target.address)
    offered = expect(200, having="m=audio [1-9][0-9]* RTP/AVP")
    (await line.call(invite(), provisional(), offered, ack(sdp()), pause(0.1), bye())).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


# -- failover -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(486, "busy"), (480, "no_answer"), (403, "refused"), (503, "unreachable"), (302, "refused")],
)
async def test_a_target_that_does_not_take_the_call_gives_way(
    world: World, status: int, outcome: str
) -> None:
    first = await world.target(called(), answer(status), arrives("ACK"))
    second = await world.target(*TAKES_THE_CALL)
    line = await world.line(first.address, second.address)
    (await line.call(*CALLS)).check()
    (await first.result()).check()
    (await second.result()).check()
    record = await line.record()
    assert outcomes(record) == [outcome, "answered"]
    assert record["attempts"][0]["status"] == status
    assert record["disposition"] == "connected"


@over_both
async def test_a_target_that_rings_too_long_is_cancelled_and_the_next_dialled(world: World) -> None:
    first = await world.target(called(), answer(180), arrives("CANCEL"), reply(), answer(487), arrives("ACK"))
    second = await world.target(*TAKES_THE_CALL)
    line = await world.line(first.address, second.address, campaign={"target": {"ring_timeout_s": 1}})
    (await line.call(*CALLS)).check()
    (await first.result()).check()
    assert outcomes(await line.record()) == ["no_answer", "answered"]


async def test_a_closed_port_is_unreachable_at_once(world: World) -> None:
    host = own_address()
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(f"{host}:{free_port(host)};transport=tcp", target.address)
    (await line.call(*CALLS, seconds=10)).check()
    assert outcomes(await line.record()) == ["unreachable", "answered"]


@pytest.mark.parametrize(
    ("statuses", "refused", "disposition"),
    [
        ((486, 600), 486, "busy"),
        ((488, 606), 488, "rejected_no_codec"),
        ((486, 403), 480, "target_failed"),
        ((480, 486), 480, "no_answer"),
    ],
)
async def test_when_nobody_takes_the_call_the_caller_hears_why(
    world: World, statuses: tuple[int, ...], refused: int, disposition: str
) -> None:
    targets = [await world.target(called(), answer(status), arrives("ACK")) for status in statuses]
    line = await world.line(*(target.address for target in targets))
    (await line.call(invite(sdp()), provisional(), expect(refused), ack_refusal())).check()
    for target in targets:
        (await target.result()).check()
    record = await line.record()
    assert record["disposition"] == disposition
    assert record["answered_at"] is None


async def test_a_full_target_is_passed_over(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(own_address(), target.address)
    await world.server.api.patch(f"targets/{line.targets[0]['id']}", {"max_calls": 0})
    (await line.call(*CALLS)).check()
    record = await line.record()
    reasons = {c["target_id"]: c["reason"] for c in record["decision"]["candidates"]}
    assert reasons == {line.targets[0]["id"]: "capped", line.targets[1]["id"]: "answered"}


# -- the caller hangs up, in each state -------------------------------------------------------------------


@over_both
async def test_cancel_before_the_target_rings(world: World) -> None:
    target = await world.target(
        called(), answer(100, phrase="Trying"), arrives("CANCEL"), reply(), answer(487), arrives("ACK")
    )
    line = await world.line(target.address)
    # Time for the call to be written and the target to be dialled; the caller is told nothing of that.
    gone = (expect(100), pause(2), cancel(), expect(200), expect(487), ack_refusal())
    (await line.call(invite(sdp()), *gone)).check()
    (await target.result()).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("caller_hung_up_ringing", "caller")
    assert outcomes(record) == ["caller_gone"]


@over_both
async def test_cancel_while_the_target_rings(world: World) -> None:
    target = await world.target(
        called(), answer(180), arrives("CANCEL"), reply(), answer(487), arrives("ACK")
    )
    line = await world.line(target.address, caps=[{"window": "concurrency", "limit": 1}])
    gone = (expect(100), expect(180), cancel(), expect(200), expect(487), ack_refusal())
    (await line.call(invite(sdp()), *gone)).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "caller_hung_up_ringing"


async def test_hanging_up_during_the_greeting(world: World, server: Server) -> None:
    greeting = await server.api.upload_prompt("greeting", wav_bytes(tone(440, 5)))
    line = await world.line(own_address(), campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    (
        await line.call(invite(sdp()), expect(100, optional=True), expect(200), ack(), pause(0.2), bye())
    ).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("caller_hung_up_prompt", "caller")
    assert record["attempts"] == []


async def test_hanging_up_while_the_target_rings_after_a_greeting(world: World, server: Server) -> None:
    greeting = await server.api.upload_prompt("short", wav_bytes(tone(440, 0.2)))
    target = world.phone()
    line = await world.line(target.address, campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    caller = world.phone(line.host)
    call = await caller.invite(line.e164, caller.sdp())
    await call.hear("200")
    await call.request("ACK")
    ringing = await target.hear("INVITE")
    await target.answer(ringing, 180)
    await call.request("BYE")
    await call.hear("200", method="BYE")
    await target.answer(await target.hear("CANCEL"), 200)
    await target.answer(ringing, 487)
    assert (await line.record())["disposition"] == "caller_hung_up_ringing"


# -- re-INVITEs -------------------------------------------------------------------------------------------


def refreshed(direction: str, answered: str, cseq: int, version: int) -> str:
    """A re-INVITE of the caller's, its answer, and the ACK."""
    offer = reinvite(sdp(direction, version), cseq)
    return offer + expect(100, optional=True) + expect(200, having=f"a={answered}") + ack(cseq=cseq)


@over_both
async def test_hold_and_resume_cross_from_the_caller(world: World) -> None:
    held = (arrives("INVITE", having="a=sendonly"), reply(200, sdp("recvonly", 2)), arrives("ACK"))
    back = (arrives("INVITE", having="a=sendrecv"), reply(200, sdp("sendrecv", 3)), arrives("ACK"))
    target = await world.target(*ANSWERED, *held, *back, arrives("BYE"), reply())
    line = await world.line(target.address)
    hold, resume = refreshed("sendonly", "recvonly", 2, 2), refreshed("sendrecv", "sendrecv", 3, 3)
    (await line.call(*CONNECTS, hold, resume, bye(4))).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


@over_both
async def test_hold_crosses_from_the_target(world: World) -> None:
    hold = (
        target_request("INVITE", 1, sdp("sendonly", 2)),
        expect(100, optional=True),
        expect(200, having="a=recvonly"),
        target_request("ACK", 1),
    )
    target = await world.target(*ANSWERED, pause(0.1), *hold, arrives("BYE"), reply())
    line = await world.line(target.address)
    held = (arrives("INVITE", having="a=sendonly"), reply(200, sdp("recvonly", 2)), arrives("ACK"))
    (await line.call(*CONNECTS, *held, pause(0.1), bye())).check()
    (await target.result()).check()


@over_both
async def test_a_refused_reinvite_leaves_the_call_as_it_was(world: World) -> None:
    refused = (arrives("INVITE"), reply(488), arrives("ACK"))
    target = await world.target(*ANSWERED, *refused, arrives("BYE"), reply())
    line = await world.line(target.address)
    asked = (
        reinvite(sdp("sendonly", 2), 2),
        expect(100, optional=True),
        expect(488),
        ack_refusal(2, "[next_url]"),
    )
    (await line.call(*CONNECTS, *asked, pause(0.1), bye(3))).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


async def test_a_caller_that_refuses_the_targets_codec_keeps_its_own(world: World) -> None:
    """The greeting fixed PCMU with the caller, the target chose PCMA: one of the two has to move."""
    greeting = await world.server.api.upload_prompt("codec", wav_bytes(tone(440, 0.2)))
    chosen = answer(200, sdp(formats="8 101"))
    moved = (
        arrives("INVITE", having="RTP/AVP 0 101"),
        reply(200, sdp(version=2, formats="0 101")),
        arrives("ACK"),
    )
    hangs_up = (target_request("BYE", 1), expect(200))
    target = await world.target(called(), answer(180), chosen, arrives("ACK"), *moved, *hangs_up)
    line = await world.line(target.address, campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    refused = (arrives("INVITE", having="RTP/AVP 8"), reply(488), arrives("ACK"))
    (await line.call(*CONNECTS, *refused, arrives("BYE"), reply())).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


# -- refusals and announcements -----------------------------------------------------------------------------


async def test_an_unknown_number_is_refused_with_404(world: World) -> None:
    line = await world.line(own_address())
    line.e164 = "+18005559999"
    (await line.call(invite(sdp()), expect(100, optional=True), expect(404), ack_refusal())).check()


async def test_a_paused_campaign_refuses_with_480_from_the_next_call_on(world: World) -> None:
    line = await world.line(own_address())
    await world.server.api.patch(f"campaigns/{line.number['campaign_id']}", {"state": "paused"})
    (await line.call(invite(sdp()), expect(100, optional=True), expect(480), ack_refusal())).check()
    assert (await line.record())["disposition"] == "rejected_paused"


async def test_after_hours_the_caller_hears_the_message_and_is_hung_up_on(world: World) -> None:
    closed = {"timezone": "America/New_York", "weekly": {}, "after_hours": {"action": "message"}}
    line = await world.line(own_address(), hours=closed)
    heard = (
        expect(100, optional=True),
        expect(200),
        ack(),
        arrives("BYE", having="Reason: Q.850;cause=16"),
        reply(),
    )
    (await line.call(invite(sdp()), *heard, seconds=30)).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("after_hours_message", "server")
    assert record["answered_at"] is not None
    assert record["connected_at"] is None


async def test_a_number_over_its_cap_refuses_with_486(world: World) -> None:
    none = [{"window": "concurrency", "limit": 0, "on_cap": {"action": "reject"}}]
    line = await world.line(own_address(), caps=none)
    (await line.call(invite(sdp()), expect(100, optional=True), expect(486), ack_refusal())).check()
    assert (await line.record())["disposition"] == "number_cap"


async def test_a_caller_may_leave_an_announcement_before_its_end(world: World) -> None:
    line = await world.line(own_address(), hours={"timezone": "UTC", "weekly": {}})
    (await line.call(invite(sdp()), provisional(), expect(200), ack(), pause(0.2), bye())).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("after_hours_message", "caller")


async def test_a_late_offer_hears_a_greeting_as_well(world: World) -> None:
    greeting = await world.server.api.upload_prompt("late", wav_bytes(tone(440, 0.3)))
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(target.address, campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    ours = expect(200, having="m=audio [1-9][0-9]* RTP/AVP")
    scenario = written(
        world.directory, "late", invite(), provisional(), ours, ack(sdp()), arrives("BYE"), reply()
    )
    async with sipp(
        world.directory, scenario, world.server.address(), "-s", line.e164, host=line.host
    ) as talking:
        await eventually(lambda: _connected(line))
        await hang_up(line)
        (await talking.result()).check()
    (await target.result()).check()
    assert (await line.record())["disposition"] == "connected"


# -- the last slot, and the last resort ------------------------------------------------------------------


async def test_a_number_takes_as_many_calls_at_once_as_its_cap_says(world: World) -> None:
    one = [{"window": "concurrency", "limit": 1, "on_cap": {"action": "reject"}}]
    target = await world.target(*TAKES_THE_CALL, calls=2)
    line = await world.line(target.address, caps=one)
    refused = (invite(sdp()), expect(100, optional=True), expect(486), ack_refusal())
    scenario = written(world.directory, "long", *STAYS)
    async with sipp(
        world.directory, scenario, world.server.address(), "-s", line.e164, host=line.host
    ) as talking:
        await eventually(lambda: _connected(line))
        (await line.call(*refused)).check()
        await hang_up(line)
        (await talking.result()).check()
    await line.records(2)
    (await line.call(*CALLS)).check()
    ended = [record["disposition"] for record in await line.records(3)]
    assert ended == ["connected", "number_cap", "connected"]


async def test_the_last_slot_of_a_target_is_dialled_once_and_the_other_call_goes_on(world: World) -> None:
    first, second = await world.target(*TAKES_THE_CALL), await world.target(*TAKES_THE_CALL)
    line = await world.line(first.address, second.address)
    await world.server.api.patch(f"targets/{line.targets[0]['id']}", {"max_calls": 1})
    scenario = written(world.directory, "two", *STAYS)
    at_once = ("-s", line.e164, "-r", "1000", "-l", "2")
    async with sipp(
        world.directory, scenario, world.server.address(), *at_once, host=line.host, calls=2
    ) as both:
        await eventually(lambda: _connected(line, 2))
        await hang_up(line)
        (await both.result()).check(2)
    answered = [record["attempts"][-1]["target_id"] for record in await line.records(2)]
    assert sorted(answered) == sorted(target["id"] for target in line.targets)


async def test_a_call_that_rings_out_gives_its_slot_back_and_one_that_connects_does_not(world: World) -> None:
    silent = (called(), answer(180), arrives("CANCEL"), reply(), answer(487), arrives("ACK"))
    today = {"timezone": midday(), "caps": [{"window": "day", "limit": 1}], "ring_timeout_s": 1}
    line = await world.line(own_address(), campaign={"target": today})
    target_id = line.targets[0]["id"]
    connects = (TAKES_THE_CALL, (*CONNECTS[2:], bye()))
    for count, (steps, heard) in enumerate(((silent, (expect(480), ack_refusal())), connects), 1):
        target = await world.target(*steps)
        await world.server.api.patch(f"targets/{target_id}", {"address": f"sip:sales@{target.address}"})
        (await line.call(invite(sdp()), provisional(), *heard)).check()
        (await target.result()).check()
        await line.records(count)  # with which the slot is given back
    (await line.call(invite(sdp()), provisional(), expect(480), ack_refusal())).check()
    ended = [record["disposition"] for record in await line.records(3)]
    assert ended == ["no_answer", "connected", "no_target_all_capped"]


def midday() -> str:
    """A zone where it is about noon now, so that no window ends under a test."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


async def _connected(line: Line, calls: int = 1) -> bool:
    return len([call for call in await _live(line) if call["connected_at"]]) == calls


async def _live(line: Line) -> list[Json]:
    live = (await line.server.api.get("calls/live"))["items"]
    return [call for call in live if call["number_id"] == line.number["id"]]


async def hang_up(line: Line) -> None:
    """As an operator does: a call lasts as long as the test needs it, on a slow machine too."""
    for up in await _live(line):
        await line.server.api.post(f"calls/{up['id']}/hangup", {})


async def test_overflow_plays_a_message_when_no_target_takes_the_call(world: World) -> None:
    busy = await world.target(called(), answer(486), arrives("ACK"))
    line = await world.line(busy.address, campaign={"routes": {"overflow": {"action": "message"}}})
    heard = (provisional(), expect(200), ack(), arrives("BYE", having="Reason: SIP;cause=486"), reply())
    (await line.call(invite(sdp()), *heard, seconds=30)).check()
    record = await line.record()
    assert record["disposition"] == "busy"
    assert "overflow" in record["disposition_detail"]


async def test_overflow_may_dial_one_more_target_whatever_max_attempts_says(world: World) -> None:
    busy = await world.target(called(), answer(486), arrives("ACK"))
    spare = await world.target(*TAKES_THE_CALL)
    line = await world.line(busy.address)
    last = await world.server.api.post("targets", {"name": "last", "address": f"sip:x@{spare.address}"})
    overflow = {"max_attempts": 1, "overflow": {"action": "forward", "target_id": last["id"]}}
    await world.server.api.patch(f"campaigns/{line.number['campaign_id']}", {"routes": overflow})
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert (record["disposition"], outcomes(record)) == ("connected", ["busy", "answered"])


async def test_a_target_that_fills_up_while_another_rings_is_passed_over(world: World) -> None:
    rings, taken = world.phone(), await world.target(*TAKES_THE_CALL)
    first = await world.line(rings.address, taken.address)
    await world.server.api.patch(f"targets/{first.targets[1]['id']}", {"max_calls": 1})
    other = await world.line()
    route = {"targets": [{"target_id": first.targets[1]["id"]}]}
    await world.server.api.patch(f"campaigns/{other.number['campaign_id']}", {"routes": route})
    scenario = written(world.directory, "other", *STAYS)
    waits = written(world.directory, "waits", invite(sdp()), provisional(), expect(480), ack_refusal())
    address = world.server.address()
    async with sipp(world.directory, waits, address, "-s", first.e164, host=first.host) as waiting:
        ringing = await rings.hear("INVITE")
        await rings.answer(ringing, 180)
        async with sipp(world.directory, scenario, address, "-s", other.e164, host=other.host) as talking:
            await eventually(lambda: _connected(other))
            await rings.answer(ringing, 480)
            (await waiting.result()).check()
            await hang_up(other)
            (await talking.result()).check()
    record = await first.record()
    reasons = [candidate["reason"] for candidate in record["decision"]["candidates"]]
    assert (reasons, outcomes(record)) == (["no_answer", "capped"], ["no_answer"])


async def test_after_a_greeting_a_busy_target_ends_the_call_with_its_reason(world: World) -> None:
    greeting = await world.server.api.upload_prompt("brief", wav_bytes(tone(440, 0.2)))
    busy = await world.target(called(), answer(486), arrives("ACK"))
    line = await world.line(busy.address, campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    told = (provisional(), expect(200), ack(), arrives("BYE", having="Reason: SIP;cause=486"), reply())
    (await line.call(invite(sdp()), *told, seconds=30)).check()
    assert (await line.record())["disposition"] == "busy"


async def test_at_most_max_attempts_targets_are_dialled(world: World) -> None:
    targets = [await world.target(called(), answer(403), arrives("ACK")) for _ in range(2)]
    spare = await world.target(*TAKES_THE_CALL)
    addresses = [*(target.address for target in targets), spare.address]
    line = await world.line(*addresses, campaign={"routes": {"max_attempts": 2}})
    (await line.call(invite(sdp()), provisional(), expect(480), ack_refusal())).check()
    assert outcomes(await line.record()) == ["refused", "refused"]


# -- who calls, and what the target sees ----------------------------------------------------------------


async def test_where_a_trunk_is_known_by_its_credentials_strangers_are_challenged(world: World) -> None:
    line = await world.line(own_address())
    await world.server.api.post("trunks", {"name": "by name", "username": "alice", "password": "s3cret"})
    line.host = own_address()
    asked = expect(401, having="WWW-Authenticate: Digest realm=.*algorithm=SHA-256")
    (await line.call(invite(sdp()), asked, ack_refusal())).check()
    (await line.call(options(), expect(401))).check()


@over_both
async def test_a_target_that_challenges_gets_our_credentials(world: World) -> None:
    challenge = 'WWW-Authenticate: Digest realm="pbx",nonce="abc",algorithm=MD5,qop="auth"'
    asked = (called(), answer(401, None, challenge, phrase="Unauthorized"), arrives("ACK"))
    target = await world.target(*asked, called(having="Authorization: Digest"), *TAKES_THE_CALL[1:])
    login = {"target": {"username": "edge", "password": "s3cret"}}
    line = await world.line(target.address, campaign=login)
    (await line.call(*CALLS)).check()
    (await target.result()).check()
    assert outcomes(await line.record()) == ["answered"]


async def test_the_target_sees_its_headers_filled_and_one_hop_less(world: World) -> None:
    first = await world.target(called(having="Max-Forwards: 69"), answer(403), arrives("ACK"))
    second = await world.target(called(having="X-Digits: 12125550100 tv"), *TAKES_THE_CALL[1:])
    headers = {"target": {"headers": {"X-Digits": "[caller_number_no_plus] [tag:channel]"}}}
    line = await world.line(first.address, second.address, campaign=headers, tags={"channel": "tv"})
    (await line.call(*CALLS)).check()
    (await first.result()).check()
    (await second.result()).check()


async def test_options_is_answered_with_what_we_can_do(world: World) -> None:
    line = await world.line(own_address())
    (await line.call(options(), expect(200, having="Allow: INVITE"))).check()


async def test_a_caller_without_a_codec_of_the_target_hears_488(world: World) -> None:
    """G.729 alone passes to a target that has it, and is refused by one that is held to PCMU."""
    g729 = sdp(formats="18")
    target = await world.target(called(having="RTP/AVP 18"), answer(200, g729), *TAKES_THE_CALL[3:])
    line = await world.line(target.address)
    (await line.call(invite(g729), provisional(), expect(200), ack(), bye())).check()
    (await target.result()).check()
    narrow = await world.line(own_address(), campaign={"target": {"sip": {"codecs": ["PCMU"]}}})
    (await narrow.call(invite(g729), provisional(), expect(488), ack_refusal())).check()
    assert (await narrow.record())["disposition"] == "rejected_no_codec"


async def test_a_greeting_that_can_not_be_played_is_skipped_and_a_message_refused(world: World) -> None:
    """The caller offers G.729 alone, which passes through but which we do not encode."""
    g729 = sdp(formats="18")
    greeting = await world.server.api.upload_prompt("unheard", wav_bytes(tone(440, 0.2)))
    target = await world.target(called(), answer(180), answer(200, g729), *TAKES_THE_CALL[3:])
    line = await world.line(target.address, campaign={"prompts": {"greeting_prompt_id": greeting["id"]}})
    (await line.call(invite(g729), expect(100), expect(180), expect(200), ack(), bye())).check()
    steps = {(step["step"], step["result"]) for step in (await line.record())["decision"]["steps"]}
    assert ("greeting", "skipped") in steps
    closed = await world.line(own_address(), hours={"timezone": "UTC", "weekly": {}})
    (await closed.call(invite(g729), provisional(), expect(488), ack_refusal())).check()


async def test_early_media_of_a_target_that_gives_way_does_not_spoil_the_next(world: World) -> None:
    first = await world.target(called(), answer(183, sdp()), pause(0.2), answer(486), arrives("ACK"))
    second = await world.target(called(), answer(180), answer(200, sdp(formats="8 101")), *TAKES_THE_CALL[3:])
    line = await world.line(first.address, second.address)
    (await line.call(*CALLS)).check()
    (await second.result()).check()
    assert outcomes(await line.record()) == ["busy", "answered"]


async def test_a_trunk_over_its_own_limit_is_told_to_come_back_in_a_second(world: World) -> None:
    line = await world.line(own_address())
    trunks = (await world.server.api.get("trunks", name=line.host))["items"]
    await world.server.api.patch(f"trunks/{trunks[0]['id']}", {"max_calls": 0})
    full = expect(503, having="Retry-After: 1")
    (await line.call(invite(sdp()), expect(100, optional=True), full, ack_refusal())).check()


async def test_a_phone_number_is_dialled_through_a_trunk_in_its_own_format(world: World) -> None:
    carrier = await world.target(called(having="INVITE sip:9913125550177@"), *TAKES_THE_CALL[1:])
    line = await world.line()
    out = {
        "name": "out",
        "addresses": [f"{own_address()}/32"],
        "proxy": f"sip:{carrier.address}",
        "sip": {"number_format": "e164", "tech_prefix": "99"},
    }
    trunk = await world.server.api.post("trunks", out)
    mobile = {"name": "mobile", "address": "+13125550177", "trunk_ids": [trunk["id"]]}
    target = await world.server.api.post("targets", mobile)
    routes = {"targets": [{"target_id": target["id"]}]}
    await world.server.api.patch(f"campaigns/{line.number['campaign_id']}", {"routes": routes})
    (await line.call(*CALLS)).check()
    (await carrier.result()).check()


async def test_a_call_that_an_operator_hangs_up_says_so_on_both_sides(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(target.address)
    scenario = written(world.directory, "hung-up-on", *STAYS)
    address = world.server.address()
    async with sipp(world.directory, scenario, address, "-s", line.e164, host=line.host) as talking:
        await eventually(lambda: _connected(line))
        await hang_up(line)
        (await talking.result()).check()
        (await target.result()).check()
    record = await line.record()
    assert (record["disposition"], record["hung_up_by"]) == ("connected", "admin")
