"""Slots as rows of ``reservations``: who holds, or has used up, a slot of which cap."""

import sqlite3
from collections.abc import Mapping
from typing import Final

from edge.model.decision import CapClaim
from edge.store.slots import Held, Slot, SlotKey, SlotState

_SLOT = """INSERT INTO reservations
(call_id, attempt, cap_id, window_key, owner_id, counts_on, cap_limit, warning, state, since)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET state = excluded.state, since = excluded.since, window_key = excluded.window_key"""
_NO_SLOT = "DELETE FROM reservations WHERE call_id = ? AND attempt = ? AND cap_id = ?"
_AWAITING = """SELECT attempt, cap_id, owner_id, window_key, cap_limit, warning, since FROM reservations
WHERE call_id = ? AND state = 'awaiting'"""
_LEFT = """SELECT call_id, attempt, cap_id, owner_id, window_key, cap_limit, counts_on, warning, since, state
FROM reservations WHERE state IN ('reserved', 'watched')
OR (state IN ('awaiting', 'used') AND call_id IN (SELECT id FROM open_calls))"""


_LEFT_AS: Final[dict[str, SlotState]] = {"awaiting": "awaiting", "used": "used"}


def write(db: sqlite3.Connection, changed: Mapping[SlotKey, Slot | None]) -> None:
    """Writes what became of slots; None: it was given back."""
    kept, gone = [], []
    for place, slot in changed.items():
        if slot is None:
            gone.append(place)
        else:
            claim = slot.claim
            fixed = (claim.window, claim.owner_id, claim.counts_on, claim.limit, claim.warning)
            kept.append((*place, *fixed, slot.state, slot.since))
    if kept:
        db.executemany(_SLOT, kept)
    if gone:
        db.executemany(_NO_SLOT, gone)


def awaiting(db: sqlite3.Connection, call_id: str) -> Held:
    """What a call that is over left to its conversion."""
    found: Held = {}
    rows = db.execute(_AWAITING, (call_id,)).fetchall()
    for attempt, cap_id, owner_id, window, limit, warning, since in rows:
        claim = CapClaim(cap_id, owner_id, window, limit, "convert", strict=False, warning=warning)
        found[attempt, cap_id] = Slot(claim, "awaiting", since)
    return found


def left(db: sqlite3.Connection) -> Mapping[str, Held]:
    """What the calls of a server that is gone had: by call.  What was reserved is counted no longer."""
    found: dict[str, Held] = {}
    for call_id, attempt, cap_id, owner_id, window, limit, counts_on, warning, since, state in db.execute(
        _LEFT
    ):
        claim = CapClaim(cap_id, owner_id, window, limit, counts_on, strict=False, warning=warning)
        slot = Slot(claim, _LEFT_AS.get(state, "watched"), since)
        found.setdefault(call_id, {})[attempt, cap_id] = slot
    return found
