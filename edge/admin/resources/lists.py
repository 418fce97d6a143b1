"""Short lists of what belongs to one object: all of it at once, with no query."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel

from edge.admin.ports import Ports
from edge.admin.present import many
from edge.admin.routes import Access, Exchange, Reply, Routes


def add_list(  # noqa: PLR0917 - a route and what it shows
    routes: Routes,
    path: str,
    summary: str,
    answer: type[BaseModel],
    find: Callable[[Ports, str], Awaitable[Sequence[Any]]],
    show: Callable[[Any], BaseModel] | None = None,
    *,
    access: Access = "report_only",
) -> None:
    """Adds GET of a path with ``{id}``; ``find`` answers what that object has, ``show`` makes an ``answer``
    of each (None: they have the same attributes)."""
    shown = show or partial(answer.model_validate, from_attributes=True)

    @routes.add("GET", path, summary, answer=answer, shape="list", access=access)
    async def listed(ports: Ports, exchange: Exchange) -> Reply:
        return await many([shown(each) for each in await find(ports, exchange.parameters["id"])])
