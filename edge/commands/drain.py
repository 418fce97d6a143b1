"""``edge drain``: no new calls, live ones finish."""

import asyncio
import sys

from rich.console import Console

from edge.commands.client import Api, NoServer

_POLL_S = 1.0


async def drain(api: Api, max_s: float | None) -> None:
    """Drains and waits until no call lives; shows the count on a terminal only."""
    body = {} if max_s is None else {"max_s": max_s}
    answer = await api.post("/drain", body)
    live = int(answer["live"])
    output = Console(stderr=True, quiet=not sys.stderr.isatty())
    with output.status(_words(live)) as status:
        while live:
            await asyncio.sleep(_POLL_S)
            try:
                live = len((await api.get("/calls/live"))["items"])
            except NoServer:
                return
            status.update(_words(live))


def _words(live: int) -> str:
    return f"draining: {live} {'call is' if live == 1 else 'calls are'} still going on"
