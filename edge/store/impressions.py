"""Visits, as the writer left them: listed, read, counted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from edge.model.visits import Link
from edge.store.engine import Database
from edge.store.errors import Missing
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import calls, impressions, pool_counts
from edge.store.visit_rows import link_of

_EQUAL = ("pool_id", "campaign_id", "tag_id", "publisher_id", "number_id", "visitor_id", "e164")
_LINK = (
    "id", "pool_id", "tag_id", "primary_number_id", "visitor_id", "created_at", "last_activity_at",
    "first_view", "last_view", "data",
)  # fmt: skip


class Arrival(NamedTuple):
    """A visit's first and last use of the page, the end of its answered call if the page was not used
    since, and the end of the last of its calls, as texts of ``instants``."""

    created_at: str
    last_activity_at: str
    call_ended_at: str | None
    busy_until: str | None


class Impressions:
    """The repository.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, filters: Mapping[str, str], sort: str | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """A page of visits, the newest first unless sorted otherwise; raises BadCursor."""
        wanted = [impressions.c[name] == filters[name] for name in _EQUAL if name in filters]
        if "missed" in filters:
            wanted.append(impressions.c.missed == int(filters["missed"] == "True"))
        if "since" in filters:
            wanted.append(impressions.c.created_at >= filters["since"])
        if "until" in filters:
            wanted.append(impressions.c.created_at < filters["until"])
        order = order_of(sort, "-created_at")
        query = paged(sa.select(impressions).where(*wanted), impressions, order, cursor, limit)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(query)).all())
        return [dict(row._mapping) for row in rows[:limit]], next_cursor(rows, order, limit)

    async def get(self, impression_id: str) -> Mapping[str, Any]:
        """One visit; raises Missing."""
        query = sa.select(impressions).where(impressions.c.id == impression_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise Missing
        return dict(row._mapping)

    async def link(self, impression_id: str) -> Link:
        """A visit as a call of it would keep it; raises Missing."""
        row = await self.get(impression_id)
        return link_of([row[name] for name in _LINK], "exact", ())

    async def counts(self, pool_id: str, start: str, end: str) -> dict[str, int]:
        """What was counted of a pool in the hours from ``start`` to before ``end``; the greatest ``peak``."""
        c = pool_counts.c
        amount = sa.case((c.event == "peak", sa.func.max(c["count"])), else_=sa.func.sum(c["count"]))
        query = (
            sa.select(c.event, amount)
            .where(c.pool_id == pool_id, c.hour >= start[:13], c.hour < end[:13])
            .group_by(c.event)
        )
        async with self._database.reading() as connection:
            return {event: int(count) for event, count in (await connection.execute(query)).all()}

    async def arrivals(self, pool_id: str, since: str, most: int) -> Sequence[Arrival]:
        """The newest visits of a pool since then, the oldest of them first."""
        c = impressions.c
        query = (
            sa.select(c.created_at, c.last_activity_at, c.call_ended_at, c.id)
            .where(c.pool_id == pool_id, c.created_at >= since)
            .order_by(c.created_at.desc())
            .limit(most)
        )
        last_calls = (
            sa.select(calls.c.impression_id, sa.func.max(calls.c.ended_at))
            .where(calls.c.pool_id == pool_id, calls.c.started_at >= since)
            .group_by(calls.c.impression_id)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
            until = {row[0]: row[1] for row in (await connection.execute(last_calls)).all()}
        return [Arrival(row[0], row[1], row[2], until.get(row[3])) for row in reversed(rows)]
