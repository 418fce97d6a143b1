"""What each command of the call path does to the tables, as SQL within the caller's transaction.

Slots (Rule: caps): ``used + reserved <= limit`` holds in every counter after every command.  A
slot is *reserved* before its trigger, *used* by it, *released* when the trigger can not come any
more; concurrency is reserved until it is released.  The trigger of ``attempt`` claims is the
first dial, which a Reserve with ``attempt`` > 0 announces; the trigger of ``connect`` claims is
Connect.  Repeating a command changes nothing.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from edge.model.decision import CapClaim
from edge.model.ledger import Command, Connect, Finish, OpenCall, Release, Reserve, Unavailable
from edge.store.instants import to_text

Answer = str | None | Unavailable
Changes = dict[tuple[str, str], int]

_OPEN = """INSERT INTO open_calls (id, started_at, trunk_id, caller, called, number_id, campaign_id)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_OVER = "SELECT 1 FROM calls WHERE id = ?"
_HOLD = """INSERT INTO reservations
(call_id, attempt, cap_id, window_key, owner_id, counts_on, state, since)
VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?)
ON CONFLICT (call_id, attempt, cap_id) DO UPDATE
SET state = 'reserved', window_key = excluded.window_key, since = excluded.since WHERE state = 'released'"""
_LET_GO = "UPDATE reservations SET state = 'released' WHERE call_id = ? AND attempt = ? AND cap_id = ?"
_TAKE = """INSERT INTO counters (cap_id, window_key, used, reserved) VALUES (?, ?, 0, 1)
ON CONFLICT (cap_id, window_key) DO UPDATE SET reserved = reserved + 1 WHERE used + reserved < ?
RETURNING used + reserved"""
_GIVE_BACK = """UPDATE counters SET reserved = reserved - 1 WHERE cap_id = ? AND window_key = ?
RETURNING used + reserved"""
_USE_UP = "UPDATE counters SET reserved = reserved - 1, used = used + 1 WHERE cap_id = ? AND window_key = ?"
_DIALLED = """UPDATE reservations SET state = 'used'
WHERE call_id = ? AND attempt IN (0, ?) AND state = 'reserved' AND counts_on = 'attempt'
RETURNING cap_id, window_key"""
_BRIDGED = """UPDATE reservations SET state = 'used'
WHERE call_id = ? AND attempt IN (0, ?) AND state = 'reserved' AND counts_on <> 'concurrency'
RETURNING cap_id, window_key"""
_CONNECTED = "UPDATE open_calls SET connected_at = ?, target_id = ? WHERE id = ? AND connected_at IS NULL"
_RELEASE = """UPDATE reservations SET state = 'released'
WHERE call_id = ? AND attempt = ? AND state = 'reserved' RETURNING cap_id, window_key"""
_RELEASE_ALL = """UPDATE reservations SET state = 'released'
WHERE call_id = ? AND state = 'reserved' RETURNING cap_id, window_key"""
_CLOSE = "DELETE FROM open_calls WHERE id = ?"
_RECORD = """INSERT INTO calls (id, started_at, ended_at, trunk_id, caller, called, number_id, campaign_id,
target_id, disposition, record, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""


class Ledger:
    """Runs commands on a connection whose transaction is the caller's.

    ``changes`` collects what is taken of each counter that moved; the caller empties it.
    Raises ``sqlite3.Error`` when the database can not, and ValueError or TypeError for a command
    that can not be written: the caller rolls back.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.changes: Changes = {}
        self._runners: Mapping[type[Command], Callable[[Any], Answer]] = {
            OpenCall: self._open,
            Reserve: self._reserve,
            Connect: self._connect,
            Release: self._release,
            Finish: self._finish,
        }

    def run(self, command: Command) -> Answer:
        """The command's answer, as ``edge.model.ledger`` says."""
        return self._runners[type(command)](command)

    def _open(self, command: OpenCall) -> Answer:
        c = command
        row = (c.call_id, to_text(c.started_at), c.trunk_id)
        parties = (_storable(c.caller), _storable(c.called))
        self._db.execute(_OPEN, (*row, *parties, c.number_id, c.campaign_id))
        return None

    def _reserve(self, command: Reserve) -> Answer:
        if self._db.execute(_OVER, (command.call_id,)).fetchone() is not None:
            return Unavailable(f"call {command.call_id} is over: nothing can be reserved for it")
        since = to_text(command.at)
        taken: list[CapClaim] = []
        for claim in command.claims:
            held = self._hold(command, claim, since)
            if held is None:
                continue
            if not held:
                for other in taken:
                    self._undo(command, other)
                return claim.cap_id
            taken.append(claim)
        if command.attempt > 0:
            self._use_up(_DIALLED, command.call_id, command.attempt)
        return None

    def _hold(self, command: Reserve, claim: CapClaim, since: str) -> bool | None:
        """True: taken; False: full, and as before; None: this call holds it already."""
        slot = (command.call_id, command.attempt, claim.cap_id)
        row = (*slot, claim.window, claim.owner_id, claim.counts_on, since)
        if not self._db.execute(_HOLD, row).rowcount:
            return None
        full = claim.limit < 1
        if not full:
            key = (claim.cap_id, claim.window)
            found = self._db.execute(_TAKE, (*key, claim.limit)).fetchone()
            full = found is None
            if found is not None:
                self.changes[key] = found[0]
        if full:
            self._db.execute(_LET_GO, slot)
        return not full

    def _undo(self, command: Reserve, claim: CapClaim) -> None:
        self._db.execute(_LET_GO, (command.call_id, command.attempt, claim.cap_id))
        self._give_back([(claim.cap_id, claim.window)])

    def _connect(self, command: Connect) -> Answer:
        self._use_up(_BRIDGED, command.call_id, command.attempt)
        self._db.execute(_CONNECTED, (to_text(command.at), command.target_id, command.call_id))
        return None

    def _release(self, command: Release) -> Answer:
        freed = self._db.execute(_RELEASE, (command.call_id, command.attempt)).fetchall()
        self._give_back(freed)
        return None

    def _finish(self, command: Finish) -> Answer:
        freed = self._db.execute(_RELEASE_ALL, (command.call_id,)).fetchall()
        self._give_back(freed)
        self._db.execute(_CLOSE, (command.call_id,))
        self._db.execute(_RECORD, _call_row(command))
        return None

    def _use_up(self, statement: str, call_id: str, attempt: int) -> None:
        rows = self._db.execute(statement, (call_id, attempt)).fetchall()
        for row in rows:
            self._db.execute(_USE_UP, row)

    def _give_back(self, slots: list[tuple[str, str]]) -> None:
        for key in slots:
            found = self._db.execute(_GIVE_BACK, key).fetchall()
            for (taken,) in found:
                self.changes[key] = taken


def _call_row(command: Finish) -> tuple[str | None, ...]:
    ended = to_text(command.ended_at)
    record = dict(command.record)
    trace = record.pop("trace", None)
    columns = ("trunk_id", "caller", "called", "number_id", "campaign_id", "target_id")
    return (
        command.call_id,
        record.get("started_at") or ended,
        ended,
        *(_storable(record.get(column)) for column in columns),
        command.disposition,
        json.dumps(record, default=_json_ready, separators=(",", ":")),
        None if trace is None else json.dumps(trace, default=_json_ready, separators=(",", ":")),
    )


def _storable(value: str | None) -> str | None:
    """Text that came from the wire may hold undecodable bytes as surrogates; the column may not."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def _json_ready(value: object) -> object:
    return to_text(value) if isinstance(value, datetime) else str(value)


_INTERRUPTED = "the server stopped while the call was running; it ended at or before this instant"
_OPEN_CALLS = """SELECT id, started_at, trunk_id, caller, called, number_id, campaign_id, connected_at,
target_id FROM open_calls ORDER BY id"""


def recover(db: sqlite3.Connection, now: datetime) -> int:
    """Closes what a dead server left open, as ``interrupted``; answers how many calls.

    Slots whose trigger was recorded are used already; every other one is released, and
    concurrency is empty (Rule: durable).  Runs in the caller's transaction.
    """
    ledger = Ledger(db)
    cursor = db.execute(_OPEN_CALLS)
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    for row in rows:
        ledger.run(_interrupted(dict(zip(names, row, strict=True)), now))
    db.execute("UPDATE reservations SET state = 'released' WHERE state = 'reserved'")
    db.execute("UPDATE counters SET reserved = 0 WHERE reserved <> 0")
    return len(rows)


def _interrupted(found: dict[str, Any], now: datetime) -> Finish:
    record = {
        **found,
        "answered_at": None,
        "ended_at": to_text(now),
        "disposition": "interrupted",
        "disposition_detail": _INTERRUPTED,
        "hung_up_by": "server",
        "tags": {},
        "decision": {"steps": [], "candidates": []},
        "attempts": [],
        "media": {},
    }
    return Finish(found["id"], now, "interrupted", record)


def taken_now(db: sqlite3.Connection, since_window: str) -> Changes:
    """What is taken of each counter, of windows from ``since_window`` (a local date) on."""
    query = (
        "SELECT cap_id, window_key, used + reserved FROM counters WHERE window_key = '' OR window_key >= ?"
    )
    return {(cap, window): taken for cap, window, taken in db.execute(query, (since_window,))}
