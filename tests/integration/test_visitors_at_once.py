"""Two thousand visitors at once, over real HTTP: each number goes to one of them, the rest are misses."""

import asyncio
import json
import resource
from collections import Counter
from pathlib import Path

import aiohttp

from tests.support.api import Json
from tests.support.ports import own_address
from tests.support.server import Server, running_server

VISITORS, NUMBERS = 2_000, 200


async def test_two_thousand_visitors_at_once_share_two_hundred_numbers(tmp_path: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    open_to_all = {
        "EDGE_PUBLIC__LISTEN": f"{own_address()}:0",
        "EDGE_PUBLIC__ALLOCATIONS_PER_MINUTE": "100000",
        "EDGE_PUBLIC__MAX_SHARE_PER_ADDRESS": "1",
    }
    async with running_server(tmp_path, **open_to_all) as server:
        page, pool = await _page(server)
        # Each has a connection of its own, and keeps it.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            visitors = range(VISITORS)
            shown = await asyncio.gather(*(_visit(http, page, each) for each in visitors))
            given = {at: each["e164"] for at, each in enumerate(shown) if each["is_pool"]}
            assert len(given) == len(set(given.values())) == NUMBERS, "nobody shares a number"
            assert Counter(each["pool_miss"] for each in shown) == {True: VISITORS - NUMBERS, False: NUMBERS}
            again = await asyncio.gather(*(_visit(http, page, each) for each in given))
            assert [each["e164"] for each in again] == list(given.values()), "and all keep theirs"
        figures = await server.api.get(f"pools/{pool}/figures")
        assert (figures["hand_outs"], figures["pool_misses"]) == (NUMBERS, VISITORS - NUMBERS)
        assert not [line for line in server.log() if line.get("level") in ("error", "critical")]


async def _page(server: Server) -> tuple[str, str]:
    """What a page asks, and the id of the pool behind it."""
    api = server.api
    target = await api.post("targets", {"name": "desk", "address": "sip:desk@127.0.0.1:9"})
    campaign = await api.post(
        "campaigns", {"name": "c", "routes": {"targets": [{"target_id": target["id"]}]}}
    )
    primary = await api.post("numbers", {"e164": "+18005550100", "campaign_id": campaign["id"]})
    pool = await api.post("pools", {"name": "pool"})
    for at in range(NUMBERS):
        await api.post("numbers", {"e164": f"+1800556{at:04d}", "pool_id": pool["id"]})
    tag = {
        "name": "header", "campaign_id": campaign["id"], "primary_number_id": primary["id"],
        "number_to_replace": "+18005550100", "capture_user_data": True, "pool_id": pool["id"],
    }  # fmt: skip
    await api.post("call-tracking-tags", tag)
    public = json.loads((server.directory / "ready.json").read_text())["public"]
    return f"{public}/t/{campaign['id']}/numbers", pool["id"]


async def _visit(http: aiohttp.ClientSession, page: str, visitor: int) -> Json:
    body = {"visitor_id": f"visitor-{visitor}", "page_url": "https://shop.example/"}
    async with http.post(page, json=body) as answer:
        assert answer.status == 200, await answer.text()
        shown: Json = (await answer.json())["tags"][0]
        return shown
