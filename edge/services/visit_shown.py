"""A stored visit as it is read: its state at an instant, and what its JSON holds."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from edge.model.instants import from_text, ms_of, text_of_ms
from edge.model.visits import PoolRules
from edge.tracking.states import Lease, archive_ms
from edge.tracking.tags import merged, of_url

_PLAIN = (
    "id", "pool_id", "campaign_id", "tag_id", "publisher_id", "visitor_id", "number_id", "e164", "generation",
    "page_views", "calls", "created_at", "last_activity_at", "lease_until", "closed_at", "superseded_at",
)  # fmt: skip


def shown_visit(row: Mapping[str, Any], rules: PoolRules | None, now: datetime) -> dict[str, Any]:
    """The fields of the API's ``impression``; a pool that is gone (no ``rules``) frees nothing early."""
    first, last = json.loads(row["first_view"]), json.loads(row["last_view"])
    of_urls = (of_url(url) for url in (first.get("first_url", ""), first.get("page_url", "")))
    lease = _lease(row)
    return {
        **{name: row[name] for name in _PLAIN},
        "state": _state(row, lease, rules, ms_of(now)),
        "missed": bool(row["missed"]),
        "archive_at": None if lease is None else text_of_ms(lease.archive_ms),
        "first_view": first,
        "last_view": last,
        "url_tags": merged(*of_urls, of_url(last.get("page_url", ""))),
        "data": json.loads(row["data"]),
    }


def _lease(row: Mapping[str, Any]) -> Lease | None:
    if row["number_id"] is None:
        return None
    stamps = [
        None if row[name] is None else ms_of(from_text(row[name]))
        for name in ("last_activity_at", "lease_until", "call_ended_at")
    ]
    who = (row["number_id"], row["id"], row["tag_id"], row["visitor_id"], row["generation"])
    return Lease(*who, stamps[0] or 0, stamps[1] or 0, stamps[2])


def _state(row: Mapping[str, Any], lease: Lease | None, rules: PoolRules | None, now: int) -> str:
    if lease is None:
        return "missed"
    if now >= archive_ms(lease.active_ms, lease.until_ms):
        return "archived"
    if row["superseded_at"] is not None:
        return "superseded"
    return lease.state(rules or PoolRules(row["pool_id"], 0, 0, call_end_frees=False), now, busy=False)
