"""Numbers in quantity: from stock, from CSV, many at a time."""

from pathlib import Path
from typing import Any

import pytest

from edge.clock import SystemClock
from edge.model.config import CampaignSpec, NewNumber, Number, NumberSpec
from edge.model.publishers import PublisherSpec
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, Invalid
from edge.services.listing import ListQuery
from edge.services.numbers import NumberService
from edge.store.engine import Database
from edge.store.numbers import NumberRecords
from edge.store.writer import Writer
from tests.support.commands import finish


@pytest.fixture
def numbers(service: ConfigurationService, database: Database) -> NumberService:
    return NumberService(service, NumberRecords(database))


async def make(service: ConfigurationService, e164: str, **fields: Any) -> Number:
    made = await service.create("number", NumberSpec.model_validate({"e164": e164, **fields}))
    assert isinstance(made, Number)
    return made


def new(**fields: Any) -> NewNumber:
    return NewNumber.model_validate(fields)


async def test_stock_gives_the_longest_unused_number_of_the_kind_and_area(
    service: ConfigurationService, numbers: NumberService, tmp_path: Path
) -> None:
    lately, long_ago, never, other = [
        await make(service, digits)
        for digits in ("+13125550101", "+13125550102", "+13125550103", "+17735550104")
    ]
    async with Writer(tmp_path / "edge.db", SystemClock()) as writer:
        await writer.submit(finish("call_1", number_id=lately.id, started_at="2026-11-20T09:00:00.000Z"))
        await writer.submit(finish("call_2", number_id=long_ago.id, started_at="2026-10-20T09:00:00.000Z"))
    campaign = await service.create("campaign", CampaignSpec(name="C"))
    wanted = {"kind": "local", "country": "US", "area_code": "312", "campaign_id": campaign.id}
    taken = [(await numbers.create(new(**wanted, tags={"a": "b"}))) for _ in range(3)]
    assert [number.id for number in taken] == [never.id, long_ago.id, lately.id]
    assert (taken[0].state, taken[0].tags) == ("active", {"a": "b"})
    with pytest.raises(Conflict, match="no available local numbers of US 312"):
        await numbers.create(new(**wanted))
    assert (await numbers.create(new(kind="local", country="US"))).id == other.id
    with pytest.raises(Invalid, match="e164"):
        await numbers.create(new(kind="local"))


CSV = """e164,campaign_id,publisher_id,tag:channel,sub_id,monthly_cost_minor,monthly_cost_currency,country
+1 (312) 555-0101,{campaign},{publisher},tv,a1,250,USD,
3125550102,,,,,,,US
nonsense,,,,,,,
+13125550101,,,,,,,
+13125550103,cmp_9,,,,,,
"""


async def test_an_import_tells_of_each_row_and_can_be_repeated(
    service: ConfigurationService, numbers: NumberService
) -> None:
    campaign = await service.create("campaign", CampaignSpec(name="C"))
    publisher = await service.create("publisher", PublisherSpec(name="P"))
    text = "\ufeff" + CSV.format(campaign=campaign.id, publisher=publisher.id)
    expected = ["created", "created", "refused", "refused", "refused"]
    rehearsed = await numbers.import_csv(text, dry_run=True)
    assert [each.result for each in rehearsed] == expected
    assert service.current.number("+13125550101") is None
    done = await numbers.import_csv(text, dry_run=False)
    assert [each.result for each in done] == expected
    assert [each.errors[0].path for each in done[2:]] == ["e164", "e164", "campaign_id"]
    made = service.current.number("+13125550101")
    assert made is not None and made.monthly_cost is not None
    assert (made.tags, made.sub_id) == ({"channel": "tv", "sub_id": "a1"}, "a1")
    assert (made.publisher_id, made.monthly_cost.minor, made.area_code) == (publisher.id, 250, "312")
    again = await numbers.import_csv(text.replace(",tv,", ",radio,"), dry_run=False)
    assert [each.result for each in again] == ["updated", "unchanged", "refused", "refused", "refused"]


@pytest.mark.parametrize("text", ["", "phone\n+13125550101", "e164,colour\n", "e164,e164\n"])
async def test_a_file_without_the_known_columns_is_refused_whole(numbers: NumberService, text: str) -> None:
    with pytest.raises(Invalid):
        await numbers.import_csv(text, dry_run=False)


async def test_a_bulk_update_judges_each_number_by_itself(
    service: ConfigurationService, numbers: NumberService
) -> None:
    campaign = await service.create("campaign", CampaignSpec(name="C"))
    used = await make(service, "+13125550101", campaign_id=campaign.id, tags={"channel": "tv"})
    stock = await make(service, "+13125550102")
    changes = {"state": "paused", "region": "Illinois"}
    found = await numbers.bulk_update([used.id, stock.id, "num_9"], {}, {"publisher_id": "pub_9"}, False)
    assert [each.result for each in found] == ["refused"] * 3
    found = await numbers.bulk_update([], {"tag": "channel:tv"}, changes, True)
    assert [(each.id, each.result) for each in found] == [(used.id, "updated")]
    assert service.current.number_by_id(used.id) == used
    await numbers.bulk_update([], {"tag": "channel:tv"}, changes, False)
    assert [each.result for each in await numbers.bulk_update([used.id], {}, changes, False)] == ["unchanged"]
    assert service.current.number_by_id(used.id).state == "paused"  # type: ignore[union-attr]
    with pytest.raises(Invalid):
        await numbers.bulk_update([used.id], {}, {"e164": "+13125550109"}, False)


async def test_numbers_are_found_by_their_fields(service: ConfigurationService) -> None:
    campaign = await service.create("campaign", CampaignSpec(name="C"))
    one = await make(
        service, "+13125550101", campaign_id=campaign.id, sub_id="a1", tags={"channel": ["tv", "web"]}
    )
    await make(service, "+17735550102", region="Illinois")

    async def ids(**filters: str) -> list[str]:
        return [item.id for item in (await service.list("number", ListQuery(filters))).items]

    for filters in ({"tag": "channel:web"}, {"sub_id": "a1"}, {"area_code": "312"}, {"search": "3125550"}):
        assert await ids(**filters) == [one.id], filters
    assert await ids(tag="channel:radio") == []
    assert await ids(search="%") == []


async def test_sub_id_and_its_tag_are_one_value(service: ConfigurationService) -> None:
    made = await make(service, "+13125550101", tags={"sub_id": "a", "x": "y"})
    assert made.sub_id == "a"

    async def patched(**changes: Any) -> Number:
        after = await service.patch("number", made.id, changes, None)
        assert isinstance(after, Number)
        return after

    assert (await patched(sub_id="b")).tags == {"sub_id": "b", "x": "y"}
    assert (await patched(tags={"sub_id": "c"})).sub_id == "c"
    assert (await patched(tags={"z": "1"})).sub_id == "c"
    assert (await patched(sub_id=None)).tags == {"x": "y", "z": "1"}
    with pytest.raises(Invalid, match="one value"):
        await patched(sub_id="d", tags={"sub_id": "e"})


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"publisher_id": "PUBLISHER"}, "publisher_id"),
        ({"area_code": "773"}, "area_code"),
        ({"tags": {"sub_id": ["a", "b"]}}, "tags.sub_id"),
        ({"publisher_id": "pub_9", "campaign_id": "CAMPAIGN"}, "publisher_id"),
    ],
)
async def test_what_contradicts_is_refused(
    service: ConfigurationService, fields: dict[str, Any], path: str
) -> None:
    known = {
        "CAMPAIGN": (await service.create("campaign", CampaignSpec(name="C"))).id,
        "PUBLISHER": (await service.create("publisher", PublisherSpec(name="P"))).id,
    }
    named = {name: known.get(str(value), value) for name, value in fields.items()}
    with pytest.raises(Invalid) as caught:
        await make(service, "+13125550101", **named)
    assert caught.value.errors[0].path == path
