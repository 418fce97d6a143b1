"""Visits as rows: what of them is JSON, and the lease that a row tells."""

import json
from collections.abc import Mapping
from typing import Any

from edge.model.instants import from_text, ms_of
from edge.model.visits import Attribution, Link, PageView
from edge.tracking.states import Lease
from edge.tracking.tags import merged, of_url


def lease_of(row: Any) -> Lease:
    """The lease of a row of ``visits_sql.LEASES``."""
    number_id, impression_id, tag_id, visitor_id, generation, active, until, *ends = row
    stamps = (ms_of(from_text(active)), ms_of(from_text(until)))
    ended_ms, closed_ms = (None if end is None else ms_of(from_text(end)) for end in ends)
    return Lease(number_id, impression_id, tag_id, visitor_id, generation, *stamps, ended_ms, closed_ms)


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


def link_of(row: Any, attribution: Attribution, rivals: tuple[str, ...]) -> Link:
    """The visit of a row of ``visits_sql.VISIT``, as a call keeps it."""
    impression_id, pool_id, tag_id, primary_number_id, visitor_id, created, active, first, last, data = row
    begun, latest = view_of(first, {}), view_of(last, {})
    of_browser = {name: getattr(latest, name) for name in ("language", "screen") if getattr(latest, name)}
    told = {key: value_of(value) for key, value in json.loads(data).items()}
    return Link(
        impression_id=impression_id,
        pool_id=pool_id,
        tag_id=tag_id,
        primary_number_id=primary_number_id,
        visitor_id=visitor_id,
        attribution=attribution,
        rivals=rivals,
        started_at=from_text(created),
        active_at=from_text(active),
        first=begun,
        last=latest,
        landing=merged(of_url(begun.first_url), of_url(begun.page_url)),
        latest=of_url(latest.page_url),
        data=merged(of_browser, told),
    )
