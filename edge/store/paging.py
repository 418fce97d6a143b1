"""Pages of long tables by key: the cursor holds where the last page ended, not how many came before."""

import base64
import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from edge.store.errors import BadCursor


class Order(NamedTuple):
    """The column to sort by, ties broken by ``id``; ``name`` is how the caller calls it."""

    name: str
    descending: bool


def order_of(sort: str | None, default: str) -> Order:
    """``-started_at`` in two: the field, and whether descending."""
    text = sort or default
    return Order(text.removeprefix("-"), text.startswith("-"))


def paged(
    query: sa.Select[Any], table: sa.FromClause, order: Order, cursor: str | None, limit: int
) -> sa.Select[Any]:
    """The query for one page and one row more, which tells whether there is another page.

    Raises BadCursor.
    """
    column, key = table.c[order.name], table.c.id
    if cursor is not None:
        value, last_id = _decode(cursor, order)
        place, last = sa.tuple_(column, key), sa.tuple_(sa.literal(value), sa.literal(last_id))
        query = query.where(place < last if order.descending else place > last)
    columns = (column.desc(), key.desc()) if order.descending else (column, key)
    return query.order_by(*columns).limit(limit + 1)


def next_cursor(rows: list[Any], order: Order, limit: int) -> str | None:
    """The cursor after ``rows``, which ``paged`` found; None on the last page."""
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    text = json.dumps([order.name, order.descending, getattr(last, order.name), last.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> tuple[str, str]:
    try:
        name, descending, value, last_id = json.loads(
            base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        )
    except (ValueError, TypeError):
        raise BadCursor("the cursor is not one of ours; start without it") from None
    fits = (name, descending) == order and _is_text(value) and _is_text(last_id)
    if not fits:
        raise BadCursor("the cursor belongs to a list sorted otherwise; start without it")
    return value, last_id


def _is_text(value: object) -> bool:
    """A text that the database takes: JSON may hold half a character (a surrogate)."""
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode()
