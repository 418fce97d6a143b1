"""Calls to the numbers of a pool, by real phones: whose they are, and what a live call keeps from others."""

import asyncio
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.test_calls import (
    CALLS,
    STAYS,
    TAKES_THE_CALL,
    Line,
    World,
    hang_up,
    server,
    world,
)
from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.scenario import (
    ack,
    ack_refusal,
    arrives,
    called,
    expect,
    invite,
    provisional,
    reply,
    sdp,
)
from tests.support.server import Server, eventually, running_server

__all__ = ["server", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

_digits = itertools.count(18005557000)
LANDING = "https://shop.example/roofs?utm_source=ads&gclid=G1&channel=web"
REFUSED = (invite(sdp()), provisional(), expect(603, having="Reason: Q.850;cause=21"), ack_refusal())


@dataclass
class Pooled:
    """A line that is the primary number of a tag, and the one number of its pool, both to be called."""

    primary: Line
    number: Line
    pool: Json
    tag: Json

    async def visit(self, visitor: str, **view: Any) -> Json:
        """A page view; what the page shows for the tag."""
        base, campaign_id = self.primary.server.api.base, self.primary.number["campaign_id"]
        body = {"visitor_id": visitor, "page_url": LANDING, **view}
        async with self.primary.server.api.http.post(f"{base}/t/{campaign_id}/numbers", json=body) as answer:
            assert answer.status == 200
            shown: Json = (await answer.json())["tags"][0]
            return shown


async def pooled(world: World, *addresses: str, line: Json | None = None, **pool: Any) -> Pooled:
    """A primary line routed to the addresses, and a pool of one number beside it."""
    primary, api = await world.line(*addresses, **(line or {})), world.server.api
    made = await api.post("pools", {"name": "pool", **pool})
    number = await api.post("numbers", {"e164": f"+{next(_digits)}", "pool_id": made["id"]})
    tag = await api.post(
        "call-tracking-tags",
        {
            "name": "header",
            "campaign_id": primary.number["campaign_id"],
            "primary_number_id": primary.number["id"],
            "number_to_replace": primary.e164,
            "capture_user_data": True,
            "pool_id": made["id"],
        },
    )
    return Pooled(primary, replace(primary, e164=number["e164"], number=number), made, tag)


async def test_a_linked_call_carries_its_visit_and_is_the_primary_number_s(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    publisher = await world.server.api.post("publishers", {"name": "P"})
    own = {"tags": {"channel": "tv"}, "publisher_id": publisher["id"], "sub_id": "a1"}
    pool = await pooled(world, target.address, line=own)
    shown = await pool.visit("visitor-a", tags={"cart": "12"}, referrer="https://search.example/")
    assert shown["e164"] == pool.number.e164
    (await pool.number.call(*CALLS)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["attribution"]) == ("connected", "exact")
    assert (record["impression_id"], record["pool_id"]) == (shown["impression_id"], pool.pool["id"])
    assert (record["campaign_id"], record["publisher_id"]) == (
        pool.primary.number["campaign_id"],
        publisher["id"],
    )
    tags = record["tags"]
    assert (tags["utm_source"]["value"], tags["utm_source"]["origin"]) == ("ads", "url")
    assert (tags["cart"]["value"], tags["cart"]["origin"]) == ("12", "page")
    assert (tags["channel"]["value"], tags["channel"]["shadowed"][0]["value"]) == ("tv", "web")
    assert [s["result"] for s in record["decision"]["steps"] if s["step"] == "link"] == ["exact"]


async def test_a_target_is_told_whose_a_linked_call_is(world: World) -> None:
    own = "X-Of: cmp_[^;]+;shop;pub_[^;]+;a1"
    target = await world.target(called(having=own), *TAKES_THE_CALL[1:])
    publisher = await world.server.api.post("publishers", {"name": "P"})
    told = {"X-Of": "[campaign_id];[campaign_name];[publisher_id];[sub_id]"}
    campaign = {"name": "shop", "target": {"headers": told}}
    line = {"publisher_id": publisher["id"], "sub_id": "a1", "campaign": campaign}
    pool = await pooled(world, target.address, line=line)
    await pool.visit("visitor-a")
    (await pool.number.call(*CALLS)).check()
    (await target.result()).check()


async def test_a_linked_call_that_is_not_served_keeps_what_its_visit_said_too(world: World) -> None:
    pool = await pooled(world, "127.0.0.1:9", line={"active_until": "2026-01-01T00:00:00Z"})
    await pool.visit("visitor-a", tags={"cart": "12"})
    hears = (expect(100, optional=True), expect(200), ack(), arrives("BYE"), reply())
    (await pool.number.call(invite(sdp()), *hears)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["attribution"]) == ("after_hours_message", "exact")
    tags = {key: (tag["value"], tag["origin"]) for key, tag in record["tags"].items()}
    assert (tags["utm_source"], tags["cart"]) == (("ads", "url"), ("12", "page"))


async def test_a_call_that_nobody_s_visit_is_behind_is_refused_and_takes_no_cap(world: World) -> None:
    cap = {"window": "day", "limit": 5, "counts_on": "attempt"}
    pool = await pooled(world, "127.0.0.1:9", line={"caps": [cap], "timezone": "UTC"})
    (await pool.number.call(*REFUSED)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["pool_id"]) == ("rejected_unlinked", pool.pool["id"])
    assert record["impression_id"] is None
    (used,) = (await world.server.api.get("caps", owner=pool.primary.number["id"]))["items"]
    assert (used["used"], used["reserved"]) == (0, 0)


async def test_a_visitor_s_call_is_still_linked_when_the_pool_is_deleted(world: World) -> None:
    target, api = await world.target(*TAKES_THE_CALL), world.server.api
    pool = await pooled(world, target.address)
    shown = await pool.visit("visitor-a")
    await api.delete(f"call-tracking-tags/{pool.tag['id']}")
    await api.delete(f"pools/{pool.pool['id']}")
    (await pool.number.call(*CALLS)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["attribution"]) == ("connected", "exact")
    assert (record["impression_id"], record["pool_id"]) == (shown["impression_id"], pool.pool["id"])
    assert record["campaign_id"] == pool.primary.number["campaign_id"]


async def test_an_unlinked_call_hears_the_pool_s_message_and_takes_no_cap(world: World) -> None:
    cap = {"window": "day", "limit": 5, "counts_on": "attempt"}
    line = {"caps": [cap], "timezone": "UTC"}
    pool = await pooled(world, "127.0.0.1:9", line=line, on_unlinked={"action": "message"})
    hears = (expect(100, optional=True), expect(200), ack(), arrives("BYE"), reply())
    (await pool.number.call(invite(sdp()), *hears)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["hung_up_by"]) == ("rejected_unlinked", "server")
    assert record["answered_at"] is not None and record["connected_at"] is None
    (used,) = (await world.server.api.get("caps", owner=pool.primary.number["id"]))["items"]
    assert (used["used"], used["reserved"]) == (0, 0)


async def test_an_unlinked_call_goes_where_the_fallback_s_primary_number_goes(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    pool = await pooled(world, target.address)
    route = {"on_unlinked": {"action": "route_as_primary"}, "fallback_tag_id": pool.tag["id"]}
    await world.server.api.patch(f"pools/{pool.pool['id']}", route)
    (await pool.number.call(*CALLS)).check()
    record = await pool.number.record()
    assert (record["disposition"], record["attribution"]) == ("connected", None)
    assert record["campaign_id"] == pool.primary.number["campaign_id"]


async def test_a_number_that_went_on_brings_calls_to_the_newer_visit_with_the_rival_named(
    world: World,
) -> None:
    target = await world.target(*TAKES_THE_CALL)
    pool = await pooled(world, target.address, idle_limit_s=1, closed_browser_delay_s=0)
    first = await pool.visit("visitor-a")

    async def given() -> Json | None:
        shown = await pool.visit("visitor-b")
        return shown if shown["is_pool"] else None

    second = await eventually(given)
    assert second["e164"] == first["e164"]
    (await pool.number.call(*CALLS)).check()
    record = await pool.number.record()
    assert (record["attribution"], record["impression_id"]) == ("last_impression", second["impression_id"])
    assert record["attribution_rivals"] == [first["impression_id"]]


async def test_a_finished_call_frees_its_number_unless_the_pool_keeps_the_lease(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL, calls=2)
    ends = await pooled(world, target.address)
    keeps = await pooled(world, target.address, recycle="lease_only")
    for pool in (ends, keeps):
        await pool.visit("visitor-a")
        assert not (await pool.visit("visitor-b"))["is_pool"]
        (await pool.number.call(*CALLS)).check()
        await pool.number.record()
    assert (await ends.visit("visitor-b"))["is_pool"]
    assert not (await keeps.visit("visitor-b"))["is_pool"]


async def test_a_number_with_a_live_call_is_nobody_else_s(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    pool = await pooled(world, target.address, idle_limit_s=1, closed_browser_delay_s=0)
    await pool.visit("visitor-a")
    talking = asyncio.create_task(pool.number.call(*STAYS))
    await eventually(lambda: _live(pool))
    over = asyncio.get_running_loop().time() + 1.5
    while asyncio.get_running_loop().time() < over:
        assert not (await pool.visit("visitor-b"))["is_pool"]
        await asyncio.sleep(0.1)
    assert await _live(pool)
    await hang_up(pool.number)
    (await talking).check()

    async def given() -> bool:
        return bool((await pool.visit("visitor-b"))["is_pool"])

    assert await eventually(given)


async def test_what_a_publisher_said_of_a_caller_comes_with_its_call(world: World) -> None:
    target = await world.target(*TAKES_THE_CALL)
    line = await world.line(target.address)
    api, campaign_id = world.server.api, line.number["campaign_id"]
    tag = {"name": "t", "campaign_id": campaign_id, "number_to_replace": line.e164}
    await api.post("call-tracking-tags", {**tag, "primary_number_id": line.number["id"]})

    async def say(**tags: str) -> str:
        url, body = f"{api.base}/t/{campaign_id}/callers", {"caller": "+1 212-555-0100", "tags": tags}
        async with api.http.post(url, json=body) as answer:
            assert answer.status == 200
            return str((await answer.json())["result"])

    assert await say(plan="gold") == "stored"
    talking = asyncio.create_task(line.call(*STAYS))
    await eventually(lambda: _live(Pooled(line, line, {}, {})))
    assert await say(score="7") == "in_progress"
    await hang_up(line)
    (await talking).check()
    tags = (await line.record())["tags"]
    assert (tags["plan"]["value"], tags["plan"]["origin"]) == ("gold", "publisher")
    assert (tags["score"]["value"], tags["score"]["late"]) == ("7", True)


async def _live(pool: Pooled) -> bool:
    calls = (await pool.primary.server.api.get("calls/live"))["items"]
    return any(call["called"] == pool.number.e164 and call["connected_at"] for call in calls)


ADDRESS = "203.0.113.77"


async def _asked(base: str, campaign_id: str, visitor: str, agent: str = "Mozilla/5.0") -> Json:
    """What a page shows whose visitor is behind a proxy that is trusted."""
    headers = {"X-Forwarded-For": ADDRESS, "User-Agent": agent}
    body = {"visitor_id": visitor, "page_url": LANDING}
    url = f"{base}/t/{campaign_id}/numbers"
    async with aiohttp.ClientSession(headers=headers) as browser, browser.post(url, json=body) as answer:
        assert answer.status == 200
        shown: Json = (await answer.json())["tags"][0]
        return shown


async def _status(url: str) -> int:
    async with aiohttp.ClientSession() as browser, browser.get(url) as answer:
        return answer.status


def _written(server: Server) -> bytes:
    """Everything that the server has on disk, its log included."""
    return b"".join(path.read_bytes() for path in server.directory.rglob("*") if path.is_file())


async def test_a_public_listener_serves_browsers_alone_counts_them_and_forgets_where_they_are(
    tmp_path: Path,
) -> None:
    public = {"EDGE_PUBLIC__LISTEN": f"{own_address()}:0", "EDGE_PUBLIC__KEEP_IP": "false"}
    public["EDGE_PUBLIC__TRUSTED_PROXIES"] = json.dumps(["127.0.0.0/8"])
    async with running_server(tmp_path, **public) as server:
        base = json.loads((tmp_path / "ready.json").read_text())["public"]
        assert base != server.api.base
        world = World(server, tmp_path, None)  # type: ignore[arg-type] - it makes no target here
        pool = await pooled(world)
        campaign_id = pool.primary.number["campaign_id"]
        script = f"/t/{campaign_id}.js"
        assert (await _status(base + script), await _status(server.api.base + script)) == (200, 404)
        for inside in ("/metrics", "/readyz", "/api/docs", "/api/v1/openapi.json", "/api/v1/pools", "/"):
            assert await _status(base + inside) == 404, inside

        shown = [await _asked(base, campaign_id, f"visitor-{n}") for n in range(2)]
        assert [each["is_pool"] for each in shown] == [True, False]
        assert (await _asked(base, campaign_id, "visitor-9", "Googlebot/2.1"))["reason"] == "crawler"
        counts = {"impressions": 2, "hand_outs": 1, "misses": 1, "crawlers": 1}
        lines = {f'edge_pool_events_total{{event="{event}"}} {count}.0' for event, count in counts.items()}

        async def counted() -> bool:
            return lines <= set((await server.api.get("/metrics")).splitlines())

        await eventually(counted)
        visits = (await server.api.get("impressions", pool_id=pool.pool["id"]))["items"]
        assert [visit["first_view"].get("ip") for visit in visits] == [None, None]
        assert LANDING.encode() in _written(server)
        assert ADDRESS.encode() not in _written(server)
