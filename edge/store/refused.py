"""The table of refused sources."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from edge.model.instants import from_text, to_text
from edge.store.engine import Database
from edge.store.tables import refused_calls


@dataclass(frozen=True, slots=True)
class Refused:
    """A source whose calls we did not serve; ``count`` times between the two instants."""

    source: str
    called: str
    reason: str
    remedy: str
    count: int
    first_seen: datetime
    last_seen: datetime


class RefusedSources:
    """The repository.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Refused]:
        """Everything kept, oldest sighting first."""
        async with self._database.reading() as connection:
            query = sa.select(refused_calls).order_by(refused_calls.c.last_seen)
            rows = (await connection.execute(query)).all()
        return [
            Refused(
                r.source,
                r.called,
                r.reason,
                r.remedy,
                r._mapping["count"],
                from_text(r.first_seen),
                from_text(r.last_seen),
            )
            for r in rows
        ]

    async def replace(self, refused: Iterable[Refused]) -> None:
        """Keeps these and no others."""
        rows = [
            {
                "source": _text(r.source),
                "called": _text(r.called),
                "reason": _text(r.reason),
                "remedy": _text(r.remedy),
                "count": r.count,
                "first_seen": to_text(r.first_seen),
                "last_seen": to_text(r.last_seen),
            }
            for r in refused
        ]
        async with self._database.editing() as connection:
            await connection.execute(refused_calls.delete())
            if rows:
                await connection.execute(refused_calls.insert().prefix_with("OR REPLACE"), rows)


def _text(value: str) -> str:
    # What strangers send may hold undecodable bytes as surrogates.
    return value.encode("utf-8", "replace").decode("utf-8")
