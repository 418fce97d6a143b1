"""The versions of the configuration, as the audit tells them (Rule: audit).

A version is known while the edits after it are kept: so beside those that are young enough, the newest of
the others is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from edge.clock import Clock
from edge.model.instants import from_text, to_text
from edge.store.audit import Body
from edge.store.engine import Database
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import audit

_PORTION = 200


@dataclass(slots=True)
class Past:
    """What an object was: ``body`` None, it was not there; ``secrets`` that it lost since; ``released``
    if it is a number that was out of service then or at any time since."""

    body: Body
    secrets: dict[str, str] = field(default_factory=dict)
    released: bool = False


class History:
    """Reads the audit of the configuration, ``days`` of it.  Every method may raise ``Down``."""

    def __init__(self, database: Database, clock: Clock, days: int = 365) -> None:
        self._database = database
        self._clock = clock
        self._kept = timedelta(days=days)

    async def versions(
        self, cursor: str | None, limit: int
    ) -> tuple[Sequence[tuple[int, datetime, str, int]], str | None]:
        """A page of edits, newest first: version, instant, by whom, how many objects; raises BadCursor."""
        order = order_of(None, "-at")
        edits = _edits(self._since())
        query = paged(sa.select(edits), edits, order, cursor, limit)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(query)).all())
        found = [(row.version, from_text(row.at), row.by, row.changes) for row in rows[:limit]]
        return found, next_cursor(rows, order, limit)

    async def since(self, version: int) -> Mapping[tuple[str, str], Past] | None:
        """What the objects that were changed after a version were then; None for no version that is known."""
        found: dict[tuple[str, str], Past] = {}
        known = sa.select(audit.c.id).where(audit.c.version == version, _is_known(self._since())).limit(1)
        later = (
            sa.select(audit.c.kind, audit.c.object_id, audit.c.before, audit.c.after, audit.c.secrets)
            .where(audit.c.version > version)
            .order_by(audit.c.version, audit.c.id)
        )
        async with self._database.reading() as connection:
            if (await connection.execute(known)).first() is None:
                return None
            rows = await connection.stream(later)
            async for some in rows.partitions(_PORTION):
                for row in some:
                    _note(found, row)
        return found

    def _since(self) -> str:
        return to_text(self._clock.utc() - self._kept)


def _is_known(since: str) -> sa.ColumnElement[bool]:
    newest_old = (
        sa.select(audit.c.version)
        .where(audit.c.version.is_not(None), audit.c.at < since)
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .limit(1)
    )
    return sa.or_(audit.c.at >= since, audit.c.version == newest_old.scalar_subquery())


def _edits(since: str) -> sa.Subquery:
    return (
        sa.select(
            sa.cast(audit.c.version, sa.Text).label("id"),
            audit.c.version,
            sa.func.max(audit.c.at).label("at"),
            sa.func.max(audit.c.by).label("by"),
            sa.func.count().label("changes"),
        )
        .where(audit.c.version.is_not(None), _is_known(since))
        .group_by(audit.c.version)
        .subquery()
    )


def _note(found: dict[tuple[str, str], Past], row: Any) -> None:
    past = found.setdefault((row.kind, row.object_id), Past(row.before))
    past.released |= any(body is not None and body.get("release") for body in (row.before, row.after))
    for path, value in (row.secrets or {}).items():
        past.secrets.setdefault(path, value)
