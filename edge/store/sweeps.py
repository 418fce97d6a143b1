"""What is kept no longer leaves a slice at a time, between the commits of calls (Rule: number pools).

A slice looks at ``SLICE`` rows at most, whether they stay or go, and answers where the next one begins.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from edge.model.visits import Place, Sweep
from edge.store.instants import to_text

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

    def _counts(self, c: Sweep) -> Place | None:
        """One pool after the other; the second part of the place is the pool that has more to go."""
        passed, pool_id = c.after
        if not pool_id:
            pool_id = self._db.execute(_NEXT_POOL, (passed,)).fetchone()[0]
        if pool_id is None:
            return None
        gone = self._db.execute(_NO_COUNTS, (pool_id, to_text(c.before)[:13], SLICE)).rowcount
        return (pool_id, pool_id if gone == SLICE else "")
