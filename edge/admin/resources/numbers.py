"""Numbers: five routes as every kind, and those that take many at a time."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import created, many, one, page
from edge.admin.queries import NumberFilter, NumberQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.config import NewNumber, Number, NumberSpec
from edge.model.types import Reference
from edge.services.errors import FieldError, Invalid
from edge.services.listing import Page
from edge.services.numbers import MAX_AT_ONCE, NumberResult
from edge.services.release import Wanted
from edge.services.warnings import keeps_settings, warnings_of

NUMBERS = Routes("numbers")

Ids = Annotated[tuple[Reference, ...], Field(max_length=MAX_AT_ONCE)]


class DryRunQuery(BaseModel):
    """``dry_run=true`` only tells what would become of each row."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class WrongField(BaseModel):
    """A field and what is wrong with it."""

    path: str
    message: str


class ResultRead(BaseModel):
    """What became of one row or one number: created, updated, unchanged, skipped or refused (then
    ``errors`` says why)."""

    row: int | None
    id: str | None
    e164: str | None
    result: str
    errors: list[WrongField]


class BulkUpdate(Record):
    """``changes`` (a merge patch) for each of ``ids``, else for every number that matches ``filter``."""

    ids: Ids = ()
    filter: NumberFilter | None = None
    changes: Annotated[dict[str, Any], Field(min_length=1, max_length=50)]
    dry_run: bool = False


class EffectiveRead(BaseModel):
    """What holds of one setting; ``dormant`` is the number's own value while it is locked."""

    inherited: bool
    value: Any
    dormant: Any


class NumberRead(Number):
    """A number, what holds for it of the four settings that it inherits or has of its own, and the call
    tracking tags that it is the primary number of.

    ``warnings`` is what was accepted and is probably not meant.
    """

    effective: dict[str, EffectiveRead]
    call_tracking_tags: tuple[str, ...] = ()
    warnings: list[WrongField]


def with_effective(ports: Ports, number: Number, *more: FieldError) -> NumberRead:
    """The number as it is read by itself; ``more`` warnings are of the edit that was just made."""
    held = ports.inheritance.effective(number)
    effective = {name: EffectiveRead(**each._asdict()) for name, each in held.items()}
    told = {
        "effective": effective,
        "call_tracking_tags": tuple(ports.pools.setup.tags_of(number.id)),
        "warnings": [wrong(each) for each in (*warnings_of(number), *more)],
    }
    return NumberRead.model_construct(**{**dict(number), **told})


def wrong(error: FieldError) -> WrongField:
    """A field and what is said of it, as it is answered."""
    return WrongField(path=error.path, message=error.message)


def result(found: NumberResult) -> ResultRead:
    """A result as it is answered."""
    errors = [wrong(error) for error in found.errors]
    return ResultRead(row=found.row, id=found.id, e164=found.e164, result=found.result, errors=errors)


def chosen(ids: Sequence[str], wanted: NumberFilter | None) -> dict[str, str]:
    """The filters of a bulk request; raises Invalid unless it names ids or a filter, not both."""
    filters = wanted.filters() if wanted is not None else {}
    if bool(ids) == bool(filters):
        raise Invalid([FieldError("ids", "name ids, or a filter with at least one field, not both")])
    return filters


@NUMBERS.add("GET", "/numbers", "List numbers", query=NumberQuery, answer=NumberRead, shape="list")
async def listing(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.configuration.list("number", exchange.query.listing())
    items = [with_effective(ports, item) for item in found.items if isinstance(item, Number)]
    return await page(Page(items, found.next_cursor), exchange)


@NUMBERS.add("GET", "/numbers/{id}", "Read a number", answer=NumberRead)
async def read(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.configuration.get("number", exchange.parameters["id"])
    assert isinstance(found, Number)
    return one(with_effective(ports, found))


@NUMBERS.add(
    "POST",
    "/numbers",
    "Create a number, or take one from stock",
    body=NewNumber,
    body_kind="json",
    answer=NumberRead,
    status=201,
)
async def create(ports: Ports, exchange: Exchange) -> Reply:
    return created(with_effective(ports, await ports.numbers.create(exchange.body)), exchange.path)


@NUMBERS.add(
    "PATCH", "/numbers/{id}", "Change a number", body=NumberSpec, body_kind="patch", answer=NumberRead
)
async def change(ports: Ports, exchange: Exchange) -> Reply:
    number_id, version = exchange.parameters["id"], expected_version(exchange)
    made = await ports.configuration.patch("number", number_id, exchange.body, version)
    assert isinstance(made, Number)
    moved = () if "campaign_id" not in exchange.body else (*keeps_settings(made), *_left(ports, made))
    return one(with_effective(ports, made, *moved))


def _left(ports: Ports, number: Number) -> Iterator[FieldError]:
    """The call tracking tags of another campaign that have lost their primary number."""
    for tag in ports.pools.setup.left_by(number):
        why = (
            f"tag {tag.id} is of campaign {tag.campaign_id}, and serves nothing until it names another number"
        )
        yield FieldError("call_tracking_tags", why)


@NUMBERS.add("DELETE", "/numbers/{id}", "Release a number", shape="none", status=204)
async def delete(ports: Ports, exchange: Exchange) -> Reply:
    await ports.releases.release(exchange.parameters["id"], Wanted(), expected_version(exchange))
    return Reply(status=204)


@NUMBERS.add(
    "POST",
    "/numbers/import",
    "Import numbers from CSV",
    query=DryRunQuery,
    body_kind="csv",
    slow=True,
    answer=ResultRead,
    shape="list",
)
async def import_csv(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.numbers.import_csv(exchange.body, exchange.query.dry_run)
    return await many([result(each) for each in found])


@NUMBERS.add(
    "POST",
    "/numbers/bulk-update",
    "Change many numbers",
    body=BulkUpdate,
    body_kind="json",
    answer=ResultRead,
    shape="list",
)
async def bulk_update(ports: Ports, exchange: Exchange) -> Reply:
    body: BulkUpdate = exchange.body
    filters = chosen(body.ids, body.filter)
    found = await ports.numbers.bulk_update(body.ids, filters, body.changes, body.dry_run)
    return await many([result(each) for each in found])
