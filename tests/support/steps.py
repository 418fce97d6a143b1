"""How much a database does for a piece of work, which no clock has a part in."""

import sqlite3
from collections.abc import Callable


class Steps:
    """Counts the steps of SQLite's virtual machine on one connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._taken = 0
        db.set_progress_handler(self._step, 1)

    def of(self, work: Callable[[], object]) -> int:
        """Those of ``work``."""
        before = self._taken
        work()
        return self._taken - before

    def _step(self) -> int:
        self._taken += 1
        return 0
