"""A pool on a hand clock, over the real commands on a database of its own."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.model.decision import CapClaim
from edge.model.ledger import Connect, Finish
from edge.model.visits import (
    Allocate,
    CloseVisit,
    Given,
    Link,
    LinkCall,
    Member,
    Members,
    PageView,
    Place,
    PoolRules,
    Sweep,
    Terms,
    Touch,
    Touched,
)
from edge.store.database import connect
from edge.store.ledger import Ledger

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NO_CLAIMS: tuple[CapClaim, ...] = ()


class PoolWorld:
    """``size`` numbers, held for ``hold`` seconds; every step is committed, at seconds after the start."""

    def __init__(self, path: Path, size: int, *, hold: int = 360, closed: int = 60, **rules: Any) -> None:
        self.path = path
        self.rules = PoolRules("pool", hold * 1000, closed * 1000, **rules)
        self.members = Members({f"n{n}": Member(f"n{n}", f"+1800555{n:04d}") for n in range(size)})
        self.active = True
        self.passed_s = 0.0
        self._made = 0
        self._open()

    def restart(self) -> None:
        """The server dies and comes again."""
        self.db.close()
        self._open()

    def _open(self) -> None:
        self.db: sqlite3.Connection = connect(self.path)
        # Nobody pulls the plug here, and hundreds of synced commits take their time.
        self.db.execute("PRAGMA synchronous = OFF")
        self.ledger = Ledger(self.db, lambda: self.passed_s)

    def run(self, command: Any) -> Any:
        """One command in one commit."""
        self.db.execute("BEGIN IMMEDIATE")
        answer = self.ledger.run(command)
        self.ledger.write()
        self.db.execute("COMMIT")
        self.ledger.committed()
        return answer

    def terms(self, tag_id: str = "tag") -> Terms | None:
        """What holds for a tag now."""
        if not self.active:
            return None
        return Terms(tag_id, "cmp", None, "primary", self.rules, self.members)

    def visit(self, who: str, at: float, **more: Any) -> Given:
        """A page view of a visitor."""
        terms = self.terms(more.pop("tag", "tag"))
        assert terms is not None
        self._made += 1
        found: Given = self.run(
            Allocate(terms, who, f"{who}.{self._made}", more.pop("view", PageView()), _at(at), **more)
        )
        return found

    def touch(self, who: str, given: Given, at: float, **more: Any) -> Touched | None:
        """Use of the page that shows what was given."""
        self._made += 1
        fresh = f"{who}.{self._made}"
        impression = given.impression_id or ""

        def again(terms: Terms, view: PageView) -> Allocate:
            return Allocate(terms, who, fresh, view, _at(at))

        found: Touched | None = self.run(
            Touch(impression, who, given.generation, {}, self.terms, again, _at(at), **more)
        )
        return found

    def close(self, who: str, given: Given, at: float) -> None:
        """The page that shows what was given is closed."""
        impression = given.impression_id or ""
        self.run(CloseVisit(impression, who, given.generation, self.terms, _at(at)))

    def call(self, at: float, number: str = "n0", call_id: str = "", **more: Any) -> Link | None:
        """A call arrives and stays."""
        self._made += 1
        call_id = call_id or f"call{self._made}"
        caller, hours = more.get("caller"), more.get("affinity_h", 0)
        found: Link | None = self.run(LinkCall(call_id, number, "pool", caller, number, hours, _at(at)))
        return found

    def hang_up(
        self,
        call_id: str,
        at: float,
        *,
        answered: bool = True,
        record: Any = None,
        unbridged: bool = False,
    ) -> None:
        """A call is over; perhaps a target had answered."""
        if answered:
            self.run(Connect(call_id, 1, "tgt", _at(at)))
        self.run(Finish(call_id, _at(at), "connected", record or {}, unbridged))

    def sweep(self, before: float) -> None:
        """Everything that is older is swept, slice by slice."""
        for what in ("visits", "counts", "callers"):
            place: Place | None = ("", "")
            while place is not None:
                place = self.run(Sweep(what, _at(before), place))

    def counted(self, event: str) -> int:
        """How often that was counted of the pool."""
        query = "SELECT sum(count) FROM pool_counts WHERE event = ?"
        return int(self.db.execute(query, (event,)).fetchone()[0] or 0)


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
