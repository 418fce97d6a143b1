"""Long lists as CSV, written page by page while they are read."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from edge.services.listing import ListQuery, Page

MOST_ROWS = 100_000
_PAGE = 500
_SLICE = 50
# What a spreadsheet would take for a formula (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Mapping[str, Any]


def cell(value: Any) -> str:
    """A value as it stands in a cell; what begins like a formula is made text by an apostrophe."""
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as CSV (RFC 4180), UTF-8."""
    out = io.StringIO()
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


async def pages(
    query: ListQuery,
    ask: Callable[[ListQuery], Awaitable[Page[Any]]],
    columns: Sequence[str],
    show: Callable[[Any], Row],
) -> AsyncIterator[bytes]:
    """The line of names and then every row that ``query`` finds, ``query.limit`` at most.

    The first page is asked for at once, so that what is wrong with the query is an answer.
    """
    left = query.limit
    found = await ask(ListQuery(query.filters, query.sort, None, min(left, _PAGE)))
    return _written(query, ask, columns, show, found)


async def _written(
    query: ListQuery,
    ask: Callable[[ListQuery], Awaitable[Page[Any]]],
    columns: Sequence[str],
    show: Callable[[Any], Row],
    found: Page[Any],
) -> AsyncIterator[bytes]:
    left = query.limit
    yield lines([columns])
    while True:
        for start in range(0, len(found.items), _SLICE):
            shown = [show(item) for item in found.items[start : start + _SLICE]]
            yield lines([[row.get(name) for name in columns] for row in shown])
            await asyncio.sleep(0)
        left -= len(found.items)
        if found.next_cursor is None or left <= 0:
            return
        found = await ask(ListQuery(query.filters, query.sort, found.next_cursor, min(left, _PAGE)))
