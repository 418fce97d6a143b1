"""The audit: who changed what and when, each entry in the transaction of what it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from edge.ids import new_id
from edge.model.instants import to_text
from edge.store.engine import Database
from edge.store.paging import next_cursor, order_of, paged
from edge.store.tables import audit

Body = Mapping[str, Any] | None
_SHOWN = [column for column in audit.c if column.name != "secrets"]


@dataclass(frozen=True, slots=True)
class Note:
    """Whose edit it is (a token's id, ``environment`` or ``server``), and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of one thing, without its secrets; None: it was not there before, or is gone after."""

    action: str
    kind: str
    object_id: str
    name: str
    before: Body = None
    after: Body = None


def row_of(note: Note, entry: Entry, version: int | None = None, secrets: Body = None) -> dict[str, Any]:
    """The row of an entry."""
    return {
        "id": new_id("aud"),
        "at": to_text(note.at),
        "by": note.by,
        "action": entry.action,
        "kind": entry.kind,
        "object_id": entry.object_id,
        "name": entry.name,
        "version": version,
        "before": entry.before,
        "after": entry.after,
        "secrets": secrets or None,
    }


class AuditTrail:
    """The repository of entries.  Every method may raise ``Down``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, note: Note, entry: Entry) -> None:
        """An entry for what is no row of the database itself."""
        async with self._database.editing() as connection:
            await connection.execute(audit.insert().values(row_of(note, entry)))

    async def list(
        self, filters: Mapping[str, str], cursor: str | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """A page of entries, the newest first; raises BadCursor.

        ``since`` (included) and ``until`` (not) bound ``at``, as texts of ``instants``.
        """
        order = order_of(None, "-at")
        query = paged(sa.select(*_SHOWN).where(*_conditions(filters)), audit, order, cursor, limit)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(query)).all())
        return [dict(row._mapping) for row in rows[:limit]], next_cursor(rows, order, limit)


def _conditions(filters: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    return [_condition(name, value) for name, value in filters.items()]


def _condition(name: str, value: str) -> sa.ColumnElement[bool]:
    if name == "since":
        return audit.c.at >= value
    return audit.c.at < value if name == "until" else audit.c[name] == value
