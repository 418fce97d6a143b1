"""What publishers, buyers and readers reach: tried on every route there is, so that none is forgotten."""

import itertools
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from edge.admin.ports import Ports
from edge.admin.resources import ROUTES
from edge.admin.resources.scoped import SCOPED_ROUTES
from edge.admin.routes import Route
from tests.admin.client import Answer, Client
from tests.admin.conftest import Backstage
from tests.admin.test_calls import placed

HIDDEN = ("Zebra", "zebra.example", "+13125559", "4155550123")
"""In everything that publisher and buyer may not see: names, addresses, others' numbers, whole callers."""
CALLER = "+14155550123"
OWN, OTHER = "+13125550100", "+13125559100"


@dataclass
class World:
    """Two publishers and two buyers with a number, a target and calls each."""

    api: Client
    ports: Ports
    ids: dict[str, str]
    tokens: dict[str, str]

    async def allow(self, what: str, **permissions: Any) -> None:
        """Sets switches of ``mine`` (a publisher) or ``buyer``."""
        path = f"publishers/{self.ids['mine']}" if what == "mine" else f"buyers/{self.ids['buyer']}"
        answer = await self.api.patch(path, {"permissions": permissions})
        assert answer.status == 200, answer.body

    async def ask(self, who: str, method: str, path: str, **more: Any) -> Answer:
        return await self.api.ask(method, path, token=self.tokens[who], **more)

    async def items(self, who: str, path: str) -> list[dict[str, Any]]:
        answer = await self.ask(who, "GET", path)
        assert answer.status == 200, (path, answer.body)
        found: list[dict[str, Any]] = answer.json["items"]
        return found


@pytest.fixture
async def world(api: Client, ports: Ports, backstage: Backstage) -> AsyncIterator[World]:
    made: dict[str, str] = {}
    made["trunk"] = (await api.new("trunks", name="Zebra trunk", addresses=["192.0.2.0/24"]))["id"]
    for name, called in (("mine", "Radio"), ("theirs", "Zebra TV")):
        made[name] = (await api.new("publishers", name=called))["id"]
    caps = [{"window": "day", "limit": 7}]
    for name, called in (("buyer", "Buyer"), ("rival", "Zebra buyer")):
        made[name] = (await api.new("buyers", name=called, timezone="UTC", caps=caps))["id"]
    for name, buyer, called in (("target", "buyer", "Desk"), ("their_target", "rival", "Zebra desk")):
        fields = {"name": called, "address": "sip:z@zebra.example", "buyer_id": made[buyer]}
        made[name] = (await api.new("targets", **fields))["id"]
    routes = {"targets": [{"target_id": made["target"]}]}
    hooks = [{"event": "call.ended", "url": "https://zebra.example/hook?key=1"}]
    made["campaign"] = (await api.new("campaigns", name="Zebra campaign", routes=routes, webhooks=hooks))[
        "id"
    ]
    for name, publisher, digits in (("number", "mine", OWN), ("their_number", "theirs", OTHER)):
        tags = {"channel": "tv", "secret": "Zebra tag"}
        fields = {"campaign_id": made["campaign"], "publisher_id": made[publisher], "tags": tags}
        cost = {"minor": 100, "currency": "USD"}
        made[name] = (await api.new("numbers", e164=digits, monthly_cost=cost, **fields))["id"]
    made["cap"] = (await api.get(f"buyers/{made['rival']}")).json["caps"][0]["id"]
    await _calls(backstage, made)
    tokens = {
        "mine": (await ports.tokens.create("publisher", "p", publisher_id=made["mine"]))[1],
        "theirs": (await ports.tokens.create("publisher", "t", publisher_id=made["theirs"]))[1],
        "buyer": (await ports.tokens.create("buyer", "b", buyer_id=made["buyer"]))[1],
        "reader": (await ports.tokens.create("report_only", "r"))[1],
    }
    yield World(api, ports, made, tokens)


async def _calls(backstage: Backstage, made: dict[str, str]) -> None:
    decision = {
        "steps": [],
        "candidates": [{"target_id": "Zebra", "tier": 1, "odds": 1, "result": "", "reason": ""}],
    }
    tags = {"channel": {"value": "tv", "origin": "number"}, "secret": {"value": "Zebra", "origin": "number"}}
    common: dict[str, Any] = {
        "caller": CALLER,
        "disposition_detail": "Zebra",
        "decision": decision,
        "tags": tags,
    }
    common |= {"recording": {"state": "failed", "reason": "Zebra"}, "campaign_id": made["campaign"]}
    mine = {"publisher_id": made["mine"], "number_id": made["number"], "called": OWN}
    theirs = {"publisher_id": made["theirs"], "number_id": made["their_number"], "called": OTHER}
    bought = {"target_id": made["target"], "buyer_id": made["buyer"]}
    rival = {"target_id": made["their_target"], "buyer_id": made["rival"]}
    made["call"] = await placed(backstage, 1, **common, **mine, **bought)
    made["their_call"] = await placed(backstage, 2, **common, **theirs, **rival)
    backstage.switch.calls += [
        {"id": "call_live", "caller": CALLER, **mine, **bought},
        {"id": "call_zebra", "caller": CALLER, **theirs, **rival},
    ]


def paths(route: Route, ids: dict[str, str]) -> Iterator[str]:
    """The route's path with every id of every kind in its place."""
    names = re.findall(r"{(\w+)}", route.path)
    known = [*ids.values(), "call_live", "call_zebra", "1"]
    for chosen in itertools.product(known, repeat=len(names)):
        path = route.path
        for name, value in zip(names, chosen, strict=True):
            path = path.replace(f"{{{name}}}", value)
        yield path.removeprefix("/") + _query(route, ids)


def _query(route: Route, ids: dict[str, str]) -> str:
    return f"?owner={ids['their_target']}" if "owner" in route.query.model_fields else ""


def body_of(route: Route) -> dict[str, Any]:
    if route.method == "GET":
        return {}
    if route.body_kind == "csv":
        return {"data": "e164\n", "headers": {"Content-Type": "text/csv"}}
    return {"json": {}}


@pytest.mark.parametrize("who", ["mine", "buyer"])
async def test_every_route_answers_404_or_what_is_ones_own(world: World, who: str) -> None:
    """Of nothing that another owns does an answer say more than that there is nothing."""
    wrong = [
        (route.method, path, answer.status, answer.body[:200])
        for route in ROUTES
        for path in paths(route, world.ids)
        if not _is_own(world, who, route, path, answer := await _tried(world, who, route, path))
    ]
    assert not wrong
    assert (await world.api.get(f"numbers/{world.ids['their_number']}")).json["state"] == "active"


async def _tried(world: World, who: str, route: Route, path: str) -> Answer:
    return await world.ask(who, route.method, path, **body_of(route))


def _is_own(world: World, who: str, route: Route, path: str, answer: Answer) -> bool:
    role = "publisher" if who == "mine" else "buyer"
    if any(word in answer.body.decode("utf-8", "replace") for word in _hidden_from(who)):
        return False
    if (role, route.method, route.path) not in SCOPED_ROUTES:
        return answer.status == 404
    if "{" not in route.path:
        return answer.status in (200, 404, 422)
    own = {"mine": ("mine", "number", "call"), "buyer": ("buyer", "target", "call")}[who]
    mine = {*(world.ids[name] for name in own), "call_live"} & set(path.partition("?")[0].split("/"))
    return answer.status in (200, 404, 409) if mine else answer.status == 404


def _hidden_from(who: str) -> tuple[str, ...]:
    # The buyer was called by the caller and knows the number.
    return HIDDEN if who == "mine" else (*HIDDEN[:3], OWN, "Radio", '"tv"')


def test_what_is_opened_is_a_route() -> None:
    known = {(route.method, route.path) for route in ROUTES}
    assert {(method, path) for _, method, path in SCOPED_ROUTES} <= known


async def test_a_publisher_sees_its_numbers_and_calls(world: World) -> None:
    (number,) = await world.items("mine", "numbers")
    assert (number["id"], number["tags"], number["publisher_id"]) == (
        world.ids["number"],
        {},
        world.ids["mine"],
    )
    assert not {"monthly_cost", "caps", "settings", "effective", "hours", "external_id"} & number.keys()
    (call,) = await world.items("mine", "calls")
    assert (call["id"], call["caller"], call["recording"]) == (world.ids["call"], "*******0123", None)
    assert (
        not {"target_id", "buyer_id", "decision", "attempts", "disposition_detail", "trunk_id"} & call.keys()
    )
    assert [live["id"] for live in await world.items("mine", "calls/live")] == ["call_live"]
    (self_,) = await world.items("mine", "publishers")
    assert self_["id"] == world.ids["mine"]


async def test_switches_show_more(world: World) -> None:
    await world.allow("mine", full_caller=True, see_tags=["channel"], recordings=True)
    (call,) = await world.items("mine", f"calls?caller={CALLER}")
    assert (call["caller"], call["tags"]) == (CALLER, {"channel": "tv"})
    assert call["recording"]["state"] == "failed"
    (number,) = await world.items("mine", "numbers?tag=channel:tv")
    assert number["tags"] == {"channel": "tv"}


async def test_ownership_is_that_of_the_call(world: World, backstage: Backstage) -> None:
    await world.api.patch(f"numbers/{world.ids['number']}", {"publisher_id": world.ids["theirs"]})
    assert await world.items("mine", "numbers") == []
    assert (await world.ask("mine", "GET", f"numbers/{world.ids['number']}")).status == 404
    assert [call["id"] for call in await world.items("mine", "calls")] == [world.ids["call"]]
    assert world.ids["call"] not in [call["id"] for call in await world.items("theirs", "calls")]


OUTSIDE = [
    "calls?target_id=x",
    "calls?trunk_id=x",
    "calls?buyer_id=x",
    "calls?sort=target_id",
    "calls?caller=%2B1",
    "calls?publisher_id={theirs}",
    "calls/{call}/trace",
    "calls/{call}/recording",
    "calls/export?target_id=x",
    "numbers?publisher_id={theirs}",
    "numbers?tag=secret:Zebra",
    "numbers?search=1",
    "numbers?sort=monthly_cost",
    "numbers/upcoming-charges",
    "targets",
    "reports",
    "nothing",
    "campaigns/{campaign}",
    "setup",
    "audit",
]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_nothing_is_found_by_filter_sort_or_name(world: World, path: str) -> None:
    assert (await world.ask("mine", "GET", path.format(**world.ids))).status == 404


async def test_cursors_and_filters_stay_within(world: World, backstage: Backstage) -> None:
    for n in range(3, 9):
        owner = world.ids["mine" if n % 2 else "theirs"]
        await placed(backstage, n, publisher_id=owner, number_id=world.ids["number"])
    seen: list[str] = []
    path = f"calls?limit=2&number_id={world.ids['number']}"
    while path:
        answer = await world.ask("mine", "GET", path)
        seen += [call["id"] for call in answer.json["items"]]
        found = re.search(r"<([^>]+)>", answer.headers.get("Link", ""))
        path = found[1] if found else ""
    assert seen == ["call_0007", "call_0005", "call_0003", "call_0001"]


async def test_a_publisher_takes_numbers_from_stock_up_to_its_limit(world: World) -> None:
    for n in range(3):
        await world.api.new("numbers", e164=f"+1312555010{n + 1}")
    wanted = {"kind": "local", "country": "US", "campaign_id": world.ids["campaign"], "sub_id": "s1"}
    assert (await world.ask("mine", "POST", "numbers", json=wanted)).status == 404
    await world.allow("mine", create_numbers=2)
    made = await world.ask("mine", "POST", "numbers", json=wanted)
    assert (made.status, made.json["state"], made.json["publisher_id"]) == (201, "active", world.ids["mine"])
    assert made.json["sub_id"] == "s1"
    assert (await world.ask("mine", "GET", made.headers["Location"])).json == made.json
    assert (await world.ask("mine", "POST", "numbers", json=wanted)).status == 409
    await world.allow("mine", create_numbers=3)
    other = (await world.api.new("campaigns", name="Other"))["id"]
    refused = await world.ask("mine", "POST", "numbers", json={**wanted, "campaign_id": other})
    assert "campaign_id" in refused.errors
    assert (await world.ask("mine", "POST", "numbers", json={**wanted, "e164": "+13125550199"})).status == 422
    tagged = await world.ask("mine", "POST", "numbers", json={**wanted, "tags": {"channel": "x"}})
    assert "tags.channel" in tagged.errors


async def test_a_publisher_edits_the_tags_that_it_sees(world: World) -> None:
    path, change = f"numbers/{world.ids['number']}", {"tags": {"channel": "radio"}}
    assert (await world.ask("mine", "PATCH", path, json=change)).status == 404
    await world.allow("mine", edit_tags=True, see_tags=["channel", "caller_x"])
    assert (await world.ask("mine", "PATCH", path, json=change)).json["tags"] == {"channel": "radio"}
    for wrong in (
        {"tags": {"secret": None}},
        {"tags": {"caller_x": "1"}},
        {"state": "paused"},
        {"tags": None},
    ):
        assert (await world.ask("mine", "PATCH", path, json=wrong)).status == 422
    stored = (await world.api.get(path)).json
    assert stored["tags"] == {"channel": "radio", "secret": "Zebra tag"} and stored["state"] == "active"
    foreign = f"numbers/{world.ids['their_number']}"
    assert (await world.ask("mine", "PATCH", foreign, json=change)).status == 404


async def test_a_buyer_sees_the_calls_that_it_took(world: World) -> None:
    (call,) = await world.items("buyer", "calls")
    assert (call["id"], call["caller"], call["target_id"]) == (world.ids["call"], CALLER, world.ids["target"])
    assert not {"publisher_id", "number_id", "called", "tags", "campaign_id", "decision"} & call.keys()
    assert [live["id"] for live in await world.items("buyer", "calls/live")] == ["call_live"]
    assert [target["id"] for target in await world.items("buyer", "targets")] == [world.ids["target"]]
    for path in (
        "calls?publisher_id=x",
        "calls?buyer_id={rival}",
        "hours/preview?owner={target}",
        "caps?owner={buyer}",
    ):
        assert (await world.ask("buyer", "GET", path.format(**world.ids))).status == 404
    await world.allow("buyer", caps=True, hours=True, recordings=True)
    (cap,) = await world.items("buyer", f"caps?owner={world.ids['buyer']}")
    assert cap["limit"] == 7
    assert (await world.ask("buyer", "GET", f"hours/preview?owner={world.ids['target']}")).json[
        "open"
    ] is True
    for owner in ("rival", "their_target", "number", "campaign"):
        assert (await world.ask("buyer", "GET", f"caps?owner={world.ids[owner]}")).status == 404


async def test_a_reader_changes_nothing(world: World) -> None:
    before = json.loads((await world.api.get("setup")).body)
    for route in ROUTES:
        path = next(paths(route, {"x": "x_1", "their_target": world.ids["target"]}))
        answer = await _tried(world, "reader", route, path)
        allowed = route.access == "report_only"
        assert (answer.status != 403) == allowed, (route.method, path, answer.status)
        assert not allowed or route.method == "GET" or route.path == "/simulate"
    assert json.loads((await world.api.get("setup")).body) == before


async def test_tokens_name_whose_they_are(world: World) -> None:
    new = world.api.post
    assert "publisher_id" in (await new("tokens", {"role": "publisher"})).errors
    assert "buyer_id" in (await new("tokens", {"role": "operator", "buyer_id": world.ids["buyer"]})).errors
    gone = await new("tokens", {"role": "buyer", "buyer_id": "buy_none"})
    assert "there is no buyer" in gone.errors["buyer_id"]
    made = await new("tokens", {"role": "buyer", "buyer_id": world.ids["buyer"]})
    assert (made.status, made.json["buyer_id"]) == (201, world.ids["buyer"])
    refused = await world.api.delete(f"buyers/{world.ids['buyer']}")
    assert refused.status == 409 and "token" in refused.json["detail"]
