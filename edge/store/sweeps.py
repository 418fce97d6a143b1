"""What is kept no longer leaves a slice at a time, between the commits of calls (Rules: number pools, audit).

A slice looks at ``SLICE`` rows at most, whether they stay or go, and answers where the next one begins.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from edge.model.instants import to_text
from edge.model.visits import Place, Sweep

SLICE = 100
# The newest visit of a number stays: its stamps say how long the number has been unused.
_VISITS = """SELECT created_at, id, calls = 0 AND last_activity_at < :before
AND (lease_until IS NULL OR lease_until < :before)
AND NOT EXISTS (SELECT 1 FROM pool_leases l WHERE l.impression_id = impressions.id)
FROM impressions WHERE (created_at, id) > (:first, :second) AND created_at < :before
ORDER BY created_at, id LIMIT :slice"""
_NO_VISIT = "DELETE FROM impressions WHERE id = ?"
_CALLERS = """SELECT campaign_id, caller, posted_at < :before FROM enrichments
WHERE (campaign_id, caller) > (:first, :second) ORDER BY campaign_id, caller LIMIT :slice"""
_NO_CALLER = "DELETE FROM enrichments WHERE campaign_id = ? AND caller = ?"
# The newest edit that is too old stays: it is the set-up that the first of the others can be taken back to.
_LAST_OLD = """SELECT version, at FROM audit WHERE at < :before AND version IS NOT NULL
ORDER BY at DESC, id DESC LIMIT 1"""
_AUDIT = """SELECT at, id, version IS NULL OR version < :stays FROM audit
WHERE (at, id) > (:first, :second) AND at < :before ORDER BY at, id LIMIT :slice"""
_NO_AUDIT = "DELETE FROM audit WHERE id = ?"
_NO_SECRETS = """UPDATE audit SET secrets = NULL WHERE id IN
(SELECT id FROM audit WHERE secrets IS NOT NULL AND at < ? ORDER BY at, id LIMIT ?)"""
# Behind every id.
_BEYOND = "~"
_NEXT_POOL = "SELECT min(pool_id) FROM pool_counts WHERE pool_id > ?"
_NO_COUNTS = """DELETE FROM pool_counts WHERE rowid IN
(SELECT rowid FROM pool_counts WHERE pool_id = ? AND hour < ? LIMIT ?)"""


class Sweeper:
    """Runs ``Sweep`` on the writer's connection; raises ``sqlite3.Error``."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def run(self, c: Sweep) -> Place | None:
        """Where the next slice begins; None: that was the last."""
        if c.what == "counts":
            return self._counts(c)
        if c.what == "audit":
            return self._audit(c)
        if c.what == "secrets":
            gone = self._db.execute(_NO_SECRETS, (to_text(c.before), SLICE)).rowcount
            return ("", "") if gone == SLICE else None
        rows = self._slice(_VISITS if c.what == "visits" else _CALLERS, c)
        if c.what == "visits":
            self._db.executemany(_NO_VISIT, [(row[1],) for row in rows if row[2]])
        else:
            self._db.executemany(_NO_CALLER, [row[:2] for row in rows if row[2]])
        return None if len(rows) < SLICE else (rows[-1][0], rows[-1][1])

    def _slice(self, query: str, c: Sweep) -> Sequence[tuple[Any, ...]]:
        first, second = c.after
        known = {"before": to_text(c.before), "first": first, "second": second, "slice": SLICE}
        return self._db.execute(query, known).fetchall()

    def _audit(self, c: Sweep) -> Place | None:
        """The entries of the edit that stays are passed over in one go: there may be 100,000 of it."""
        before = to_text(c.before)
        stays, at = self._db.execute(_LAST_OLD, {"before": before}).fetchone() or (-1, "")
        first, second = c.after
        known = {"before": before, "first": first, "second": second, "slice": SLICE, "stays": stays}
        rows = self._db.execute(_AUDIT, known).fetchall()
        self._db.executemany(_NO_AUDIT, [(row[1],) for row in rows if row[2]])
        if len(rows) < SLICE:
            return None
        return (rows[-1][0], rows[-1][1]) if rows[-1][2] else (max(at, rows[-1][0]), _BEYOND)

    def _counts(self, c: Sweep) -> Place | None:
        """One pool after the other; the second part of the place is the pool that has more to go."""
        passed, pool_id = c.after
        if not pool_id:
            pool_id = self._db.execute(_NEXT_POOL, (passed,)).fetchone()[0]
        if pool_id is None:
            return None
        gone = self._db.execute(_NO_COUNTS, (pool_id, to_text(c.before)[:13], SLICE)).rowcount
        return (pool_id, pool_id if gone == SLICE else "")
