"""The table of banned sources."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

import sqlalchemy as sa

from edge.model.bans import Banned
from edge.store.engine import Database
from edge.store.instants import from_text, to_text
from edge.store.tables import bans

T = TypeVar("T")

SLICE: Final = 500
"""Rows of one transaction, so that nobody waits long for the lock."""


class BanRecords:
    """The repository.  Its methods may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self, ended_after: datetime, most: int) -> list[Banned]:
        """The newest bans, oldest first, but for those that ended before an instant."""
        query = sa.select(bans).where(bans.c.until >= to_text(ended_after))
        async with self._database.reading() as connection:
            newest = query.order_by(bans.c.since.desc()).limit(most)
            rows = (await connection.execute(newest)).all()
        return [
            Banned(r.source, r.reason, from_text(r.since), from_text(r.until), r.times, r.dropped)
            for r in reversed(rows)
        ]

    def put(self, rows: Iterable[Banned]) -> None:
        """Keeps these, besides the others; blocks."""
        insert = bans.insert().prefix_with("OR REPLACE")
        for some in _sliced(rows):
            with self._database.writing() as connection:
                connection.execute(insert, [_columns(row) for row in some])

    def drop(self, sources: Iterable[str]) -> None:
        """Forgets these sources; blocks."""
        for some in _sliced(sources):
            with self._database.writing() as connection:
                connection.execute(bans.delete().where(bans.c.source.in_(some)))


def _columns(row: Banned) -> dict[str, object]:
    return {
        "source": row.source,
        "reason": row.reason,
        "since": to_text(row.since),
        "until": to_text(row.until),
        "times": row.times,
        "dropped": row.dropped,
    }


def _sliced(things: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(things)
    while some := list(islice(rest, SLICE)):
        yield some
