"""Who holds or has used what of a cap, since when, and the resets by hand in between."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from edge.store.engine import Database
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import cap_resets, reservations

_SLOTS = sa.select(
    (reservations.c.call_id + ":" + sa.cast(reservations.c.attempt, sa.Text)).label("id"),
    reservations.c.cap_id,
    reservations.c.window_key.label("key"),
    reservations.c.state,
    reservations.c.since,
    reservations.c.call_id,
    reservations.c.attempt,
    reservations.c.counts_on,
    sa.literal(1).label("count"),
    sa.null().label("by"),
)
_RESETS = sa.select(
    sa.literal("reset").label("id"),
    cap_resets.c.cap_id,
    cap_resets.c.window_key.label("key"),
    sa.literal("reset").label("state"),
    cap_resets.c.at.label("since"),
    sa.null().label("call_id"),
    sa.null().label("attempt"),
    sa.null().label("counts_on"),
    cap_resets.c.used.label("count"),
    cap_resets.c.by,
)


class Holdings:
    """The ledger of caps, read-only.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(
        self, cap_id: str, cursor: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """A page of a cap's ledger, the newest first; raises BadCursor."""
        slots = _SLOTS.where(reservations.c.cap_id == cap_id)
        entries = sa.union_all(slots, _RESETS.where(cap_resets.c.cap_id == cap_id)).subquery()
        order = order_of(None, "-since")
        query = paged(sa.select(entries), entries, order, cursor, limit)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(query)).all())
        found = [dict(row._mapping) for row in rows[:limit]]
        return found, next_cursor(rows, order, limit)
