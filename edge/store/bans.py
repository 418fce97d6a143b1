"""The table of banned sources."""

from datetime import datetime

import sqlalchemy as sa

from edge.model.bans import Banned
from edge.model.instants import from_text, to_text
from edge.store.sources import SourceRows
from edge.store.tables import bans


class BanRecords(SourceRows[Banned]):
    """The repository.  Its methods may raise ``Down``."""

    table = bans

    async def all(self, ended_after: datetime, most: int) -> list[Banned]:
        """The newest bans, oldest first, but for those that ended before an instant."""
        query = sa.select(bans).where(bans.c.until >= to_text(ended_after))
        async with self._database.reading() as connection:
            newest = query.order_by(bans.c.since.desc()).limit(most)
            rows = (await connection.execute(newest)).all()
        return [
            Banned(
                r.source, r.reason, from_text(r.since), from_text(r.until), r.times, r.dropped,
                bool(r.datagrams_only),
            )
            for r in reversed(rows)
        ]  # fmt: skip

    def _columns(self, row: Banned) -> dict[str, object]:
        return {
            "source": row.source,
            "reason": row.reason,
            "since": to_text(row.since),
            "until": to_text(row.until),
            "times": row.times,
            "dropped": row.dropped,
            "datagrams_only": row.datagrams_only,
        }
