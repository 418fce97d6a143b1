"""Call records, as the writer left them: found, listed, read."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from edge.store.engine import Database
from edge.store.errors import Missing
from edge.store.owners import EVERYWHERE, Within
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import calls

_EQUAL = {
    "caller": calls.c.caller,
    "number": calls.c.called,
    "called": calls.c.called,
    "number_id": calls.c.number_id,
    "campaign_id": calls.c.campaign_id,
    "publisher_id": calls.c.publisher_id,
    "sub_id": calls.c.sub_id,
    "pool_id": calls.c.pool_id,
    "impression_id": calls.c.impression_id,
    "trunk_id": calls.c.trunk_id,
    "target_id": calls.c.target_id,
    "buyer_id": calls.c.buyer_id,
    "disposition": calls.c.disposition,
}

# Records are read in pieces, for the loop must never be held for more than 20 ms.
_PIECE = 50


class CallRecords:
    """The repository of finished calls.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self,
        filters: Mapping[str, str],
        sort: str | None,
        cursor: str | None,
        limit: int,
        within: Within = EVERYWHERE,
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """A page of records, newest first unless ``sort`` says otherwise; raises BadCursor.

        ``since`` (included) and ``until`` (not) bound ``started_at``, as texts of ``instants``.
        """
        order = order_of(sort, "-started_at")
        wanted = [*_conditions(filters), *_owned(within)]
        query = sa.select(calls.c.id, calls.c.started_at, calls.c.record).where(*wanted)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(paged(query, calls, order, cursor, limit))).all())
        items: list[Mapping[str, Any]] = []
        for start in range(0, min(limit, len(rows)), _PIECE):
            await asyncio.sleep(0)
            items += [json.loads(row.record) for row in rows[start : min(limit, start + _PIECE)]]
        return items, next_cursor(rows, order, limit)

    async def get(self, call_id: str, within: Within = EVERYWHERE) -> Mapping[str, Any]:
        """One record; raises Missing."""
        row = await self._row(calls.c.record, call_id, within)
        found: Mapping[str, Any] = json.loads(row)
        return found

    async def trace(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """The SIP ladder of one call; raises Missing."""
        row = await self._row(sa.func.coalesce(calls.c.trace, "[]"), call_id)
        found: Sequence[Mapping[str, Any]] = json.loads(row)
        return found

    async def _row(self, column: Any, call_id: str, within: Within = EVERYWHERE) -> str:
        query = sa.select(column).where(calls.c.id == call_id, *_owned(within))
        async with self._database.reading() as connection:
            row = await connection.scalar(query)
        if row is None:
            raise Missing
        return str(row)


def _owned(within: Within) -> list[sa.ColumnElement[bool]]:
    return [calls.c[name] == value for name, value in within.items()]


def _conditions(filters: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    found = [_EQUAL[name] == value for name, value in filters.items() if name in _EQUAL]
    if "hung_up_by" in filters:
        found.append(sa.func.json_extract(calls.c.record, "$.hung_up_by") == filters["hung_up_by"])
    if "tag" in filters:
        key, _, wanted = filters["tag"].partition(":")
        # One value or several: SQLite's json_each gives a row for each.
        values = sa.func.json_each(calls.c.record, f"$.tags.{key.lower()}.value").table_valued("value")
        found.append(sa.exists(sa.select(values.c.value).where(values.c.value == wanted)))
    if "since" in filters:
        found.append(calls.c.started_at >= filters["since"])
    if "until" in filters:
        found.append(calls.c.started_at < filters["until"])
    return found
