"""Configuration objects: read, listed and edited, whole objects at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from edge.model.kinds import Kind, Object
from edge.store.audit import Note
from edge.store.bodies import SHAPES, from_row
from edge.store.edits import VERSION, Batch, Edit
from edge.store.engine import Database
from edge.store.errors import Missing
from edge.store.owners import EVERYWHERE, Within
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import meta

# Objects made from rows before the loop gets a turn (about 50 µs each).
_SLICE = 100


class Objects:
    """The repository of all kinds.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, kind: Kind) -> list[Object]:
        """Every object of a kind, for the snapshot at the start; the loop keeps its turns."""
        async with self._database.reading() as connection:
            rows = (await connection.execute(sa.select(SHAPES[kind].table))).all()
        return await _made(kind, rows)

    async def version(self) -> int:
        """The configuration's version: grows by one with every edit, and over restarts."""
        async with self._database.reading() as connection:
            found = await connection.scalar(sa.select(meta.c.value).where(meta.c.key == VERSION))
        return 1 if found is None else int(found)

    async def get(self, kind: Kind, object_id: str, within: Within = EVERYWHERE) -> Object:
        """One object; raises Missing."""
        table = SHAPES[kind].table
        query = sa.select(table).where(table.c.id == object_id, *_owned(table, within))
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise Missing
        return from_row(kind, row)

    async def list(  # noqa: PLR0917 - a query has as many parts
        self,
        kind: Kind,
        filters: Mapping[str, str],
        sort: str | None,
        cursor: str | None,
        limit: int,
        within: Within = EVERYWHERE,
    ) -> tuple[list[Object], str | None]:
        """A page of the objects whose columns equal the filters; raises BadCursor."""
        table, order = SHAPES[kind].table, order_of(sort, "-created_at")
        wanted = (_condition(table, *each) for each in filters.items())
        query = sa.select(table).where(*wanted, *_owned(table, within))
        async with self._database.reading() as connection:
            rows = list((await connection.execute(paged(query, table, order, cursor, limit))).all())
        return await _made(kind, rows[:limit]), next_cursor(rows, order, limit)

    async def commit(self, edits: Sequence[Edit], note: Note, expected: int | None = None) -> int:
        """All edits, or none; answers the configuration's version after them.

        Raises Missing, Outdated (an object has another version than its ``before``, or the
        configuration another than ``expected``), Duplicate, Dangling and InUse.
        """

        def write() -> int:
            batch = Batch(edits, note, expected)
            try:
                with self._database.writing() as connection:
                    return batch.write(connection)
            finally:
                batch.let_go()

        return await asyncio.to_thread(write)


def _owned(table: sa.Table, within: Within) -> list[sa.ColumnElement[bool]]:
    """What an object must say of its owners to be seen at all."""
    return [
        (table.c[name] if name in table.c else sa.func.json_extract(table.c.body, f"$.{name}")) == value
        for name, value in within.items()
    ]


def _condition(table: sa.Table, name: str, value: str) -> sa.ColumnElement[bool]:
    if name == "tag":
        key, _, wanted = value.partition(":")
        # One value or several: SQLite's json_each gives a row for each.
        values = sa.func.json_each(table.c.body, f"$.tags.{key.lower()}").table_valued("value")
        return sa.exists(sa.select(values.c.value).where(values.c.value == wanted))
    if name == "billed":
        in_use = table.c.state.in_(("available", "active", "paused"))
        unmarked = sa.func.json_extract(table.c.body, "$.release.carrier").is_(None)
        return in_use if value == "active" else sa.and_(table.c.state == "cooling", unmarked)
    if name == "search":
        either = (table.c.name, table.c.external_id)
        return sa.or_(*(column.contains(value, autoescape=True) for column in either))
    return table.c[name] == value


async def _made(kind: Kind, rows: Sequence[Any]) -> list[Object]:
    found: list[Object] = []
    for start in range(0, len(rows), _SLICE):
        if start:
            await asyncio.sleep(0)
        found += [from_row(kind, row) for row in rows[start : start + _SLICE]]
    return found
