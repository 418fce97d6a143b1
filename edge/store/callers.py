"""What the tables know of callers: the lists they are on, and the calls they have made."""

import asyncio
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from edge.model.callers import CallerPast, PastCall
from edge.model.instants import from_text
from edge.store.edits import portions
from edge.store.engine import Database
from edge.store.tables import caller_list_numbers as listed
from edge.store.tables import calls

MOST_CALLS = 200
"""Calls of one caller that are looked at, the newest first."""


class CallerRecords:
    """The repository of callers.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def past(self, caller: str) -> CallerPast:
        """The lists that a caller is on, and its last calls."""
        lists = sa.select(listed.c.list_id).where(listed.c.caller == caller)
        made = (
            sa.select(
                calls.c.number_id,
                calls.c.campaign_id,
                calls.c.target_id,
                calls.c.started_at,
                sa.func.json_extract(calls.c.record, "$.buyer_id").label("buyer_id"),
                sa.func.json_extract(calls.c.record, "$.converted").label("converted"),
            )
            .where(calls.c.caller == caller)
            .order_by(calls.c.started_at.desc())
            .limit(MOST_CALLS)
        )
        async with self._database.reading() as connection:
            on = frozenset((await connection.execute(lists)).scalars())
            rows = (await connection.execute(made)).all()
        before = (
            PastCall(
                row.number_id, row.campaign_id, row.target_id, row.buyer_id,
                from_text(row.started_at), bool(row.converted),
            )
            for row in rows
        )  # fmt: skip
        return CallerPast(on, tuple(before))

    async def count(self, list_id: str) -> int:
        """How many numbers a list has."""
        query = sa.select(sa.func.count()).where(listed.c.list_id == list_id)
        async with self._database.reading() as connection:
            return int(await connection.scalar(query) or 0)

    async def numbers(self, list_id: str, after: str, limit: int) -> list[str]:
        """The numbers of a list in their order, from behind ``after`` on."""
        query = sa.select(listed.c.caller).where(listed.c.list_id == list_id, listed.c.caller > after)
        async with self._database.reading() as connection:
            return list((await connection.execute(query.order_by(listed.c.caller).limit(limit))).scalars())

    async def all(self, list_id: str) -> set[str]:
        """Every number of a list."""
        query = sa.select(listed.c.caller).where(listed.c.list_id == list_id)
        async with self._database.reading() as connection:
            return set((await connection.execute(query)).scalars())

    async def add(self, list_id: str, numbers: Iterable[str]) -> int:
        """Puts numbers on a list; answers how many were new.  Each portion holds as soon as it is written."""
        insert = listed.insert().prefix_with("OR IGNORE")
        total = 0
        for some in portions(sorted(numbers)):
            total += await self._write(insert, [{"list_id": list_id, "caller": each} for each in some])
        return total

    async def remove(self, list_id: str, numbers: Iterable[str]) -> int:
        """Takes numbers off a list; answers how many were on it."""
        total = 0
        for some in portions(sorted(numbers)):
            query = listed.delete().where(listed.c.list_id == list_id, listed.c.caller.in_(some))
            total += await self._write(query, None)
        return total

    async def _write(self, statement: sa.Executable, rows: Sequence[dict[str, str]] | None) -> int:
        """One short transaction: the call path's writer must not wait for a long list."""

        def write() -> int:
            with self._database.writing() as connection:
                return int(connection.execute(statement, rows).rowcount)

        return await asyncio.to_thread(write)
