"""Targets that send a call elsewhere, that want to be left alone, and that fail again and again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.test_calls import CALLS, TAKES_THE_CALL, World, outcomes, over_both
from tests.support.api import ApiError, Json
from tests.support.raw_phone import RawPhone
from tests.support.scenario import ack_refusal, answer, arrives, called, expect, invite, provisional, sdp
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with running_server(tmp_path_factory.mktemp("redirects")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def world(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield World(server, tmp_path, stack, getattr(request, "param", "udp"))


def moved(*uris: str) -> tuple[str, str, str]:
    contacts = ", ".join(f"<{uri}>" for uri in uris)
    return called(), answer(302, None, f"Contact: {contacts}"), arrives("ACK")


def refused(status: int) -> tuple[str, ...]:
    return (invite(sdp()), provisional(), expect(status), ack_refusal())


@over_both
async def test_a_redirection_to_an_allowed_host_is_followed(world: World) -> None:
    buyer = await world.target(*TAKES_THE_CALL)
    to = f"sip:desk@{buyer.address};transport={world.transport}"
    sends_on = await world.target(*moved("sip:elsewhere@203.0.113.9", to))
    line = await world.line(
        sends_on.address, campaign={"target": {"sip": {"redirect_hosts": [buyer.host, "other.example"]}}}
    )
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert outcomes(record) == ["answered"]
    (step,) = [one for one in record["decision"]["steps"] if one["step"] == "redirect"]
    assert step["reason"] == to


@over_both
async def test_a_redirection_is_not_followed_unless_allowed_and_never_passed_on(world: World) -> None:
    buyer = await world.target(*TAKES_THE_CALL)
    sends_on = await world.target(*moved("sip:toll@203.0.113.9"))
    line = await world.line(sends_on.address, buyer.address)
    (await line.call(*CALLS)).check()
    record = await line.record()
    assert outcomes(record) == ["refused", "answered"]
    assert "redirect_hosts" in record["attempts"][0]["reason"]
    alone = await world.target(*moved("sip:toll@203.0.113.9"))
    line = await world.line(alone.address)
    (await line.call(*refused(480))).check()


async def test_a_redirection_in_a_circle_ends(world: World) -> None:
    sends_on = await world.target(*moved("sip:sales@[local_ip]:[local_port]"))
    line = await world.line(
        sends_on.address, campaign={"target": {"sip": {"redirect_hosts": [sends_on.host]}}}
    )
    (await line.call(*refused(480))).check()
    assert "in a circle" in (await line.record())["attempts"][0]["reason"]


async def test_hosts_that_are_none_are_refused_when_saved(server: Server) -> None:
    for wrong in ("sip:x@y", "a b", "*"):
        body = {"name": "x", "address": "sip:a@pbx.example", "sip": {"redirect_hosts": [wrong]}}
        with pytest.raises(ApiError) as error:
            await server.api.post("targets", body)
        assert error.value.problem["errors"][0]["path"] == "sip.redirect_hosts[0]"


async def _state(world: World, target: Json) -> Json | None:
    return (await world.server.api.get(f"targets/{target['id']}"))["reachability"]  # type: ignore[no-any-return]


@over_both
async def test_a_target_that_is_full_is_left_alone_for_as_long_as_it_says(world: World) -> None:
    full = await world.target(called(), answer(503, None, "Retry-After: 120 (full)"), arrives("ACK"))
    buyer = await world.target(*TAKES_THE_CALL, calls=2)
    line = await world.line(full.address, buyer.address)
    (await line.call(*CALLS)).check()
    (await line.call(*CALLS)).check()
    first, second = await line.records(2)
    assert (outcomes(first), outcomes(second)) == (["unreachable", "answered"], ["answered"])
    reasons = {one["target_id"]: one["reason"] for one in second["decision"]["candidates"]}
    assert reasons[line.targets[0]["id"]] == "down"
    shown = await _state(world, line.targets[0])
    assert shown is not None and shown["state"] == "down"


async def test_a_target_that_fails_five_times_running_is_passed_over(world: World) -> None:
    broken = await world.target(called(), answer(500), arrives("ACK"), calls=5)
    line = await world.line(broken.address)
    for _ in range(6):
        (await line.call(*refused(480))).check()
    records = await line.records(6)
    assert [outcomes(record) for record in records] == [["unreachable"]] * 5 + [[]]
    assert records[-1]["decision"]["candidates"][0]["reason"] == "down"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_big_invite_reaches_a_target_by_tcp_if_it_takes_that(world: World, transport: str) -> None:
    target = await world.target(called(having=f"Via: SIP/2.0/{transport.upper()}"), *TAKES_THE_CALL[1:],
                                transport=transport)  # fmt: skip
    headers = {"X-Pad": "x" * 900, "X-Pad-2": "y" * 400}
    line = await world.line(target.address, campaign={"target": {"headers": headers}})
    (await line.call(*CALLS)).check()
    assert outcomes(await line.record()) == ["answered"]


async def test_a_datagram_of_60_kb_is_a_call_like_any_other(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(target.address)
    with RawPhone(world.server.sip["udp"]) as phone:
        await world.server.api.post("trunks", {"name": phone.host, "addresses": [f"{phone.host}/32"]})
        pads = [f"X-Pad-{number}: {'x' * 6000}" for number in range(10)]
        call = await phone.invite(line.e164, phone.sdp(), *pads)
        await call.hear("200")
        await call.request("ACK")
        await call.request("BYE")
        await call.hear("200", method="BYE")
    assert outcomes(await line.record()) == ["answered"]
