"""Blocks by the file."""

from typing import Annotated

from pydantic import StringConstraints

from edge.admin.ports import Ports
from edge.admin.present import many
from edge.admin.resources.numbers import DryRunQuery, WrongField, wrong
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.services.numbers import NumberResult

BLOCK_FILES = Routes("blocks")


class ImportQuery(DryRunQuery):
    """``dry_run=true`` only tells; numbers without ``+`` are ``country``'s."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"


class BlockResultRead(Record):
    """What became of one row: created, unchanged (blocked already) or refused."""

    row: int | None
    pattern: str | None
    result: str
    errors: list[WrongField]


@BLOCK_FILES.add(
    "POST",
    "/blocks/import",
    "Import blocks from CSV",
    query=ImportQuery,
    body_kind="csv",
    slow=True,
    answer=BlockResultRead,
    shape="list",
)
async def import_csv(ports: Ports, exchange: Exchange) -> Reply:
    query: ImportQuery = exchange.query
    found = await ports.blocks.import_csv(exchange.body, query.dry_run, query.country)
    return await many([_result(each) for each in found])


def _result(found: NumberResult) -> BlockResultRead:
    errors = [wrong(error) for error in found.errors]
    return BlockResultRead(row=found.row, pattern=found.e164, result=found.result, errors=errors)
