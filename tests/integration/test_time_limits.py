"""Calls that nobody ends are ended: those without any sound, and those that last too long."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.api import Json
from tests.support.raw_phone import Outgoing, RawPhone
from tests.support.server import Server, finished, flawless_server, simple_route


@asynccontextmanager
async def connected(
    directory: Path, *said: str, **limits: str
) -> AsyncIterator[tuple[Server, Outgoing, RawPhone]]:
    """A call that is up, of two phones that send no sound: its caller and its target; ``said`` is in both
    their descriptions."""
    async with flawless_server(directory, **limits) as server:
        at = server.sip["udp"]
        with RawPhone(at) as caller, RawPhone(at) as target:
            await simple_route(server.api, caller_host=caller.host, target=f"sip:t@{target.address}")
            call = await caller.invite("+18005550100", caller.sdp(*said))
            invite = await target.hear("INVITE")
            await target.answer(invite, 200, target.sdp(*said))
            await target.hear("ACK")
            await call.hear("200")
            await call.request("ACK")
            yield server, call, target


async def ended(server: Server, call: Outgoing, target: RawPhone) -> tuple[Json, list[str]]:
    """The record, and the Reasons of the BYEs that both phones get."""
    reasons = []
    for phone in (call.phone, target):
        bye = await phone.hear("BYE")
        await phone.answer(bye, 200)
        reasons.append(bye.get("Reason"))
    return (await finished(server.api))[0], reasons


async def test_a_call_without_any_sound_is_ended_on_both_sides_but_not_while_on_hold(tmp_path: Path) -> None:
    async with connected(tmp_path, "a=inactive", EDGE_MEDIA__TIMEOUT_S="1") as (server, call, target):
        with pytest.raises(TimeoutError):
            await target.hear("BYE", limit_s=2.5)
        await call.request("INVITE", call.phone.sdp())
        reoffer = await target.hear("INVITE")
        await target.answer(reoffer, 200, target.sdp())
        await call.hear("200")
        await call.request("ACK")
        record, reasons = await ended(server, call, target)
        assert reasons == ["Q.850;cause=41"] * 2
        assert (record["disposition"], record["hung_up_by"]) == ("error_media_timeout", "server")


async def test_no_call_lasts_longer_than_it_may(tmp_path: Path) -> None:
    async with connected(tmp_path, EDGE_CALLS__MAX_DURATION_S="1") as (server, call, target):
        record, reasons = await ended(server, call, target)
        assert reasons == ["Q.850;cause=16"] * 2
        assert (record["disposition"], record["hung_up_by"]) == ("connected", "limit")
        assert record["disposition_detail"] == "longer than 1 s"
