"""One group of commands, one transaction: all answered, whatever happens to the store or to one of them."""

import contextlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from edge.clock import Clock
from edge.model.ledger import Command, Unavailable
from edge.store.instants import to_text
from edge.store.ledger import Changes, Ledger, recover
from edge.store.spool import Spool

BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 5.0)
_SPOOL_CHUNK = 500


class Group:
    """Runs groups on one connection; used by one thread at a time.

    While the store fails (``failure`` says why), facts go to the spool, requests are answered
    ``Unavailable``, and the next group after ``probe_at`` (monotonic seconds) tries again.
    """

    def __init__(self, db: sqlite3.Connection, spool: Spool, clock: Clock) -> None:
        self._db = db
        self._ledger = Ledger(db)
        self._clock = clock
        self.spool = spool
        self.failure = ""
        self.probe_at = 0.0
        self.commits = 0
        self._failures = 0

    def recover(self, now: datetime) -> int:
        """Writes what the spool holds, then closes what is open; raises ``sqlite3.Error``."""
        self._write_spool()
        with self._transaction():
            closed = recover(self._db, now)
        self.changes()
        return closed

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """An answer for every command, durable unless it is ``Unavailable``.  Never raises."""
        if self.failure and not self._works_again():
            return self._refuse(commands)
        if not commands:
            return []
        try:
            with self._transaction():
                return [self._ledger.run(command) for command in commands]
        except Exception as error:
            if _is_of_the_store(error):
                return self._failed(error, commands)
            # One command can not be written: alone, it harms no other.
            return [answer for command in commands for answer in self._alone(command)]

    def changes(self) -> Changes:
        """What the commits since the last call changed in the counters."""
        found, self._ledger.changes = self._ledger.changes, {}
        return found

    def _alone(self, command: Command) -> list[Any]:
        if self.failure:
            return self._refuse([command])
        try:
            with self._transaction():
                return [self._ledger.run(command)]
        except Exception as error:
            if _is_of_the_store(error):
                return self._failed(error, [command])
            return [Unavailable(f"{type(command).__name__} can not be written: {type(error).__name__}")]

    def _transaction(self) -> "_Transaction":
        return _Transaction(self, self._db, self._ledger)

    def _failed(self, error: Exception, commands: Sequence[Command]) -> list[Any]:
        self.failure = str(error)
        self.probe_at = self._clock.monotonic() + BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        return self._refuse(commands)

    def _refuse(self, commands: Sequence[Command]) -> list[Any]:
        self.spool.keep(commands)
        return [Unavailable(self.failure)] * len(commands)

    def _works_again(self) -> bool:
        if self._clock.monotonic() < self.probe_at:
            return False
        try:
            self._write_spool()
            self._probe()
        except sqlite3.Error as error:
            self._failed(error, ())
            return False
        self.failure, self._failures = "", 0
        return True

    def _probe(self) -> None:
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES ('probed_at', ?)", (to_text(self._clock.utc()),)
            )

    def _write_spool(self) -> None:
        facts = list(self.spool)
        for start in range(0, len(facts), _SPOOL_CHUNK):
            with self._transaction():
                for fact in facts[start : start + _SPOOL_CHUNK]:
                    self._ledger.run(fact)
        self.spool.clear()


class _Transaction:
    """BEGIN IMMEDIATE, then COMMIT, or ROLLBACK and no changes when the block raises."""

    __slots__ = ("_db", "_group", "_ledger")

    def __init__(self, group: Group, db: sqlite3.Connection, ledger: Ledger) -> None:
        self._group = group
        self._db = db
        self._ledger = ledger

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._rollback()
            return
        try:
            self._db.execute("COMMIT")
            self._group.commits += 1
        except sqlite3.Error:
            self._rollback()
            raise

    def _rollback(self) -> None:
        self._ledger.changes = {}
        # SQLite has rolled back by itself after some errors.
        with contextlib.suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")


def _is_of_the_store(error: Exception) -> bool:
    """Disk full, read-only, locked, IO error, damaged file: not the command's fault."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
