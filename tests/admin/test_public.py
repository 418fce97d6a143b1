"""What browsers reach: numbers for visitors, and the life of a visit."""

from dataclasses import replace
from datetime import timedelta

from edge.admin.app import build
from edge.admin.listener import Listener
from edge.admin.ports import Ports
from tests.admin.client import Client
from tests.admin.conftest import ADMIN, ANYWHERE, Backstage, Clock
from tests.admin.pooled import PRIMARY, pooled


async def test_each_visitor_gets_a_number_and_the_last_the_primary(api: Client) -> None:
    world = await pooled(api, size=2)
    shown = [await world.shown(f"visitor-{n}") for n in range(3)]
    assert {each["e164"] for each in shown[:2]} == {number["e164"] for number in world.numbers}
    assert [(s["is_pool"], s["pool_miss"]) for s in shown] == [(True, False), (True, False), (False, True)]
    assert (shown[2]["e164"], shown[2]["formatted"]) == (PRIMARY, "(800) 555-0100")
    assert shown[0]["number_to_replace"] == PRIMARY
    again = await world.shown("visitor-0")
    assert (again["e164"], again["impression_id"]) == (shown[0]["e164"], shown[0]["impression_id"])


async def test_use_of_the_page_keeps_the_number_and_a_stale_beat_is_told(api: Client, clock: Clock) -> None:
    world = await pooled(api, size=1)
    first = await world.shown("visitor-a")
    clock.date += timedelta(seconds=300)
    assert (await world.beat(first, "visitor-a")).json == {"superseded": False, "tags": []}
    clock.date += timedelta(seconds=300)
    assert (await world.shown("visitor-b"))["pool_miss"]
    clock.date += timedelta(seconds=60)
    second = await world.shown("visitor-b")
    assert second["generation"] == first["generation"] + 1
    told = (await world.beat(first, "visitor-a")).json
    assert told["superseded"]
    assert (told["tags"][0]["e164"], told["tags"][0]["pool_miss"]) == (PRIMARY, True)


async def test_a_paused_campaign_has_nothing_to_give(api: Client) -> None:
    world = await pooled(api)
    shown = await world.shown()
    await api.patch(f"campaigns/{world.campaign['id']}", {"state": "paused"})
    assert (await world.visit()).status == 404
    assert (await world.beat(shown)).status == 404


async def test_bodies_are_bounded_and_their_type_needs_no_preflight(api: Client) -> None:
    world = await pooled(api)
    path = f"/t/{world.campaign['id']}/numbers"
    text = await api.ask(
        "POST",
        path,
        token="",
        data='{"visitor_id": "visitor-1"}',
        headers={"Content-Type": "text/plain", "Origin": "https://a.example"},
    )
    assert (text.status, text.headers["Access-Control-Allow-Origin"]) == (200, "https://a.example")
    assert (await world.visit(page_url="x" * 20_000)).status == 413
    assert (await world.visit(page_url="x" * 5_000)).status == 422
    assert (await world.visit("no")).status == 422
    assert (
        await api.ask("POST", path, token="", data="{", headers={"Content-Type": "text/plain"})
    ).status == 400


async def test_only_the_sites_that_are_named_may_ask(api: Client) -> None:
    world = await pooled(api)
    await api.patch(f"campaigns/{world.campaign['id']}", {"allowed_origins": ["https://www.example.com"]})
    assert (await world.visit(headers={"Origin": "https://www.example.com"})).status == 200
    assert (await world.visit(headers={"Origin": "https://other.example"})).status == 403
    assert (await world.visit()).status == 200


async def test_a_site_is_named_with_or_without_its_usual_port(api: Client) -> None:
    world = await pooled(api)
    named = ["https://www.Example.com:443", "http://a.example:80", "https://b.example:80"]
    path = f"campaigns/{world.campaign['id']}"
    made = (await api.patch(path, {"allowed_origins": named})).json["allowed_origins"]
    assert made == ["https://www.example.com", "http://a.example", "https://b.example:80"]
    assert (await world.visit(headers={"Origin": "https://www.example.com"})).status == 200


async def test_pages_of_other_sites_say_nothing_either(api: Client) -> None:
    world = await pooled(api)
    campaign = world.campaign["id"]
    await api.patch(f"campaigns/{campaign}", {"allowed_origins": ["https://www.example.com"]})
    bodies = {"callers": {"caller": "+13125550100", "tags": {"plan": "gold"}}, "duplicate-snippet": {}}
    for what, body in bodies.items():
        statuses = []
        for headers in ({"Origin": "https://other.example"}, {"Origin": "https://www.example.com"}, {}):
            told = await api.ask("POST", f"/t/{campaign}/{what}", token="", json=body, headers=headers)
            statuses.append(told.status // 100)
        assert statuses == [4, 2, 2]


async def test_no_address_holds_more_than_its_share_and_crawlers_hold_none(
    api: Client, backstage: Backstage
) -> None:
    world = await pooled(api, size=5)
    shown = [await world.shown(f"visitor-{n}") for n in range(4)]
    assert [each["is_pool"] for each in shown] == [True, True, True, False]
    assert (shown[3]["reason"], shown[3]["pool_miss"]) == ("rate_limited", False)
    bot = await world.shown("visitor-9", headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"})
    assert (bot["is_pool"], bot["reason"]) == (False, "crawler")


async def test_a_telephone_is_no_crawler_for_its_maker_s_name(api: Client) -> None:
    world = await pooled(api)
    agent = {"User-Agent": "Mozilla/5.0 (Linux; Android 10; CUBOT X30) Chrome/120.0 Mobile Safari/537.36"}
    assert (await world.shown(headers=agent))["is_pool"]
    agent = {"User-Agent": "AdsBot/2.0"}
    assert (await world.shown("visitor-2", headers=agent))["reason"] == "crawler"


async def test_too_many_requests_get_the_primary_number(api: Client, clock: Clock) -> None:
    world = await pooled(api)
    reasons = [(await world.shown())["reason"] for _ in range(62)]
    assert reasons == [None] * 60 + ["rate_limited"] * 2
    clock.now += 1.1
    assert (await world.shown())["reason"] is None


async def test_a_primary_number_that_is_released_has_nothing_to_give(api: Client) -> None:
    world = await pooled(api)
    shown = await world.shown()
    assert (await api.post(f"numbers/{world.primary['id']}/release", {"force": True})).status == 200
    assert (await world.visit()).status == 404
    assert (await world.beat(shown)).status == 404


async def test_each_tag_is_answered_for_itself(api: Client) -> None:
    world = await pooled(api)
    fields = {"campaign_id": world.campaign["id"], "name": "Footer", "number_to_replace": "+18005550101"}
    other = await api.new("numbers", e164="+18005550101", campaign_id=world.campaign["id"])
    static = await api.new("call-tracking-tags", primary_number_id=other["id"], **fields)
    first, second = (await world.visit()).json["tags"]
    assert (first["is_pool"], second["is_pool"], second["e164"]) == (True, False, "+18005550101")
    assert (second["impression_id"], second["pool_miss"]) == (None, False)
    await api.patch(f"numbers/{other['id']}", {"state": "paused"})
    assert (await world.visit()).json["tags"][1] == {"tag_id": static["id"], "status": 404}


async def test_whom_a_trusted_proxy_speaks_for_and_nobody_else(api: Client, ports: Ports) -> None:
    world = await pooled(api, size=5)
    trusting = replace(ports, trusted_proxies=("127.0.0.1/32",))
    async with Listener(build(trusting).admin, ANYWHERE) as listener, Client(listener.url, ADMIN) as behind:
        shown = [
            await replace(world, api=behind).shown(
                f"visitor-{n}", headers={"X-Forwarded-For": f"1.2.3.4, 192.0.2.{n}"}
            )
            for n in range(4)
        ]
    assert all(each["is_pool"] for each in shown)
    visits = (await api.get("impressions")).json["items"]
    assert {visit["first_view"]["ip"] for visit in visits} == {f"192.0.2.{n}" for n in range(4)}
    spoofed = await world.shown("visitor-9", headers={"X-Forwarded-For": "198.51.100.1"})
    (visit,) = (await api.get("impressions?visitor_id=visitor-9")).json["items"]
    assert (spoofed["is_pool"], visit["first_view"]["ip"]) == (True, "127.0.0.1")


async def test_proxies_that_write_ports_speak_for_addresses_too(api: Client, ports: Ports) -> None:
    world = await pooled(api, size=5)
    said = {
        "192.0.2.1:50123": "192.0.2.1",
        "[2001:db8::1]:50123": "2001:db8::1",
        "[2001:db8::2]": "2001:db8::2",
    }
    trusting = replace(ports, trusted_proxies=("127.0.0.1/32",))
    async with Listener(build(trusting).admin, ANYWHERE) as listener, Client(listener.url, ADMIN) as behind:
        for n, value in enumerate([*said, "2001:db8::3:50123:x", "192.0.2.1:", "[192.0.2.1"]):
            await replace(world, api=behind).visit(f"visitor-{n}", headers={"X-Forwarded-For": value})
    visits = (await api.get("impressions?sort=created_at")).json["items"]
    ips = {visit["visitor_id"]: visit["first_view"]["ip"] for visit in visits}
    assert [ips[f"visitor-{n}"] for n in range(6)] == [*said.values(), *["127.0.0.1"] * 3]


async def test_a_page_can_not_write_what_only_the_server_may(api: Client) -> None:
    world = await pooled(api)
    answer = await world.visit(tags={"call_id": "x", "caller_number": "y", "System_Z": "z", "Cart Size": 3})
    assert sorted(answer.json["ignored"]) == ["System_Z", "call_id", "caller_number"]
    (visit,) = (await api.get("impressions")).json["items"]
    assert visit["data"] == {"cart_size": "3"}
    assert (await world.visit(tags={f"k{n}": "v" for n in range(201)})).status == 422
