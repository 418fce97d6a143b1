"""What was used of each trunk, today and lately, kept over restarts."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Final

import sqlalchemy as sa

from edge.store.engine import Database
from edge.store.tables import meta

_KEY: Final = "trunk_seconds"


class TrunkUsage:
    """The repository.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[date, Mapping[date, Mapping[str, float]]] | None:
        """The day on which it was kept, and the seconds through each trunk by day; None: nothing was kept."""
        async with self._database.reading() as connection:
            found = await connection.scalar(sa.select(meta.c.value).where(meta.c.key == _KEY))
        if found is None:
            return None
        kept = json.loads(found)
        days = {date.fromisoformat(day): seconds for day, seconds in kept["days"].items()}
        return date.fromisoformat(kept["day"]), days

    async def save(self, day: date, days: Mapping[date, Mapping[str, float]]) -> None:
        """Keeps these and no others."""
        kept = {each.isoformat(): seconds for each, seconds in days.items()}
        value = json.dumps({"day": day.isoformat(), "days": kept})
        insert = meta.insert().prefix_with("OR REPLACE").values(key=_KEY, value=value)
        async with self._database.editing() as connection:
            await connection.execute(insert)
