"""Configuration objects: read, listed and edited, whole objects at a time."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from edge.store.bodies import SHAPES, Kind, Object, from_row, references, to_row
from edge.store.engine import Database
from edge.store.errors import Dangling, InUse, Missing, Outdated, Reference
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import meta
from edge.store.tables import object_references as links

# Objects made from rows before the loop gets a turn (about 50 µs each).
_SLICE = 100
_VERSION = "configuration_version"


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
            found = await connection.scalar(sa.select(meta.c.value).where(meta.c.key == _VERSION))
        return 1 if found is None else int(found)

    async def get(self, kind: Kind, object_id: str) -> Object:
        """One object; raises Missing."""
        table = SHAPES[kind].table
        async with self._database.reading() as connection:
            row = (await connection.execute(sa.select(table).where(table.c.id == object_id))).first()
        if row is None:
            raise Missing
        return from_row(kind, row)

    async def list(
        self, kind: Kind, filters: Mapping[str, str], sort: str | None, cursor: str | None, limit: int
    ) -> tuple[list[Object], str | None]:
        """A page of the objects whose columns equal the filters; raises BadCursor."""
        table, order = SHAPES[kind].table, order_of(sort, "-created_at")
        query = sa.select(table).where(*(_condition(table, *wanted) for wanted in filters.items()))
        async with self._database.reading() as connection:
            rows = list((await connection.execute(paged(query, table, order, cursor, limit))).all())
        return await _made(kind, rows[:limit]), next_cursor(rows, order, limit)

    async def insert(self, kind: Kind, item: Object) -> None:
        """A new object; raises Duplicate and Dangling."""
        async with self._database.editing() as connection:
            await connection.execute(SHAPES[kind].table.insert().values(to_row(kind, item)))
            await _link(connection, kind, item)
            await _count_edit(connection)

    async def update(self, kind: Kind, item: Object, expected: int) -> None:
        """Replaces an object of version ``expected``; raises Missing, Outdated, Duplicate, Dangling."""
        table = SHAPES[kind].table
        async with self._database.editing() as connection:
            await _expect(connection, table, item.id, expected)
            await connection.execute(table.update().where(table.c.id == item.id).values(to_row(kind, item)))
            await _unlink(connection, kind, item.id)
            await _link(connection, kind, item)
            await _count_edit(connection)

    async def delete(self, kind: Kind, object_id: str, expected: int | None) -> None:
        """Removes an object that no other names; raises Missing, Outdated and InUse."""
        table = SHAPES[kind].table
        async with self._database.editing() as connection:
            await _expect(connection, table, object_id, expected)
            users = await connection.execute(
                sa.select(links.c.path, links.c.from_kind, links.c.from_id)
                .where(links.c.to_kind == kind, links.c.to_id == object_id)
                .limit(20)
            )
            found = [Reference(*row) for row in users.all()]
            if found:
                raise InUse(found)
            await connection.execute(table.delete().where(table.c.id == object_id))
            await _unlink(connection, kind, object_id)
            await _count_edit(connection)


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


async def _expect(connection: AsyncConnection, table: sa.Table, object_id: str, expected: int | None) -> None:
    version = await connection.scalar(sa.select(table.c.version).where(table.c.id == object_id))
    if version is None:
        raise Missing
    if expected is not None and version != expected:
        raise Outdated(version)


async def _count_edit(connection: AsyncConnection) -> None:
    grown = sa.cast(sa.cast(meta.c.value, sa.Integer) + 1, sa.Text)
    found = await connection.execute(meta.update().where(meta.c.key == _VERSION).values(value=grown))
    if not found.rowcount:
        await connection.execute(meta.insert().values(key=_VERSION, value="2"))


async def _unlink(connection: AsyncConnection, kind: Kind, object_id: str) -> None:
    await connection.execute(links.delete().where(links.c.from_kind == kind, links.c.from_id == object_id))


async def _link(connection: AsyncConnection, kind: Kind, item: Object) -> None:
    found = references(item)
    dangling = [reference for reference in found if not await _exists(connection, reference)]
    if dangling:
        raise Dangling(dangling)
    rows: list[dict[str, Any]] = [
        {"from_kind": kind, "from_id": item.id, "path": r.path, "to_kind": r.kind, "to_id": r.id}
        for r in found
    ]
    if rows:
        await connection.execute(links.insert(), rows)


async def _exists(connection: AsyncConnection, reference: Reference) -> bool:
    table = next(shape.table for kind, shape in SHAPES.items() if kind == reference.kind)
    found = await connection.scalar(sa.select(table.c.id).where(table.c.id == reference.id))
    return found is not None
