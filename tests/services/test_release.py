"""Numbers leave service: the states as a model, what stands in the way, bulk release in two steps."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from structlog.testing import capture_logs

from edge.clock import SystemClock
from edge.model.config import CampaignSpec, NewNumber, Number, NumberSpec, TargetSpec, TrunkSpec
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, Invalid
from edge.services.lifecycle import marked, released, restored, settled
from edge.services.listing import ListQuery
from edge.services.numbers import NumberService
from edge.services.release import ReleaseService, Wanted
from edge.store.engine import Database
from edge.store.numbers import NumberRecords
from tests.routing.world import number

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Life(RuleBasedStateMachine):
    """One number over the days, against what the rule says of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.number: Number = number(tags={"channel": "tv"})
        self.before = self.number
        self.expected = "active"
        self.until = NOON
        self.kept = False

    @rule(days=st.integers(min_value=0, max_value=60))
    def release(self, days: int) -> None:
        if self.expected in ("active", "available"):
            self.before, self.expected, self.kept = self.number, "cooling", False
            self.until = self.now + timedelta(days=days)
        self.number = released(self.number, self.now, days, None)

    @rule(carrier=st.sampled_from(["kept", "cancelled"]))
    def mark(self, carrier: Any) -> None:
        if self.expected != "cooling":
            with pytest.raises(Conflict):
                marked(self.number, carrier)
            return
        self.number = marked(self.number, carrier)
        self.kept = carrier == "kept"
        if carrier == "cancelled":
            self.expected = "retired"

    @rule()
    def restore(self) -> None:
        if self.expected != "cooling":
            with pytest.raises(Conflict):
                restored(self.number)
            return
        self.number, self.expected = restored(self.number), str(self.before.state)
        assert self.number == self.before

    @rule(days=st.integers(min_value=1, max_value=50))
    def days_go_by(self, days: int) -> None:
        self.now += timedelta(days=days)

    @invariant()
    def it_is_in_the_state_that_its_stamps_say(self) -> None:
        self.number = settled(self.number, self.now)
        if self.expected == "cooling" and self.kept and self.now >= self.until:
            self.expected = "available"
        assert self.number.state == self.expected
        if self.expected != "active":
            assert (self.number.campaign_id, self.number.publisher_id) == (None, None)
        if self.expected in ("retired",) or (self.expected == "available" and self.kept):
            assert self.number.tags == {}
        assert (self.number.release is not None) == (self.expected in ("cooling", "retired"))


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20)


class Clock(SystemClock):
    now = NOON

    def utc(self) -> datetime:
        return self.now


class Desk:
    """The services over one database, and a clock to set."""

    def __init__(self, configuration: ConfigurationService, database: Database) -> None:
        records = NumberRecords(database)
        self.clock = Clock()
        self.configuration = configuration
        self.numbers = NumberService(configuration, records)
        self.releases = ReleaseService(configuration, self.numbers, records, self.clock)

    async def active(self, e164: str = "+13125550101", **fields: Any) -> Number:
        campaign = await self.configuration.create("campaign", CampaignSpec(name="C"))
        spec = NumberSpec.model_validate({"e164": e164, "campaign_id": campaign.id, **fields})
        made = await self.configuration.create("number", spec)
        assert isinstance(made, Number)
        return made

    def known(self, number: Number) -> Number:
        found = self.configuration.current.number_by_id(number.id)
        assert found is not None
        return found


@pytest.fixture
async def desk(service: ConfigurationService, database: Database) -> AsyncIterator[Desk]:
    yield Desk(service, database)


async def test_a_kept_number_becomes_stock_when_it_has_cooled(desk: Desk) -> None:
    made = await desk.active(tags={"channel": "tv"})
    await desk.releases.release(made.id, Wanted(carrier="kept"))
    desk.clock.now += timedelta(days=44)
    await desk.releases.settle()
    assert desk.known(made).state == "cooling"
    desk.clock.now += timedelta(days=1, seconds=1)
    await desk.releases.settle()
    assert (desk.known(made).state, desk.known(made).tags) == ("available", {})
    taken = await desk.numbers.create(NewNumber(kind="local", country="US"))
    assert taken.id == made.id


async def test_an_unmarked_number_cools_on_and_is_shown_as_billed(desk: Desk) -> None:
    cost = {"minor": 250, "currency": "USD"}
    made = await desk.active(monthly_cost=cost)
    await desk.releases.release(made.id, Wanted(cooling_days=0))
    await desk.releases.settle()
    assert desk.known(made).state == "cooling"

    async def billed(state: str) -> list[str]:
        found = await desk.releases.charges(ListQuery({"billed": state}, "e164"))
        return [charge.number.id for charge in found.items]

    assert (await billed("active"), await billed("cooling")) == ([], [made.id])
    assert (await desk.releases.mark(made.id, "cancelled")).state == "retired"
    assert await billed("cooling") == []
    again = await desk.numbers.import_csv("e164\n+13125550101\n", dry_run=False)
    assert again[0].result == "refused"
    by_hand = await desk.configuration.patch("number", made.id, {"state": "available"}, None)
    assert isinstance(by_hand, Number) and (by_hand.state, by_hand.release) == ("available", None)


async def test_what_a_released_number_was_comes_back_and_nothing_else_changes_it(desk: Desk) -> None:
    made = await desk.active(tags={"channel": "tv"})
    await desk.releases.release(made.id, Wanted())
    for changes in ({"campaign_id": made.campaign_id}, {"state": "active"}, {"state": "available"}):
        with pytest.raises(Invalid):
            await desk.configuration.patch("number", made.id, changes, None)
    back = await desk.releases.restore(made.id)
    assert back.model_dump(exclude={"version", "updated_at"}) == made.model_dump(
        exclude={"version", "updated_at"}
    )


async def test_a_number_that_is_needed_stays_unless_forced(desk: Desk) -> None:
    made = await desk.active()
    trunk = TrunkSpec(name="T", addresses=("192.0.2.1",), default_number_id=made.id)
    target = TargetSpec(name="T", address="sip:b@192.0.2.1", caller_id=made.e164)
    trunk_id = (await desk.configuration.create("trunk", trunk)).id
    target_id = (await desk.configuration.create("target", target)).id
    with pytest.raises(Conflict, match=f"trunk {trunk_id}.*target {target_id}"):
        await desk.releases.release(made.id, Wanted())
    assert (await desk.releases.release(made.id, Wanted(force=True))).state == "cooling"


async def test_a_release_is_told_once_however_often_it_is_asked_for(desk: Desk) -> None:
    with capture_logs() as logs:
        made = await desk.active("+18005550131", kind="toll_free")
        await asyncio.gather(*(desk.releases.release(made.id, Wanted()) for _ in range(3)))
        await desk.releases.release(made.id, Wanted())
        at_once = await desk.active("+18005550132", kind="toll_free")
        await desk.releases.release(at_once.id, Wanted(cooling_days=0, carrier="kept"))
    told = [log["number_id"] for log in logs if log["event"] == "number.released"]
    assert told == [made.id, at_once.id]


async def test_a_bulk_release_is_previewed_and_confirmed(desk: Desk) -> None:
    cost = {"minor": 250, "currency": "USD"}
    one, two, three = [await desk.active(f"+1312555010{n}", monthly_cost=cost) for n in (1, 2, 3)]
    await desk.releases.release(three.id, Wanted())
    seen = await desk.releases.preview([one.id, two.id, three.id], {}, Wanted(carrier="kept"))
    assert (seen.count, seen.saving[0].minor) == (2, 500)
    assert [each.id for each in seen.refused] == [three.id]
    assert desk.known(one).state == "active"
    await desk.configuration.patch("number", two.id, {"tags": {"a": "b"}}, None)
    done = await desk.releases.confirm(seen.token)
    assert [each.result for each in done] == ["updated", "skipped"]
    assert [each.result for each in await desk.releases.confirm(seen.token)] == ["unchanged", "skipped"]
    assert (desk.known(one).state, desk.known(two).state) == ("cooling", "active")
    desk.clock.now += timedelta(hours=2)
    with pytest.raises(Conflict, match="preview"):
        await desk.releases.confirm(seen.token)
