"""Whether a decision needs the caller's past: looked at once, when an object enters the snapshot."""

from typing import Final

from edge.model.config import Campaign, Number, Routes, Target
from edge.model.filter import Filters

REPEAT: Final = "is_repeat"
"""The fact that a filter, a header or an address may name: the caller has called this number before."""


def asks(item: Number | Campaign | Target) -> bool:
    """Does a decision that meets this object need the caller's past?"""
    if isinstance(item, Target):
        wanted = item.suppression_list_ids or item.book_list_ids or item.duplicates is not None
        told = any(REPEAT in text for text in (item.address, *item.headers.values()))
        return bool(wanted) or told or _names(item.filters)
    own = item.settings.routes if isinstance(item, Number) else None
    routes = item.routes if isinstance(item, Campaign) else own.value if own is not None else None
    return routes is not None and _routes_ask(routes)


def _routes_ask(routes: Routes) -> bool:
    sent = routes.duplicates is not None and routes.duplicates.handling != "normal"
    return sent or any(_names(entry.filters) for entry in routes.targets)


def _names(filters: Filters) -> bool:
    return any(item.key == REPEAT for item in filters)
