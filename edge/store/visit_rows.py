"""Visits as rows: what of them is JSON, and the lease that a row tells."""

import json
from collections.abc import Mapping
from typing import Any

from edge.model.visits import PageView
from edge.store.instants import from_text, ms_of
from edge.tracking.states import Lease


def lease_of(row: Any) -> Lease:
    """The lease of a row of ``visits_sql.LEASES``."""
    number_id, impression_id, tag_id, visitor_id, generation, active, until, ended = row
    stamps = (ms_of(from_text(active)), ms_of(from_text(until)))
    ended_ms = None if ended is None else ms_of(from_text(ended))
    return Lease(number_id, impression_id, tag_id, visitor_id, generation, *stamps, ended_ms)


def text_of_view(view: PageView) -> str:
    """A page view as JSON, without its tags."""
    found = {name: getattr(view, name) for name in _VIEW if getattr(view, name)}
    return json.dumps(found)


_VIEW = ("page_url", "first_url", "referrer", "language", "screen", "user_agent", "ip")


def view_of(text: str, tags: Mapping[str, Any]) -> PageView:
    """Back again, with these tags."""
    return PageView(**json.loads(text), tags={key: value_of(value) for key, value in tags.items()})


def value_of(value: Any) -> str | tuple[str, ...]:
    """A tag's value out of JSON."""
    return tuple(value) if isinstance(value, list) else str(value)
