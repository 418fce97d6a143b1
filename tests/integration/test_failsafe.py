"""Calls whose routing breaks go to the fail-safe: the whole server in this process, to be broken."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edge import app
from edge.app import running
from edge.calls import hunt
from edge.settings.load import load
from tests.support.api import Api
from tests.support.ports import own_address
from tests.support.raw_phone import RawPhone
from tests.support.server import ADMIN_TOKEN, eventually, settings, simple_route

NUMBER = "+18005550100"


@pytest.fixture
async def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Api, tuple[str, int]]]:
    for name, value in settings(tmp_path, own_address(), {}).items():
        if name.startswith("EDGE_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    # What suits a server of its own would last for the tests that come after.
    for name in ("collect_seldom", "use_large_pages"):
        monkeypatch.setattr(app, name, lambda: None)
    async with running(load()) as started, Api(started.addresses.admin, ADMIN_TOKEN) as api:
        host, _, port = started.addresses.sip[0].removeprefix("udp://").rpartition(":")
        yield api, (host, int(port))


def breaks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first choice of targets is a mistake of ours; later ones work."""
    whole = hunt.choose

    def broken(*given: Any, **more: Any) -> Any:
        monkeypatch.setattr(hunt, "choose", whole)
        raise RuntimeError("a mistake")

    monkeypatch.setattr(hunt, "choose", broken)


async def ended(api: Api) -> dict[str, Any]:
    async def look() -> Any:
        calls = (await api.get("calls", number=NUMBER))["items"]
        return next((call for call in calls if call.get("ended_at")), None)

    found: dict[str, Any] = await eventually(look)
    return found


async def test_a_call_whose_routing_broke_goes_to_the_campaign_s_failsafe(
    server: tuple[Api, tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, address = server
    with RawPhone(address) as caller, RawPhone(address) as spare:
        made = await simple_route(api, caller_host=caller.host, target="sip:sales@127.0.0.1:9")
        last = await api.post("targets", {"name": "spare", "address": f"sip:x@{spare.address}"})
        failsafe = {"action": "forward", "target_id": last["id"]}
        await api.patch(f"campaigns/{made['campaign']['id']}", {"failsafe": failsafe})
        breaks_once(monkeypatch)
        call = await caller.invite(NUMBER, caller.sdp())
        arrived = await spare.hear("INVITE")
        await spare.answer(arrived, 200, spare.sdp())
        await call.hear("200")
        await call.request("ACK")
        await call.request("BYE")
        await call.hear("200", method="BYE")
        record = await ended(api)
    assert (record["disposition"], record["target_id"]) == ("connected", last["id"])
    assert ("failsafe", "forward") in [(s["step"], s["result"]) for s in record["decision"]["steps"]]


async def test_without_a_failsafe_it_is_refused_with_500_and_says_so(
    server: tuple[Api, tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, address = server
    with RawPhone(address) as caller:
        await simple_route(api, caller_host=caller.host, target="sip:sales@127.0.0.1:9")
        breaks_once(monkeypatch)
        call = await caller.invite(NUMBER, caller.sdp())
        await call.refused("500")
        assert (await ended(api))["disposition"] == "error_internal"
