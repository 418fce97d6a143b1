"""Numbers: five routes as every kind, and those that take many at a time."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from edge.admin.ports import Ports
from edge.admin.present import created, many
from edge.admin.queries import NumberFilter, NumberQuery
from edge.admin.resources.configuration import edits, reads
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.config import NewNumber, Number, NumberSpec
from edge.model.types import Reference
from edge.services.errors import FieldError, Invalid
from edge.services.numbers import MAX_AT_ONCE, NumberResult

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


def result(found: NumberResult) -> ResultRead:
    """A result as it is answered."""
    errors = [WrongField(path=error.path, message=error.message) for error in found.errors]
    return ResultRead(row=found.row, id=found.id, e164=found.e164, result=found.result, errors=errors)


def chosen(ids: Sequence[str], wanted: NumberFilter | None) -> dict[str, str]:
    """The filters of a bulk request; raises Invalid unless it names ids or a filter, not both."""
    filters = wanted.filters() if wanted is not None else {}
    if bool(ids) == bool(filters):
        raise Invalid([FieldError("ids", "name ids, or a filter with at least one field, not both")])
    return filters


reads(NUMBERS, "number", "/numbers", Number, NumberQuery)


@NUMBERS.add(
    "POST",
    "/numbers",
    "Create a number, or take one from stock",
    body=NewNumber,
    body_kind="json",
    answer=Number,
    status=201,
)
async def create(ports: Ports, exchange: Exchange) -> Reply:
    return created(await ports.numbers.create(exchange.body), exchange.path)


edits(NUMBERS, "number", "/numbers", NumberSpec, Number)


@NUMBERS.add(
    "POST",
    "/numbers/import",
    "Import numbers from CSV",
    query=DryRunQuery,
    body_kind="csv",
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
