"""What the commands of the call path do: counted in memory, written in a few statements a commit.

The trigger of ``attempt`` claims is the first dial, which a Reserve with ``attempt`` > 0
announces; the trigger of ``connect`` claims is Connect; concurrency is reserved until it is
released (Rule: caps).  Repeating a command changes nothing.
"""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from edge.ids import new_id
from edge.model.instants import to_text
from edge.model.ledger import (
    CapCount,
    CapNotice,
    Command,
    Connect,
    Convert,
    Finish,
    HandBack,
    OpenCall,
    Release,
    Reserve,
    ResetCap,
    Unavailable,
)
from edge.store.leases import LeaseBook
from edge.store.records import bare, made
from edge.store.slot_rows import awaiting, left, write
from edge.store.slots import Key, Slots

Answer = Any
Row = tuple[object, ...]

# A command that comes after its call's Finish was crossed by it, not sent thousands of calls later.
_REMEMBERED = 5_000

_OPEN = """INSERT INTO open_calls (id, started_at, trunk_id, caller, called, number_id, campaign_id,
publisher_id, sub_id, pool_id, impression_id, connected_at, target_id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"""
_CONNECTED = "UPDATE open_calls SET connected_at = ?, target_id = ? WHERE id = ? AND connected_at IS NULL"
_NOT_CONNECTED = "UPDATE open_calls SET connected_at = NULL, target_id = NULL WHERE id = ?"
_CLOSE = "DELETE FROM open_calls WHERE id = ?"
# Each statement costs tens of microseconds before it does anything: whether the caller has called this number
# before (calls that are still up do not count) is asked by the statement that keeps the record.
_RECORD = """INSERT INTO calls (id, started_at, ended_at, trunk_id, caller, called, number_id, campaign_id,
target_id, publisher_id, sub_id, pool_id, impression_id, buyer_id, disposition, trace, record)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
? || iif(EXISTS (SELECT 1 FROM calls WHERE caller = ? AND number_id = ?), 'true}', 'false}'))
ON CONFLICT DO NOTHING"""
_CLEARED = "UPDATE reservations SET state = 'cleared' WHERE cap_id = ? AND window_key = ? AND state = 'used'"
_RESET = "INSERT OR REPLACE INTO cap_resets (cap_id, window_key, at, by, used) VALUES (?, ?, ?, ?, ?)"
_AUDITED = """INSERT INTO audit (id, at, by, action, kind, object_id, name, before, after)
VALUES (?, ?, ?, 'reset', 'cap', ?, '', ?, ?)"""
_COUNTED = """INSERT INTO counters (cap_id, window_key, used, told) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET used = excluded.used, told = excluded.told"""
_COUNTER = "SELECT used, told FROM counters WHERE cap_id = ? AND window_key = ?"


class Ledger:
    """Runs commands: first each (``run``), then what they came to is written (``write``).

    The transaction is the caller's, who then says ``committed`` or ``rolled_back``.  Raises
    ``sqlite3.Error`` when the database can not, and other errors for a command that can not be
    written.
    """

    def __init__(self, db: sqlite3.Connection, monotonic: Callable[[], float]) -> None:
        self._db = db
        self._slots = Slots(self._counter)
        self._leases = LeaseBook(db, monotonic)
        self._opened: dict[str, Row] = {}
        self._bridged: list[Row] = []
        self._over: dict[str, Row] = {}
        self._lately_over: OrderedDict[str, None] = OrderedDict()
        self._runners: Mapping[type[Command], Callable[[Any], Answer]] = {
            OpenCall: self._open,
            Reserve: self._reserve,
            Connect: self._connect,
            Release: self._release,
            HandBack: self._hand_back,
            Convert: self._convert,
            ResetCap: self._reset,
            Finish: self._finish,
            **self._leases.runners,
        }

    @property
    def pool_events(self) -> Mapping[str, int]:
        """What happened to all pools together since the start, by kind."""
        return self._leases.totals

    def resume(self) -> None:
        """Calls of the server before this one hold what they held: what is yet told of them may use it up."""
        for call_id, slots in left(self._db).items():
            self._slots.adopt(call_id, slots)

    def run(self, command: Command) -> Answer:
        """The command's answer, as ``edge.model.ledger`` says; true once committed."""
        return self._runners[type(command)](command)

    def write(self) -> None:
        """Writes what the commands since the last commit came to."""
        slots, db = self._slots, self._db
        self._write_open()
        if slots.dirty_slots:
            self._write_slots()
        if slots.dirty_counters:
            changed = ((key, slots.counter(key)) for key in slots.dirty_counters)
            db.executemany(_COUNTED, [(*key, counter.used, counter.told) for key, counter in changed])
        if self._over:
            db.executemany(_CLOSE, [(call_id,) for call_id in self._over])
            db.executemany(_RECORD, self._over.values())
        self._leases.write()

    def committed(self) -> tuple[list[CapCount], list[CapNotice]]:
        """Everything is durable; answers the counters that moved, and the windows used up."""
        slots = self._slots
        notices, moved = slots.notices.copy(), []
        if slots.touched:
            counter = slots.counter
            moved = [CapCount(*key, counter(key).used, counter(key).reserved) for key in slots.touched]
        slots.settle()
        self._leases.settle()
        self._lately_over.update(dict.fromkeys(self._over))
        while len(self._lately_over) > _REMEMBERED:
            self._lately_over.popitem(last=False)
        self._clear()
        return moved, notices

    def rolled_back(self) -> None:
        """Nothing happened: everything is as after the last commit."""
        self._slots.undo()
        self._leases.undo()
        self._clear()

    def _clear(self) -> None:
        self._opened.clear()
        self._bridged.clear()
        self._over.clear()

    def _open(self, command: OpenCall) -> Answer:
        c = command
        if not self._begin(c.call_id):
            return None
        parties = (c.trunk_id, _storable(c.caller), _storable(c.called))
        owners = (c.number_id, c.campaign_id, c.publisher_id, c.sub_id, c.pool_id, c.impression_id)
        self._opened.setdefault(c.call_id, (c.call_id, to_text(c.started_at), *parties, *owners, None, None))
        return None

    def _reserve(self, command: Reserve) -> Answer:
        call_id, slots = command.call_id, self._slots
        if not self._begin(call_id):
            return Unavailable(f"call {call_id} is over: nothing can be reserved for it")
        wanted = (call_id, command.attempt, command.claims, to_text(command.at))
        giver = command.instead_of
        full = slots.take(*wanted) if giver is None else slots.take_over(*wanted, giver=giver)
        if full is None and command.attempt > 0:
            slots.use(call_id, command.attempt, ("attempt",))
        return full

    def _connect(self, command: Connect) -> Answer:
        call_id, stamped = command.call_id, (to_text(command.at), command.target_id)
        self._slots.use(call_id, command.attempt, ("attempt", "connect"))
        self._leases.connected(call_id)
        opened = self._opened.get(call_id)
        if opened is None:
            self._bridged.append((*stamped, call_id))
        elif opened[-2] is None:
            # Both in one commit: the row is written once.
            self._opened[call_id] = (*opened[:-2], *stamped)
        return None

    def _release(self, command: Release) -> Answer:
        self._slots.release(command.call_id, command.attempt, unbridged=command.unbridged)
        if command.unbridged:
            self._write_open()
            self._db.execute(_NOT_CONNECTED, (command.call_id,))
        return None

    def _hand_back(self, command: HandBack) -> Answer:
        to = (command.to_call_id, command.to_attempt)
        self._slots.hand_back(command.call_id, command.attempt, command.cap_ids, to_text(command.at), to=to)
        return None

    def _convert(self, command: Convert) -> Answer:
        call_id, slots = command.call_id, self._slots
        if slots.knows(call_id):
            slots.convert(call_id)
            return None
        self._write_slots()
        slots.adopt(call_id, awaiting(self._db, call_id))
        slots.convert(call_id)
        slots.end(call_id)
        return None

    def _reset(self, command: ResetCap) -> Answer:
        key = (command.cap_id, command.window)
        used = self._slots.reset(key)
        if used:
            self._write_slots()
            self._db.execute(_CLEARED, key)
            at = to_text(command.at)
            self._db.execute(_RESET, (*key, at, command.by, used))
            counted = [_json({"window": command.window, "used": count}) for count in (used, 0)]
            self._db.execute(_AUDITED, (new_id("aud"), at, command.by, command.cap_id, *counted))
        return used

    def _finish(self, command: Finish) -> Answer:
        call_id = command.call_id
        self._slots.end(call_id, unbridged=command.unbridged)
        self._leases.over(call_id, command.ended_at, unbridged=command.unbridged)
        if call_id not in self._over:
            self._over[call_id] = made(command, self._row)
        return None

    def _row(self, command: Finish) -> Row:
        record = command.told()
        if "started_at" not in record:  # a bare one
            record = {**self._opening(command.call_id), **record}
        return _call_row(command, record)

    def _opening(self, call_id: str) -> dict[str, Any]:
        """What was known of a call while it was up; nothing of one that was never opened."""
        self._write_open()
        found = _found(self._db.execute(f"{_OPEN_CALLS} WHERE id = ?", (call_id,)))
        return found[0] if found else {}

    def _begin(self, call_id: str) -> bool:
        """Whether the call may hold slots: False once it is over."""
        if not self._slots.knows(call_id):
            if call_id in self._over or call_id in self._lately_over:
                return False
            self._slots.begin(call_id)
        return True

    def _counter(self, key: Key) -> tuple[int, int]:
        found: tuple[int, int] | None = self._db.execute(_COUNTER, key).fetchone()
        return found or (0, 0)

    def _write_open(self) -> None:
        if self._opened:
            self._db.executemany(_OPEN, self._opened.values())
            self._opened.clear()
        if self._bridged:
            self._db.executemany(_CONNECTED, self._bridged)
            self._bridged.clear()

    def _write_slots(self) -> None:
        write(self._db, self._slots.dirty_slots)
        self._slots.dirty_slots.clear()


_COLUMNS = (
    "trunk_id", "caller", "called", "number_id", "campaign_id", "target_id", "publisher_id", "sub_id",
    "pool_id", "impression_id", "buyer_id",
)  # fmt: skip


def _call_row(command: Finish, told_of_it: Mapping[str, Any]) -> Row:
    """What ``_RECORD`` takes: the record's text without its last word, which the statement adds, and whom it
    asks about for that: the caller and the number."""
    record = dict(told_of_it)
    trace = record.pop("trace", None)
    ended, told = to_text(command.ended_at), record.get
    values = map(told, _COLUMNS)
    columns = [value if value is None or value.isascii() else _storable(value) for value in values]
    ladder = None if trace is None else _json(trace)
    text = _json(record)[:-1] + (',"is_repeat":' if record else '"is_repeat":')
    stamps = (told("started_at") or ended, ended)
    _, caller, _, number_id, *_ = columns
    return (command.call_id, *stamps, *columns, command.disposition, ladder, text, caller, number_id)


def _storable(value: str | None) -> str | None:
    """Text that came from the wire may hold undecodable bytes as surrogates; the column may not."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def _json(value: object) -> str:
    try:
        return to_json(value, fallback=str).decode()
    except (PydanticSerializationError, ValueError):
        # Surrogates again, somewhere inside: the slower writer escapes them.
        return json.dumps(value, default=str)


_INTERRUPTED = "the server stopped while the call was running; it ended at or before this instant"
_OPEN_CALLS = """SELECT id, started_at, trunk_id, caller, called, number_id, campaign_id, connected_at,
target_id, publisher_id, sub_id, pool_id, impression_id,
(SELECT json_extract(body, '$.buyer_id') FROM targets WHERE id = target_id) AS buyer_id FROM open_calls"""
_CUT_OFF = """UPDATE impressions SET call_ended_at = ? WHERE id IN
(SELECT impression_id FROM open_calls WHERE connected_at IS NOT NULL)"""


def recover(db: sqlite3.Connection, now: datetime) -> int:
    """Closes what a dead server left open, as ``interrupted``; answers how many calls.

    Slots whose trigger was recorded are used already; every other one is released, and
    concurrency is empty (Rule: durable).  Runs in the caller's transaction.
    """
    rows = _found(db.execute(f"{_OPEN_CALLS} ORDER BY id"))
    for found in rows:
        finish = Finish(found["id"], now, "interrupted", _interrupted(found, now))
        db.execute(_RECORD, _call_row(finish, finish.told()))
    db.execute(_CUT_OFF, (to_text(now),))
    db.execute("DELETE FROM open_calls")
    db.execute("DELETE FROM reservations WHERE state IN ('reserved', 'watched')")
    return len(rows)


def _found(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _interrupted(found: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {**found, **bare(found["id"], now, "interrupted", _INTERRUPTED), "hung_up_by": "server"}


def used_since(db: sqlite3.Connection, day: str) -> list[CapCount]:
    """What is used of each counter, of windows from ``day`` (a local date) and its month on."""
    query = "SELECT cap_id, window_key, used FROM counters WHERE window_key >= ? OR window_key = ?"
    return [CapCount(cap, key, used, 0) for cap, key, used in db.execute(query, (day, day[:7]))]
