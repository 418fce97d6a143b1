"""What was used of each trunk today, kept over restarts."""

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

    async def load(self) -> tuple[date, Mapping[str, float]] | None:
        """The day, and the seconds of calls through each trunk; None if nothing was kept."""
        async with self._database.reading() as connection:
            found = await connection.scalar(sa.select(meta.c.value).where(meta.c.key == _KEY))
        if found is None:
            return None
        kept = json.loads(found)
        return date.fromisoformat(kept["day"]), kept["seconds"]

    async def save(self, day: date, seconds: Mapping[str, float]) -> None:
        """Keeps these and no others."""
        value = json.dumps({"day": day.isoformat(), "seconds": seconds})
        insert = meta.insert().prefix_with("OR REPLACE").values(key=_KEY, value=value)
        async with self._database.editing() as connection:
            await connection.execute(insert)
