"""Pools, their numbers and tags over the API: what may be saved, what is told, what is kept of promises."""

from datetime import timedelta

from tests.admin.client import Client
from tests.admin.conftest import Clock
from tests.admin.pooled import PRIMARY, pooled


async def test_a_number_is_static_or_in_one_pool_of_its_country_and_kind(api: Client) -> None:
    world = await pooled(api, size=1)
    pool_id, campaign_id = world.pool["id"], world.campaign["id"]
    number = {"e164": "+18005550900", "pool_id": pool_id}
    assert "campaign_id" in (await api.post("numbers", {**number, "campaign_id": campaign_id})).errors
    assert "pool_id" in (await api.post("numbers", {**number, "e164": "+12125550100"})).errors
    assert "pool_id" in (await api.patch(f"numbers/{world.primary['id']}", {"pool_id": pool_id})).errors
    assert "pool_id" in (await api.post("numbers", {**number, "pool_id": "pool_none"})).errors
    assert "country" in (await api.patch(f"pools/{pool_id}", {"country": "DE"})).errors


async def test_a_tag_needs_a_pool_to_capture_and_a_static_primary_number(api: Client) -> None:
    world = await pooled(api, size=1)
    fields = {"name": "T", "campaign_id": world.campaign["id"], "number_to_replace": "+1 800 555 0999"}
    alone = {**fields, "primary_number_id": world.primary["id"], "capture_user_data": True}
    assert (await api.post("call-tracking-tags", alone)).status == 422
    pooled_number = {**fields, "primary_number_id": world.numbers[0]["id"]}
    assert "primary_number_id" in (await api.post("call-tracking-tags", pooled_number)).errors
    made = await api.new("call-tracking-tags", **{**alone, "pool_id": world.pool["id"]})
    assert made["number_to_replace"] == "+18005550999"
    assert "number_to_replace is not the primary number" in made["warnings"][0]
    assert world.campaign["id"] + ".js" in made["snippet"]
    read = (await api.get(f"numbers/{world.primary['id']}")).json
    assert read["call_tracking_tags"] == [world.tag["id"], made["id"]]


async def test_warnings_of_a_pool(api: Client) -> None:
    world = await pooled(api, size=1, idle_limit_s=30_000)
    assert "6 hours" in world.pool["warnings"][0]
    publisher = await api.new("publishers", name="P")
    other = await api.new(
        "numbers", e164="+18005550101", campaign_id=world.campaign["id"], publisher_id=publisher["id"]
    )
    fields = {
        "campaign_id": world.campaign["id"],
        "primary_number_id": other["id"],
        "capture_user_data": True,
    }
    tag = await api.new(
        "call-tracking-tags", name="Two", number_to_replace=other["e164"], pool_id=world.pool["id"], **fields
    )
    assert "another publisher" in tag["warnings"][0]


async def test_what_visitors_see_is_not_taken_away(api: Client, clock: Clock) -> None:
    world = await pooled(api, size=1)
    number = world.numbers[0]
    await world.shown("visitor-a")
    assert (await api.delete(f"numbers/{world.primary['id']}")).status == 409
    held = await api.delete(f"numbers/{number['id']}")
    assert (held.status, "a visitor of its pool until 2026-11-20T18:00:00Z" in str(held.json)) == (409, True)
    assert "pool_id" in (await api.patch(f"numbers/{number['id']}", {"pool_id": None})).errors
    assert (await api.delete(f"pools/{world.pool['id']}")).status == 409
    clock.date += timedelta(hours=6)
    assert (await api.delete(f"numbers/{number['id']}")).status == 204
    restored = await api.post(f"numbers/{number['id']}/restore", {})
    assert (restored.json["pool_id"], restored.json["state"]) == (world.pool["id"], "active")


async def test_a_number_leaves_its_pool_and_its_link_is_kept(api: Client, clock: Clock) -> None:
    world = await pooled(api, size=1)
    shown = await world.shown("visitor-a")
    path = f"pools/{world.pool['id']}/numbers"
    assert (await api.delete(f"{path}/{world.numbers[0]['id']}")).status == 204
    left = (await api.get(f"numbers/{world.numbers[0]['id']}")).json
    assert (left["state"], left["pool_id"]) == ("available", None)
    assert left["withdrawn"] == {"pool_id": world.pool["id"], "until": "2026-11-20T18:00:00Z"}
    assert (await world.shown("visitor-b"))["pool_miss"]
    told = (await api.post("simulate", _call(world.numbers[0], shown))).json
    assert told["decision"]["steps"][1]["step"] == "link"
    clock.date += timedelta(hours=6)
    told = (await api.post("simulate", _call(world.numbers[0], shown))).json
    assert (told["disposition"], told["status"]) == ("rejected_unknown_number", 404)
    back = await api.post(path, {"ids": [world.numbers[0]["id"]]})
    assert [each["result"] for each in back.json["items"]] == ["updated"]
    assert (await api.get(f"numbers/{world.numbers[0]['id']}")).json["withdrawn"] is None


def _call(number: dict[str, str], shown: dict[str, str]) -> dict[str, str]:
    return {"number": number["e164"], "caller": "+12125550100", "impression_id": shown["impression_id"]}


async def test_a_pool_that_is_deleted_gives_its_numbers_back_to_stock_and_keeps_their_links(
    api: Client, clock: Clock
) -> None:
    world = await pooled(api, size=3)
    early, late = await world.shown("visitor-a"), await world.shown("visitor-b")
    by_e164 = {number["e164"]: number for number in world.numbers}
    numbers = [by_e164[shown["e164"]] for shown in (early, late)]
    assert (await api.delete(f"pools/{world.pool['id']}/numbers/{numbers[0]['id']}")).status == 204
    await api.delete(f"call-tracking-tags/{world.tag['id']}")
    assert (await api.delete(f"pools/{world.pool['id']}")).status == 204
    assert (await api.get(f"pools/{world.pool['id']}")).status == 404
    linked = []
    for number in world.numbers:
        left = (await api.get(f"numbers/{number['id']}")).json
        assert (left["state"], left["pool_id"]) == ("available", None)
        linked.append(left["withdrawn"] is not None)
    assert sorted(linked) == [False, True, True]
    for number, shown in zip(numbers, (early, late), strict=True):
        told = (await api.post("simulate", _call(number, shown))).json
        assert told["decision"]["steps"][1]["step"] == "link"
        assert (await api.delete(f"numbers/{number['id']}")).status == 409, "it is still a visitor's"
    clock.date += timedelta(hours=6)
    told = (await api.post("simulate", _call(numbers[0], early))).json
    assert (told["disposition"], told["status"]) == ("rejected_unknown_number", 404)


async def test_the_states_of_numbers_and_visits(api: Client, clock: Clock) -> None:
    world = await pooled(api, size=2)
    shown = await world.shown("visitor-a", page_url="https://a.example/?utm_source=ads", tags={"cart": 1})
    path = f"pools/{world.pool['id']}"
    numbers = (await api.get(f"{path}/numbers")).json["items"]
    assert [(n["state"], n["linked_until"]) for n in numbers] == [
        ("leased", "2026-11-20T18:00:00Z"),
        ("free", None),
    ]
    (visit,) = (await api.get("impressions?pool_id=" + world.pool["id"])).json["items"]
    assert (visit["id"], visit["state"], visit["page_views"]) == (shown["impression_id"], "leased", 1)
    assert (visit["url_tags"], visit["data"]) == ({"utm_source": "ads"}, {"cart": "1"})
    clock.date += timedelta(seconds=360)
    assert (await api.get(f"impressions/{visit['id']}")).json["state"] == "lapsed"
    clock.date += timedelta(hours=6)
    assert (await api.get(f"impressions/{visit['id']}")).json["state"] == "archived"
    assert (await api.get("impressions/imp_none")).status == 404


async def test_figures_and_advice_come_of_what_happened(api: Client, clock: Clock) -> None:
    world = await pooled(api, size=1)
    for n in range(4):
        await world.shown(f"visitor-{n}")
    await world.shown("visitor-1")
    await world.shown("visitor-9", headers={"User-Agent": "Googlebot/2.1"})
    path = f"pools/{world.pool['id']}"
    figures = (await api.get(f"{path}/figures")).json
    assert (figures["impressions"], figures["hand_outs"], figures["pool_misses"]) == (4, 1, 3)
    assert figures["miss_rate"] == {"numerator": 3, "denominator": 4}
    assert (figures["crawlers"], figures["states"]) == (1, {"leased": 1})
    assert figures["utilisation_peak"] == {"numerator": 1, "denominator": 1}
    advice = (await api.get(f"{path}/advice")).json
    assert (advice["recommended"], advice["misses"], advice["misses_then"]) == (4, 3, 0)
    assert advice["in_words"] == "3 more numbers would have ended 100 % of 3 misses."
    assert (await api.get(f"{path}/advice?share=0.5")).json["recommended"] == 3
    assert (await api.get(f"{path}/advice?hold_s=0")).json["misses"] == 0


async def test_what_a_publisher_knows_of_a_caller_and_pages_with_two_snippets(api: Client) -> None:
    world = await pooled(api)
    path = f"/t/{world.campaign['id']}"
    said = {"caller": "+12125550100", "tags": {"plan": "gold", "caller_number": "x"}}
    told = await api.ask("POST", f"{path}/callers", token="", json=said)
    assert told.json == {"result": "stored", "ignored": ["caller_number"]}
    page = {"visitor_id": "visitor-a", "page_url": "https://a.example/x?secret=1"}
    for _ in range(2):
        assert (await api.ask("POST", f"{path}/duplicate-snippet", token="", json=page)).status == 204
    (found,) = (await api.get(f"campaigns/{world.campaign['id']}/duplicate-snippets")).json["items"]
    assert (found["page"], found["count"]) == ("https://a.example/x", 2)


async def test_a_simulated_call_of_a_visit_follows_the_primary_number(api: Client) -> None:
    world = await pooled(api, size=1)
    shown = await world.shown("visitor-a", page_url="https://a.example/?channel=web")
    told = (await api.post("simulate", _call(world.numbers[0], shown))).json
    assert [s["step"] for s in told["decision"]["steps"][:2]] == ["number", "link"]
    assert told["disposition"] != "rejected_unlinked"
    unlinked = (await api.post("simulate", {"number": world.numbers[0]["e164"]})).json
    assert (unlinked["disposition"], unlinked["status"]) == ("rejected_unlinked", 603)
    assert shown["number_to_replace"] == PRIMARY


async def test_every_field_of_pools_and_tags_is_explained(api: Client) -> None:
    schemas = (await api.get("openapi.json")).json["components"]["schemas"]
    for name in ("PoolSpec", "TagSpec", "PoolFiguresRead"):
        bare = [field for field, told in schemas[name]["properties"].items() if not told.get("description")]
        assert bare in ([], ["pool_id", "since", "until"]), (name, bare)


async def test_a_tag_whose_primary_number_went_to_another_campaign_is_warned_of(api: Client) -> None:
    world = await pooled(api)
    other = await api.new("campaigns", name="Other")
    moved = await api.patch(f"numbers/{world.primary['id']}", {"campaign_id": other["id"]})
    assert [(w["path"], world.tag["id"] in w["message"]) for w in moved.json["warnings"]] == [
        ("call_tracking_tags", True)
    ]
    tag = (await api.get(f"call-tracking-tags/{world.tag['id']}")).json
    assert "serves nothing" in tag["warnings"][0]
    assert (await world.visit()).status == 404


async def test_a_stale_deletion_leaves_a_pool_its_numbers(api: Client) -> None:
    world = await pooled(api)
    await api.delete(f"call-tracking-tags/{world.tag['id']}")
    path = f"pools/{world.pool['id']}"
    assert (await api.delete(path, headers={"If-Match": '"7"'})).status == 412
    assert len((await api.get(f"{path}/numbers")).json["items"]) == len(world.numbers)
    assert (await api.delete(path, headers={"If-Match": '"1"'})).status == 204
    stock = (await api.get("numbers?state=available")).json["items"]
    assert {number["id"] for number in stock} == {number["id"] for number in world.numbers}
