"""The tables of the rules (caps, hours, pools, refusals), row by row, as calls at the instants they name.

Rows whose calls race or are cut off (K3, K4, K8, K9) stand in test_calls, test_caps and test_durability.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from tests.support.api import Api, ApiError, Json
from tests.support.inside import Inside, SetClock, inside
from tests.support.raw_phone import Outgoing, RawPhone, Said
from tests.support.server import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW_YORK = ZoneInfo("America/New_York")
REJECT = {"action": "reject"}
SIX_HOURS = 6 * 3600
_digits = itertools.count(18005558000)


@dataclass(frozen=True)
class Clocked:
    """The server of these tests, and its clock."""

    inside: Inside
    clock: SetClock


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clocked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clocked]:
    clock = SetClock()
    # All visitors of these tests come from one address.
    crowd = {"EDGE_PUBLIC__ALLOCATIONS_PER_MINUTE": "100000", "EDGE_PUBLIC__MAX_SHARE_PER_ADDRESS": "1"}
    async with inside(tmp_path_factory.mktemp("tables"), clock, **crowd) as server:
        yield Clocked(server, clock)


@dataclass
class Table:
    """One test's caller and buyer, both by hand, and the clock."""

    api: Api
    clock: SetClock
    caller: RawPhone
    buyer: RawPhone
    start: datetime

    def at(self, seconds: float) -> None:
        """It is so many seconds after the beginning of the test's own day at noon."""
        self.clock.set(self.start + timedelta(seconds=seconds))

    async def target(self, **fields: Any) -> str:
        """The buyer as a target; its id."""
        body = {"name": "buyer", "address": f"sip:sales@{self.buyer.address}", **fields}
        return str((await self.api.post("targets", body))["id"])

    async def number(self, *, campaign: Json | None = None, **fields: Any) -> Json:
        """A number that leads to the buyer."""
        routes = {"targets": [{"target_id": await self.target()}]}
        made = await self.api.post("campaigns", {"name": "campaign", "routes": routes, **(campaign or {})})
        body = {"e164": f"+{next(_digits)}", "campaign_id": made["id"], **fields}
        found: Json = await self.api.post("numbers", body)
        return found

    async def rings(self, number: Json, *headers: str, offer: str | None = None) -> tuple[Outgoing, Said]:
        """A call that has reached the buyer."""
        call = await self.caller.invite(number["e164"], offer or self.caller.sdp(), *headers)
        return call, await self.buyer.hear("INVITE")

    async def talks(self, call: Outgoing, invited: Said) -> None:
        """The buyer takes the call."""
        await self.buyer.answer(invited, 200, self.buyer.sdp())
        await call.hear("200")
        await call.request("ACK", cseq=1)

    async def ends(self, call: Outgoing) -> None:
        """The caller hangs up."""
        await call.request("BYE")
        await self.buyer.answer(await self.buyer.hear("BYE"), 200)
        await call.hear("200", method="BYE")

    async def is_taken(self, number: Json) -> Json:
        """A call that is bridged and over; its record."""
        call, invited = await self.rings(number)
        await self.talks(call, invited)
        await self.ends(call)
        return await self.record(call)

    async def is_refused(self, number: Json, status: int, *headers: str) -> tuple[Said, Json]:
        """A call that is refused; the refusal, and its record."""
        call = await self.caller.invite(number["e164"], self.caller.sdp(), *headers)
        said = await call.refused(str(status))
        return said, await self.record(call)

    async def record(self, call: Outgoing) -> Json:
        """The record of a call that is over, and of no other: it is the latest of its number."""

        async def look() -> Json | None:
            query = {"number": call.number, "sort": "-started_at", "limit": 100}
            found = (await self.api.get("calls", **query))["items"]
            known = self._known.setdefault(call.number, set())
            new = [each for each in found if each["id"] not in known and each["ended_at"]]
            known.update(each["id"] for each in new)
            return new[0] if new else None

        found: Json = await eventually(look)
        return found

    def __post_init__(self) -> None:
        self._known: dict[str, set[str]] = {}


@pytest_asyncio.fixture(loop_scope="module")
async def table(clocked: Clocked) -> AsyncIterator[Table]:
    server = clocked.inside
    with RawPhone(server.sip) as caller, RawPhone(server.sip) as buyer:
        await server.api.post("trunks", {"name": caller.host, "addresses": [f"{caller.host}/32"]})
        yield Table(server.api, clocked.clock, caller, buyer, clocked.clock.another_day())


# -- caps ------------------------------------------------------------

NINE_TO_TEN = {"window": "block", "from": "09:00", "to": "10:00", "limit": 2, "on_cap": REJECT}


def morning(table: Table, time: str) -> None:
    """It is that time of the test's day in New York."""
    day = table.start.date()
    table.clock.set(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=NEW_YORK))


async def test_k1_the_third_call_of_a_block_of_two_gets_the_caps_action(table: Table) -> None:
    number = await table.number(caps=[NINE_TO_TEN], timezone="America/New_York")
    for time in ("09:10", "09:20"):
        morning(table, time)
        assert (await table.is_taken(number))["disposition"] == "connected"
    morning(table, "09:30")
    _, third = await table.is_refused(number, 486)
    assert third["disposition"] == "number_cap"
    morning(table, "10:00")
    assert (await table.is_taken(number))["disposition"] == "connected"


async def test_k2_a_call_counts_in_the_block_of_its_arrival(table: Table) -> None:
    caps = [NINE_TO_TEN, {**NINE_TO_TEN, "from": "10:00", "to": "11:00"}]
    number = await table.number(caps=caps, timezone="America/New_York")
    morning(table, "09:59:58")
    call, invited = await table.rings(number)
    morning(table, "10:00:05")
    await table.talks(call, invited)
    await table.ends(call)
    await table.record(call)
    held = []
    for cap in (await table.api.get("caps", owner=number["id"]))["items"]:
        held.append([each["key"] for each in (await table.api.get(f"caps/{cap['id']}/ledger"))["items"]])
    assert held == [[f"{table.start.date()}T09:00"], []]


# -- hours ------------------------------------------------------------

OFFICE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
LATE = {"fri": [["22:00", "02:00"]]}
SATURDAY_OFF = {"holidays": [{"date": "2026-11-28", "name": "Founders"}]}


@pytest.mark.parametrize(
    ("hours", "local", "is_open"),
    [
        pytest.param({"weekly": OFFICE}, "2026-11-27T16:59:59", True, id="H1 the last second"),
        pytest.param({"weekly": OFFICE}, "2026-11-27T17:00:00", False, id="H1 closing time"),
        pytest.param({"weekly": LATE}, "2026-11-28T01:59:59", True, id="H2 the last second"),
        pytest.param({"weekly": LATE}, "2026-11-28T02:00:00", False, id="H2 closing time"),
        pytest.param({"weekly": {"sun": [["02:00", "03:00"]]}}, "2026-03-08T01:59:59", False, id="H3 before"),
        pytest.param({"weekly": {"sun": [["02:00", "03:00"]]}}, "2026-03-08T03:00:00", False, id="H3 after"),
        pytest.param({"weekly": LATE, **SATURDAY_OFF}, "2026-11-27T23:59:00", True, id="H6 the eve"),
        pytest.param({"weekly": LATE, **SATURDAY_OFF}, "2026-11-28T00:00:00", False, id="H6 the holiday"),
    ],
)
async def test_hours(table: Table, hours: Json, local: str, is_open: bool) -> None:
    zone = {"timezone": "America/New_York", "after_hours": REJECT}
    number = await table.number(hours={**hours, **zone})
    table.clock.set(datetime.fromisoformat(local).replace(tzinfo=NEW_YORK))
    if is_open:
        assert (await table.is_taken(number))["disposition"] == "connected"
    else:
        _, record = await table.is_refused(number, 480)
        assert (record["disposition"], record["attempts"]) == ("after_hours_reject", [])


@pytest.mark.parametrize("zone", [{}, {"timezone": "EST5"}], ids=["none", "a typo"])
async def test_h8_hours_without_a_zone_name_the_field(table: Table, zone: Json) -> None:
    with pytest.raises(ApiError) as refused:
        await table.number(hours={"weekly": OFFICE, **zone})
    assert (refused.value.status, refused.value.problem["errors"][0]["path"]) == (422, "hours.timezone")


async def test_h9_at_active_until_a_number_is_shut(table: Table) -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    closed = {"active": False, "timezone": "UTC", "after_hours": REJECT}
    number = await table.number(active_until=until.isoformat(), hours=closed)
    table.clock.set(until - timedelta(seconds=1))
    await table.is_taken(number)
    table.clock.set(until)
    _, record = await table.is_refused(number, 480)
    assert record["disposition"] == "after_hours_reject"
    assert "window_ended" in record["disposition_detail"]


# -- pools ------------------------------------------------------------


@dataclass
class Pool:
    """A pool of idle 300 and delay 60 behind one primary number; its visitors and callers."""

    table: Table
    primary: Json
    numbers: list[Json]
    id: str

    async def post(self, path: str, **body: Any) -> tuple[int, Json]:
        """What a page asks."""
        async with self.table.api.http.post(f"{self.table.api.base}/t/{path}", json=body) as answer:
            found: Json = await answer.json(content_type=None) if answer.status == 200 else {}
            return answer.status, found

    async def visit(self, visitor: str, at: float) -> Json:
        """A page view at so many seconds; what the page is to show."""
        self.table.at(at)
        status, found = await self.post(
            f"{self.primary['campaign_id']}/numbers",
            visitor_id=f"visitor-{visitor}",
            page_url="https://shop.example/",
        )
        assert status == 200
        shown: Json = found["tags"][0]
        return shown

    async def shown(self, visitor: str, at: float) -> str | None:
        """Which number of the pool a page view shows; None is the primary."""
        shown = await self.visit(visitor, at)
        assert shown["is_pool"] or shown["e164"] == self.primary["e164"]
        return str(shown["e164"]) if shown["is_pool"] else None

    async def snippet(self) -> tuple[int, int]:
        """The statuses of the script and of a page view."""
        path = f"{self.table.api.base}/t/{self.primary['campaign_id']}"
        async with self.table.api.http.get(f"{path}.js") as script:
            view = {"visitor_id": "visitor-z", "page_url": "https://shop.example/"}
            return script.status, (await self.post(f"{self.primary['campaign_id']}/numbers", **view))[0]


async def pooled(table: Table, size: int, **fields: Any) -> Pool:
    primary = await table.number()
    made = await table.api.post("pools", {"name": "pool", **fields})
    body = {"pool_id": made["id"]}
    numbers = [await table.api.post("numbers", {"e164": f"+{next(_digits)}", **body}) for _ in range(size)]
    tag = {"name": "header", "campaign_id": primary["campaign_id"], "primary_number_id": primary["id"]}
    replaces = {"number_to_replace": primary["e164"], "capture_user_data": True}
    await table.api.post("call-tracking-tags", {**tag, **replaces, **body})
    return Pool(table, primary, numbers, made["id"])


async def test_t1_six_visitors_of_five_numbers(table: Table) -> None:
    pool = await pooled(table, 5)
    shown = [await pool.shown(who, 0) for who in "abcdef"]
    assert set(shown[:5]) == {number["e164"] for number in pool.numbers}
    assert shown[5] is None
    for number in (*pool.numbers, pool.primary):
        record = await table.is_taken(number)
        assert (record["impression_id"] is None) == (number is pool.primary)


async def test_t2_the_hold_is_half_open_and_a_call_is_the_newer_visitor_s(table: Table) -> None:
    pool = await pooled(table, 1)
    await pool.visit("a", 0)
    assert await pool.shown("b", 359) is None
    newer = await pool.visit("c", 360)
    assert newer["is_pool"]
    record = await table.is_taken(pool.numbers[0])
    assert record["impression_id"] == newer["impression_id"]


async def test_t3_the_link_ends_at_six_hours(table: Table) -> None:
    pool = await pooled(table, 1, recycle="lease_only")
    shown = await pool.visit("a", 0)
    table.at(SIX_HOURS - 1)
    record = await table.is_taken(pool.numbers[0])
    assert (record["impression_id"], record["attribution"]) == (shown["impression_id"], "exact")
    table.at(SIX_HOURS)
    said, unlinked = await table.is_refused(pool.numbers[0], 603)
    assert said.get("Reason").startswith("Q.850;cause=21")
    assert unlinked["disposition"] == "rejected_unlinked"


async def test_t4_a_call_is_the_last_visitor_s_and_names_the_rival(table: Table) -> None:
    pool = await pooled(table, 1)
    first, second = await pool.visit("a", 0), await pool.visit("b", 400)
    table.at(500)
    record = await table.is_taken(pool.numbers[0])
    assert (record["impression_id"], record["attribution"]) == (second["impression_id"], "last_impression")
    assert record["attribution_rivals"] == [first["impression_id"]]


async def test_t5_t6_use_of_the_page_holds_its_number_and_closing_it_frees_none(table: Table) -> None:
    used, closed = await pooled(table, 1), await pooled(table, 1)
    for pool, at, word in ((closed, 5, "close"), (used, 300, "activity")):
        shown = await pool.visit("a", 0)
        table.at(at)
        said = {"visitor_id": "visitor-a", "generation": shown["generation"]}
        status, _ = await pool.post(f"impressions/{shown['impression_id']}/{word}", **said)
        assert status in (200, 204)
    assert await closed.shown("b", 100) is None
    assert await used.shown("b", 600) is None
    assert await used.shown("c", 660) is not None


async def test_t8_a_number_that_was_never_used_comes_first(table: Table) -> None:
    pool = await pooled(table, 2)
    first, second = await pool.visit("a", 0), await pool.visit("b", 400)
    assert {first["e164"], second["e164"]} == {number["e164"] for number in pool.numbers}
    record = await table.is_taken({"e164": first["e164"]})
    assert (record["impression_id"], record["attribution"]) == (first["impression_id"], "exact")


async def test_t9_a_visitor_who_returns_keeps_the_number(table: Table) -> None:
    pool = await pooled(table, 1)
    first, again = await pool.visit("a", 0), await pool.visit("a", 5000)
    assert (again["e164"], again["impression_id"]) == (first["e164"], first["impression_id"])
    assert await pool.shown("b", 5359) is None


@pytest.mark.parametrize("recycle", ["lease_or_call_end", "lease_only"])
async def test_t10_the_end_of_a_call_frees_the_number(table: Table, recycle: str) -> None:
    pool = await pooled(table, 1, recycle=recycle)
    await pool.visit("a", 0)
    table.at(20)
    call, invited = await table.rings(pool.numbers[0])
    await table.talks(call, invited)
    table.at(80)
    await table.ends(call)
    await table.record(call)
    assert (await pool.shown("b", 90) is not None) == (recycle == "lease_or_call_end")


async def test_t11_a_number_with_a_live_call_is_nobody_else_s(table: Table) -> None:
    pool = await pooled(table, 1)
    await pool.visit("a", 0)
    table.at(20)
    call, invited = await table.rings(pool.numbers[0])
    await table.talks(call, invited)
    assert await pool.shown("b", 1000) is None
    await table.ends(call)
    await table.record(call)
    assert await pool.shown("b", 1001) is not None


async def test_t13_t14_without_campaign_or_primary_number_there_is_no_snippet(table: Table) -> None:
    paused, released = await pooled(table, 1), await pooled(table, 1)
    for pool in (paused, released):
        await pool.visit("a", 0)
        assert await pool.snippet() == (200, 200)
    table.at(10)
    await table.api.patch(f"campaigns/{paused.primary['campaign_id']}", {"state": "paused"})
    await table.api.post(f"numbers/{released.primary['id']}/release", {"force": True})
    table.at(11)
    assert await paused.snippet() == await released.snippet() == (404, 404)
    _, record = await table.is_refused(paused.numbers[0], 480)
    assert record["disposition"] == "rejected_paused"


async def test_t15_a_hundred_at_once_for_three_numbers(table: Table) -> None:
    pool = await pooled(table, 3)
    shown = await asyncio.gather(*(pool.shown(f"{n}", 0) for n in range(100)))
    assert sorted(each for each in shown if each) == sorted(number["e164"] for number in pool.numbers)
    assert shown.count(None) == 97


async def test_t16_two_tabs_are_one_visit(table: Table) -> None:
    pool = await pooled(table, 1)
    one, other = await asyncio.gather(pool.visit("a", 0), pool.visit("a", 0))
    assert one["is_pool"] and other["is_pool"]
    assert one["impression_id"] == other["impression_id"]


# -- refusals before an answer ------------------------------------------------------------


async def test_a_number_of_the_stock_is_unknown_and_is_listed(table: Table) -> None:
    number = await table.api.post("numbers", {"e164": f"+{next(_digits)}"})
    call = await table.caller.invite(number["e164"], table.caller.sdp())
    await call.refused("404")

    async def listed() -> list[int]:
        found = (await table.api.get("numbers/still-dialled"))["items"]
        return [each["calls"] for each in found if each["id"] == number["id"]]

    assert await eventually(listed) == [1]


async def test_who_withholds_the_number_may_be_declined(table: Table) -> None:
    number = await table.number()
    await table.api.post("blocks", {"pattern": "anonymous", "campaign_id": number["campaign_id"]})
    _, record = await table.is_refused(number, 603, "Privacy: id")
    assert record["disposition"] == "rejected_anonymous"
    assert (await table.is_taken(number))["disposition"] == "connected"
