"""The table of addresses from which a trunk without addresses has logged in."""

from datetime import datetime

import sqlalchemy as sa

from edge.model.bans import LoggedIn
from edge.model.instants import from_text, to_text
from edge.store.sources import SourceRows
from edge.store.tables import logins


class LoginRecords(SourceRows[LoggedIn]):
    """The repository.  Its methods may raise ``Down``."""

    table = logins

    async def all(self, after: datetime, most: int) -> list[LoggedIn]:
        """The newest that hold after an instant, oldest first."""
        query = sa.select(logins).where(logins.c.until > to_text(after))
        async with self._database.reading() as connection:
            newest = query.order_by(logins.c.until.desc()).limit(most)
            rows = (await connection.execute(newest)).all()
        return [LoggedIn(r.address, r.trunk_id, from_text(r.until)) for r in reversed(rows)]

    def _columns(self, row: LoggedIn) -> dict[str, object]:
        return {"address": row.address, "trunk_id": row.trunk_id, "until": to_text(row.until)}
