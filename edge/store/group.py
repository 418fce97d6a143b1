"""One group of commands, one transaction: all answered, whatever happens to the store or to one of them."""

import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.instants import to_text
from edge.model.ledger import CapCount, CapNotice, Command, Unavailable
from edge.store.ledger import Ledger, recover
from edge.store.spool import Spool

log = get_logger("edge.store")

P = ParamSpec("P")
T = TypeVar("T")

BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 5.0)
_SPOOL_CHUNK = 500


class Group:
    """Runs groups on one connection; used by one thread at a time.

    While the store fails (``failure`` says why), facts go to the spool, requests are answered
    ``Unavailable``, and the next group after ``probe_at`` (monotonic seconds) tries again.
    """

    def __init__(self, db: sqlite3.Connection, spool: Spool, clock: Clock) -> None:
        self._db = db
        self._ledger = Ledger(db, clock.monotonic)
        self._clock = clock
        self.spool = spool
        self.failure = ""
        self.probe_at = 0.0
        self.commits = 0
        self._failures = 0
        self._moved: list[CapCount] = []
        self._notices: list[CapNotice] = []

    def recover(self, now: datetime) -> int:
        """Writes what the spool holds, then closes what is open; raises ``sqlite3.Error``."""
        if len(self.spool):
            self._ledger.resume()
            self._write_spool()
            self._ledger = Ledger(self._db, self._clock.monotonic)  # what the others held is nobody's
        return self._commit(recover, self._db, now)

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """An answer for every command, durable unless it is ``Unavailable``.  Never raises."""
        if self.failure and not self._works_again():
            return self._refuse(commands)
        if not commands:
            return []
        try:
            return self._commit(self._run, commands)
        except Exception as error:
            if _is_of_the_store(error):
                return self._failed(error, commands)
            # One command can not be written: alone, it harms no other.
            return [answer for command in commands for answer in self._alone(command)]

    @property
    def pool_events(self) -> Mapping[str, int]:
        """What happened to all pools together since the start, by kind; read by other threads, too."""
        return dict(self._ledger.pool_events)

    def moved(self) -> list[CapCount]:
        """The counters that the commits since the last call changed."""
        found, self._moved = self._moved, []
        return found

    def notices(self) -> list[CapNotice]:
        """The windows that were used up, or nearly, since the last call."""
        found, self._notices = self._notices, []
        return found

    def _alone(self, command: Command) -> list[Any]:
        if self.failure:
            return self._refuse([command])
        try:
            return [self._one(command)]
        except sqlite3.Error as error:
            return self._failed(error, [command])

    def _one(self, command: Command) -> Any:
        """The answer of one that may be what can not be written; raises errors of the store."""
        try:
            return self._commit(self._run, [command])[0]
        except Exception as error:
            if _is_of_the_store(error):
                raise
            log.exception("store.command_failed", command=type(command).__name__)
            return Unavailable(f"{type(command).__name__} can not be written: {type(error).__name__}")

    def _commit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """BEGIN IMMEDIATE, ``work``, then COMMIT; ROLLBACK and everything as before when it raises."""
        db, ledger = self._db, self._ledger
        db.execute("BEGIN IMMEDIATE")
        try:
            answer = work(*args, **kwargs)
            ledger.write()
            db.execute("COMMIT")
        except BaseException:
            ledger.rolled_back()
            # SQLite has rolled back by itself after some errors.
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        self.commits += 1
        moved, notices = ledger.committed()
        self._moved += moved
        self._notices += notices
        return answer

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        run = self._ledger.run
        return [run(command) for command in commands]

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
        row = (to_text(self._clock.utc()),)
        self._commit(self._db.execute, "INSERT OR REPLACE INTO meta VALUES ('probed_at', ?)", row)

    def _write_spool(self) -> None:
        facts = list(self.spool)
        for start in range(0, len(facts), _SPOOL_CHUNK):
            some = facts[start : start + _SPOOL_CHUNK]
            try:
                self._commit(self._run, some)
            except Exception as error:
                if _is_of_the_store(error):
                    raise
                for fact in some:  # one of them is a mistake of ours, and keeps no other waiting
                    self._one(fact)
        self.spool.clear()


def _is_of_the_store(error: Exception) -> bool:
    """Disk full, read-only, locked, IO error, damaged file: not the command's fault."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
