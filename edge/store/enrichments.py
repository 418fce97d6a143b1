"""What publishers said of callers before their calls."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from edge.model.instants import from_text, to_text
from edge.store.engine import Database
from edge.store.tables import enrichments as table


class Enrichments:
    """The repository.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, start: datetime) -> list[tuple[str, str, datetime, dict[str, Any]]]:
        """Campaign, caller, instant and data of everything said since; what is older is removed."""
        async with self._database.editing() as connection:
            await connection.execute(table.delete().where(table.c.posted_at < to_text(start)))
            rows = (await connection.execute(sa.select(table).order_by(table.c.posted_at))).all()
        return [(r.campaign_id, r.caller, from_text(r.posted_at), json.loads(r.data)) for r in rows]

    async def drop(self, whom: Iterable[tuple[str, str]]) -> None:
        """Forgets these callers to these campaigns."""
        gone = [{"of_campaign": campaign_id, "of_caller": caller} for campaign_id, caller in whom]
        of_campaign = table.c.campaign_id == sa.bindparam("of_campaign")
        its = (of_campaign, table.c.caller == sa.bindparam("of_caller"))
        async with self._database.editing() as connection:
            await connection.execute(table.delete().where(*its), gone)

    async def put(self, campaign_id: str, caller: str, at: datetime, data: dict[str, Any]) -> None:
        """Keeps what was said, in place of what was said before."""
        row = {"campaign_id": campaign_id, "caller": caller, "posted_at": to_text(at)}
        statement = table.insert().prefix_with("OR REPLACE").values(**row, data=json.dumps(data))
        async with self._database.editing() as connection:
            await connection.execute(statement)
