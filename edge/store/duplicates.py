"""Pages on which more than one snippet runs."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from edge.model.instants import to_text
from edge.store.engine import Database
from edge.store.tables import duplicate_snippets as table

MOST_PAGES = 100
"""Pages kept of a campaign."""


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """How often a second snippet reported itself on a page, between which instants."""

    campaign_id: str
    page: str
    count: int
    first_seen: str
    last_seen: str


class DuplicateSnippets:
    """The repository.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, campaign_id: str, page: str, at: datetime) -> None:
        """Counts one more report of a page; new pages of a campaign that has many are not kept."""
        now = to_text(at)
        seen = sa.and_(table.c.campaign_id == campaign_id, table.c.page == page)
        again = table.update().where(seen).values(count=table.c.count + 1, last_seen=now)
        pages = sa.select(sa.func.count()).where(table.c.campaign_id == campaign_id)
        row = {"campaign_id": campaign_id, "page": page, "count": 1, "first_seen": now, "last_seen": now}
        async with self._database.editing() as connection:
            if (await connection.execute(again)).rowcount:
                return
            if (await connection.scalar(pages) or 0) < MOST_PAGES:
                await connection.execute(table.insert().values(row))

    async def of(self, campaign_id: str) -> list[DuplicatePage]:
        """The pages of a campaign, the newest report first."""
        query = sa.select(table).where(table.c.campaign_id == campaign_id).order_by(table.c.last_seen.desc())
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [DuplicatePage(*row) for row in rows]
