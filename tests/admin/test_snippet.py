"""The script over HTTP: when it is there, how it travels, and on which listener."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from edge.admin.app import Applications, build
from edge.admin.listener import Listener
from edge.admin.ports import Ports
from edge.snippet.script import script
from tests.admin.client import Answer, Client
from tests.admin.conftest import ADMIN, ANYWHERE
from tests.admin.pooled import Pooled, pooled


async def fetch(world: Pooled, query: str = "", **headers: str) -> Answer:
    """The script as a browser asks for it, without any token."""
    given = {
        "Accept-Encoding": "identity",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    return await world.api.ask("GET", f"/t/{world.campaign['id']}.js{query}", token="", headers=given)


async def test_the_script_of_a_campaign(api: Client) -> None:
    world = await pooled(api)
    answer = await fetch(world)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body == script(world.campaign["id"], api.url).body


async def test_the_line_of_a_tag_leads_to_it(api: Client) -> None:
    world = await pooled(api)
    assert world.tag["snippet"].startswith("<script async ")
    assert f'/t/{world.campaign["id"]}.js"></script>' in world.tag["snippet"]


@pytest.mark.parametrize(
    ("accepts", "compressed"),
    [("gzip, br", True), ("br", False), ("gzip;q=0, br", False), ("gzip;q=0.5", True)],
)
async def test_it_travels_compressed(api: Client, accepts: str, compressed: bool) -> None:
    world = await pooled(api)
    answer = await fetch(world, Accept_Encoding=accepts)
    assert (answer.headers.get("Content-Encoding") == "gzip") is compressed
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.body == script(world.campaign["id"], api.url).body  # aiohttp unpacks it


async def test_it_is_cached_and_versioned(api: Client) -> None:
    world = await pooled(api)
    first = await fetch(world)
    assert first.headers["Cache-Control"] == "public, max-age=300"
    tag = first.headers["ETag"]
    again = await fetch(world, If_None_Match=tag)
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert (await fetch(world, If_None_Match='"another"')).status == 200
    pinned = await fetch(world, f"?v={tag.strip(chr(34))}")
    assert pinned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (await fetch(world, "?v=old")).headers["Cache-Control"] == "public, max-age=300"


async def test_there_is_none_while_the_campaign_or_its_number_is_paused(api: Client) -> None:
    world = await pooled(api)
    unknown = await api.get("/t/cmp_none.js", token="")
    await api.patch(f"numbers/{world.primary['id']}", {"state": "paused"})
    paused_number = await fetch(world)
    await api.patch(f"numbers/{world.primary['id']}", {"state": "active"})
    await api.patch(f"campaigns/{world.campaign['id']}", {"state": "paused"})
    paused = await fetch(world)
    await api.patch(f"campaigns/{world.campaign['id']}", {"state": "active"})
    assert [unknown.status, paused_number.status, paused.status] == [404, 404, 404]
    assert unknown.json == paused.json == paused_number.json, "nothing tells a paused campaign from none"
    assert (await fetch(world)).status == 200


async def test_it_talks_to_the_host_that_it_was_asked_of(api: Client) -> None:
    world = await pooled(api)
    campaign = world.campaign["id"]
    assert (await fetch(world, Host="calls.test:8443")).body == script(
        campaign, "http://calls.test:8443"
    ).body
    assert (await fetch(world, Host="a'b<c>")).status == 400
    assert (await fetch(world, X_Forwarded_Proto="https")).body == script(campaign, api.url).body


@pytest.fixture
def shown(ports: Ports) -> Applications:
    """As behind a proxy on this machine."""
    return build(replace(ports, trusted_proxies=("127.0.0.1/32",)))


async def test_a_trusted_proxy_says_how_the_browser_asked(shown: Applications) -> None:
    async with Listener(shown.admin, ANYWHERE) as listener, Client(listener.url, ADMIN) as api:
        world = await pooled(api)
        answer = await fetch(world, X_Forwarded_Proto="https", Host="calls.test")
        assert answer.body == script(world.campaign["id"], "https://calls.test").body


async def test_the_public_url_wins(ports: Ports) -> None:
    made = build(replace(ports, public_url="https://calls.example.com/edge"))
    async with Listener(made.admin, ANYWHERE) as listener, Client(listener.url, ADMIN) as api:
        world = await pooled(api)
        expected = script(world.campaign["id"], "https://calls.example.com/edge").body
        assert (await fetch(world, Host="other.test")).body == expected


@pytest.fixture
async def apart(ports: Ports) -> AsyncIterator[tuple[Client, Client]]:
    """Two listeners: the admin's, and the public one."""
    made = build(ports, shared=False)
    async with (
        Listener(made.admin, ANYWHERE) as private,
        Listener(made.public, ANYWHERE) as public,
        Client(private.url, ADMIN) as api,
        Client(public.url, ADMIN) as outside,
    ):
        yield api, outside


async def test_with_a_public_listener_browsers_are_served_there_and_only_there(
    apart: tuple[Client, Client],
) -> None:
    api, outside = apart
    world = await pooled(api)
    path, body = f"/t/{world.campaign['id']}", {"visitor_id": "visitor-1"}
    assert (await outside.get(f"{path}.js")).status == 200
    assert (await outside.post(f"{path}/numbers", body)).status == 200
    assert (await api.get(f"{path}.js")).status == 404
    assert (await api.post(f"{path}/numbers", body)).status == 404
    for inside in ("/metrics", "/readyz", "/api/docs", "/api/v1/openapi.json", "campaigns", "pools", "/"):
        assert (await outside.get(inside)).status == 404, inside


async def test_only_the_campaigns_origins_may_read_its_numbers(api: Client) -> None:
    world = await pooled(api)
    good, foreign = "https://www.example.com", "https://elsewhere.example"
    path = f"campaigns/{world.campaign['id']}"
    assert (await api.patch(path, {"allowed_origins": [good]})).status == 200
    answer = await world.visit(headers={"Origin": good})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, good)
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    refused = await world.visit("visitor-2", headers={"Origin": foreign})
    assert refused.status == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    # A server that renders the page is no browser.
    assert (await world.visit("visitor-3")).status == 200


async def test_what_is_refused_can_be_read_by_the_page(api: Client) -> None:
    world = await pooled(api)
    await api.patch(f"campaigns/{world.campaign['id']}", {"state": "paused"})
    answer = await world.visit(headers={"Origin": "https://www.example.com"})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (404, "https://www.example.com")
