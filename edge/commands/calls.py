"""``edge calls``: finds calls."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.commands.client import Api
from edge.commands.failure import CommandFailed
from edge.model.printable import on_one_line

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# A pipe has no width: wide enough that no row is cut.
_PIPE_WIDTH = 400
Row = dict[str, Any]


def console() -> Console:
    """Standard output, cut to the terminal's width only where there is a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH, no_color=True)


def filters(
    caller: str | None,
    number: str | None,
    since: str | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, str]:
    """The query of the options; raises CommandFailed for a time that is none."""
    found = {"caller": caller, "number": number, "since": _instant(since, now) if since else None}
    return {name: value for name, value in found.items() if value}


def _instant(text: str, now: Callable[[], datetime]) -> str:
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if ago:
        return (now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).isoformat()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        remedy = "write a time such as 2026-11-22T09:00:00Z, or 30m, 12h or 7d for that long ago"
        raise CommandFailed(f"--since {text!r}: {remedy}", 2) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


async def find(api: Api, query: dict[str, str], limit: int) -> list[Row]:
    """The newest calls that fit."""
    return [call async for call in api.items("/calls", query, limit)]


def table(calls: list[Row]) -> Table:
    """The calls as a table, newest first."""
    shown = Table(box=None, pad_edge=False)
    for title in ("call", "started", "caller", "called", "disposition", "seconds", "detail"):
        shown.add_column(title, no_wrap=True)
    for call in calls:
        # Text, not markup, and on one line: what callers send must not style or hide anything.
        cells = (call["id"], call.get("started_at"), call.get("caller") or "anonymous", call.get("called"))
        more = (call.get("disposition") or "in progress", _seconds(call), call.get("disposition_detail"))
        shown.add_row(*(Text(on_one_line(str(cell or ""))) for cell in (*cells, *more)))
    return shown


def _seconds(call: Row) -> str:
    start, end = call.get("connected_at"), call.get("ended_at")
    if not start or not end:
        return ""
    return f"{(datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds():.0f}"
