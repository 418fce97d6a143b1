"""Visits and leases in the database: the commands of ``edge.model.visits``, each within its group's commit.

The board in memory decides, for one server owns the database; a group that is rolled back leaves it to be
read anew.  What lives only here is which numbers have a live call: that is known from the calls
themselves, and empty after a restart (Rule: number pools).
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge.model.instants import from_text, ms_of, text_of_ms, to_text
from edge.model.tags import Tags, added
from edge.model.visits import (
    Allocate,
    Attribution,
    CloseVisit,
    CountPool,
    Given,
    Link,
    LinkCall,
    LookAtNumbers,
    PageView,
    PoolEvent,
    Standing,
    Sweep,
    Terms,
    Touch,
    Touched,
)
from edge.store import visits_sql as sql
from edge.store.sweeps import Sweeper
from edge.store.visit_rows import lease_of, link_of, text_of_view, view_of
from edge.tracking.board import Board, Drawn
from edge.tracking.states import LINK_MAX_MS, Lease

_RIVALS = 20
_LIMITED = Given(None, 0, None, limited=True)
_SEEN = "pools_seen_at"


@dataclass(slots=True)
class _LiveCall:
    number_id: str
    impression_id: str | None
    answered: bool = False


class LeaseBook:
    """Runs the commands of visits on the writer's connection; raises ``sqlite3.Error``."""

    def __init__(self, db: sqlite3.Connection, monotonic: Callable[[], float]) -> None:
        self._db = db
        self._monotonic = monotonic
        self._told_s = monotonic()
        self._calls: dict[str, _LiveCall] = {}
        self._over: dict[str, _LiveCall] = {}
        self._busy: Counter[str] = Counter()
        # Of busy numbers: the visits of which an answered call is over, now and (where they differ) before.
        self._answered: dict[str, frozenset[str | None]] = {}
        self._answered_before: dict[str, frozenset[str | None]] = {}
        self._loaded: Board | None = None
        self._counted: Counter[tuple[str, str, str]] = Counter()
        self._peaks: dict[tuple[str, str], int] = {}
        self._stamped = 0
        self.totals: Counter[str] = Counter()
        self.runners: Mapping[type[Any], Callable[[Any], Any]] = {
            Allocate: self._allocate,
            Touch: self._touch,
            CloseVisit: self._close,
            LinkCall: self._link,
            CountPool: self._tell,
            LookAtNumbers: self._look,
            Sweep: Sweeper(db).run,
        }

    # -- calls ----------------------------------------------------------------------------------------

    def connected(self, call_id: str) -> None:
        """A target has answered the call."""
        call = self._calls.get(call_id)
        if call is not None:
            call.answered = True

    def over(self, call_id: str, ended_at: datetime, *, unbridged: bool = False) -> None:
        """The call has ended: its number is free again, or done if that was its last call."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return
        self._over[call_id] = call
        number_id = call.number_id
        self._busy[number_id] -= 1
        answered = self._answered.pop(number_id, frozenset())
        self._answered_before.setdefault(number_id, answered)
        if call.answered and not unbridged:
            answered |= {call.impression_id}
        if self._busy[number_id] > 0:
            self._answered[number_id] = answered
            return
        del self._busy[number_id]
        board = self._board
        ended = board.call_over(number_id, answered, self._now(ended_at))
        if ended is not None:
            self._db.execute(sql.ENDED, (text_of_ms(board.seen_ms), ended.impression_id))

    # -- the group ------------------------------------------------------------------------------------

    def write(self) -> None:
        """Writes what is kept until the commit."""
        if self._counted:
            self._db.executemany(sql.COUNT, [(*key, count) for key, count in self._counted.items()])
        if self._peaks:
            self._db.executemany(sql.PEAK, [(*key, most) for key, most in self._peaks.items()])
        if self._loaded is not None and self._loaded.seen_ms != self._stamped:
            self._db.execute(sql.STAMP, (_SEEN, text_of_ms(self._loaded.seen_ms)))

    def settle(self) -> None:
        """Everything is durable."""
        self._over.clear()
        self._answered_before.clear()
        for (_, _, event), count in self._counted.items():
            self.totals[event] += count
        self._counted.clear()
        self._peaks.clear()
        if self._loaded is not None:
            self._stamped = self._loaded.seen_ms

    def undo(self) -> None:
        """Nothing happened: leases are read anew, calls that had ended live on."""
        for call_id, call in self._over.items():
            self._calls[call_id] = call
            self._busy[call.number_id] += 1
        self._answered |= self._answered_before
        self._loaded = None
        self._stamped = 0
        self._counted.clear()
        self.settle()

    @property
    def _board(self) -> Board:
        if self._loaded is None:
            seen = self._db.execute("SELECT value FROM meta WHERE key = ?", (_SEEN,)).fetchone()
            leases = [lease_of(row) for row in self._db.execute(sql.LEASES)]
            self._loaded = Board(leases, self._busy, 0 if seen is None else ms_of(from_text(seen[0])))
        return self._loaded

    def _now(self, at: datetime) -> int:
        """The instant that counts, of a command that was made at this one."""
        passed_ms = int((self._monotonic() - self._told_s) * 1000)
        self._told_s += passed_ms / 1000
        return self._board.now(ms_of(at), passed_ms)

    # -- commands -------------------------------------------------------------------------------------

    def _allocate(self, c: Allocate) -> Given:
        board = self._board
        now = self._now(c.at)
        drawn = board.allocate(c, now)
        if drawn.held is not None:
            self._peak(c.terms.rules.pool_id, drawn.held, now)
        if drawn.limited:
            return _LIMITED
        if drawn.lease is None:
            return self._miss(c, now)
        lease, member = drawn.lease, c.terms.members.by_id[drawn.lease.number_id]
        if drawn.fresh:
            lease = self._handed_out(c, drawn, now)
        else:
            self._renewed(lease)
            self._db.execute(sql.VIEWED, (text_of_view(c.view), lease.impression_id))
            self._keep(lease.impression_id, c.view.tags)
        return Given(lease.impression_id, lease.generation, member)

    def _handed_out(self, c: Allocate, drawn: Drawn, now: int) -> Lease:
        """A new hand-out; a visit that had missed before goes on as the same one."""
        lease = drawn.lease
        assert lease is not None
        missed = self._missed(c, now)
        member = c.terms.members.by_id[lease.number_id]
        stamps = (text_of_ms(now), text_of_ms(lease.until_ms))
        if missed is None:
            self._insert(c, (lease.number_id, member.e164, lease.generation), stamps, missed=False)
        else:
            lease = self._board.rename(lease, missed)
            row = (lease.number_id, member.e164, lease.generation, *stamps, c.terms.rules.pool_id, missed)
            self._db.execute(sql.GIVEN_LATE, row)
            self._db.execute(sql.VIEWED, (text_of_view(c.view), missed))
            self._keep(missed, c.view.tags)
        if drawn.displaced is not None:
            self._db.execute(sql.SUPERSEDED, (stamps[0], drawn.displaced.impression_id))
            self._count(c.terms.rules.pool_id, "reissues", now)
        self._db.execute(sql.TAKE, (lease.number_id, lease.impression_id, lease.generation))
        self._count(c.terms.rules.pool_id, "hand_outs", now)
        return lease

    def _miss(self, c: Allocate, now: int) -> Given:
        """No number: counted once a visit, however many pages it looks at."""
        missed = self._missed(c, now)
        if missed is None:
            self._insert(c, (None, None, 0), (text_of_ms(now), None), missed=True)
            self._count(c.terms.rules.pool_id, "misses", now)
            return Given(c.impression_id, 0, None)
        self._db.execute(sql.STILL_MISSED, (text_of_ms(now), missed))
        self._db.execute(sql.VIEWED, (text_of_view(c.view), missed))
        self._keep(missed, c.view.tags)
        return Given(missed, 0, None)

    def _missed(self, c: Allocate, now: int) -> str | None:
        """The visit of this visitor that got no number yet and is not archived."""
        since = text_of_ms(now - LINK_MAX_MS)
        row = self._db.execute(sql.MISSED, (c.terms.tag_id, c.visitor_id, since)).fetchone()
        return None if row is None else str(row[0])

    def _insert(
        self,
        c: Allocate,
        number: tuple[str | None, str | None, int],
        stamps: tuple[str, str | None],
        *,
        missed: bool,
    ) -> None:
        terms, view = c.terms, text_of_view(c.view)
        owners = (terms.rules.pool_id, terms.campaign_id, terms.tag_id, terms.publisher_id)
        who = (terms.primary_number_id, c.visitor_id)
        data = json.dumps(dict(c.view.tags))
        times = (stamps[0], *stamps)
        self._db.execute(
            sql.NEW, (c.impression_id, *owners, *who, *number, *times, int(missed), view, view, data)
        )
        self._count(terms.rules.pool_id, "impressions", self._board.seen_ms)

    def _touch(self, c: Touch) -> Touched | None:
        board = self._board
        now = self._now(c.at)
        lease = board.of_impression(c.impression_id)
        if lease is None or lease.visitor_id != c.visitor_id:
            return self._afresh(c)
        terms = c.terms(lease.tag_id)
        if terms is None:
            return None
        current = lease.generation == c.generation and now < lease.archive_ms
        if not current or lease.number_id not in terms.members.by_id:
            return self._afresh(c)
        self._keep(c.impression_id, c.tags)
        if now >= lease.until_ms and board.full(c.again(terms, PageView()), now):
            return Touched(lease.tag_id, _LIMITED)
        self._renewed(board.use(lease, terms.rules, now))
        return Touched(lease.tag_id)

    def _afresh(self, c: Touch) -> Touched | None:
        """The visit lost its number and gets one as at a page view; one that missed waits for that."""
        row = self._db.execute(sql.OWNER, (c.impression_id, to_text(c.known_since))).fetchone()
        if row is None or row[1] != c.visitor_id:
            return None
        tag_id, _, number_id, view, data = row
        terms = c.terms(tag_id)
        if terms is None:
            return None
        if number_id is None:
            self._keep(c.impression_id, c.tags)
            return Touched(tag_id)
        told, _ = added(json.loads(data), c.tags)
        return Touched(tag_id, self._allocate(c.again(terms, view_of(view, told))))

    def _close(self, c: CloseVisit) -> None:
        board = self._board
        now = self._now(c.at)
        lease = board.of_impression(c.impression_id)
        if lease is None or lease.visitor_id != c.visitor_id or lease.generation != c.generation:
            return
        terms: Terms | None = c.terms(lease.tag_id)
        if terms is not None and now < lease.archive_ms:
            closed = board.close(lease, terms.rules, now)
            self._db.execute(sql.CLOSED, (text_of_ms(now), text_of_ms(closed.until_ms), c.impression_id))

    def _link(self, c: LinkCall) -> Link | None:
        board = self._board
        now = self._now(c.at)
        lease = board.of_number(c.number_id)
        current = lease.impression_id if lease is not None and now < lease.archive_ms else None
        earlier = self._earlier(c, now)
        kept = earlier is not None and earlier != current
        linked = earlier if kept else current
        if c.call_id not in self._calls:
            self._calls[c.call_id] = _LiveCall(c.number_id, linked)
            self._busy[c.number_id] += 1
            board.call_up(c.number_id)
        if linked is None:
            self._count(c.pool_id, "unlinked", now)
            return None
        since, instant = text_of_ms(now - LINK_MAX_MS), text_of_ms(now)
        rows = self._db.execute(sql.RIVALS_OF, (c.number_id, linked, since, instant, _RIVALS)).fetchall()
        rivals = tuple(str(row[0]) for row in rows)
        self._db.execute(sql.CALLED, (linked,))
        self._count(c.pool_id, "linked", now)
        if rivals:
            self._count(c.pool_id, "ambiguous", now)
        return self._linked(linked, rivals, kept)

    def _earlier(self, c: LinkCall, now: int) -> str | None:
        """The visit of this caller's last call to this number of the pool, where that keeps callers."""
        if not c.affinity_h or c.caller is None:
            return None
        since = text_of_ms(now - c.affinity_h * 3_600_000)
        row = self._db.execute(sql.EARLIER, (c.caller, c.called, since, c.pool_id)).fetchone()
        return None if row is None else str(row[0])

    def _linked(self, impression_id: str, rivals: tuple[str, ...], kept: bool) -> Link | None:
        row = self._db.execute(sql.VISIT, (impression_id,)).fetchone()
        if row is None:
            return None
        attribution: Attribution = "caller_affinity" if kept else "last_impression" if rivals else "exact"
        return link_of(row, attribution, rivals)

    def _tell(self, c: CountPool) -> None:
        self._count(c.pool_id, c.event, self._now(c.at))

    def _look(self, c: LookAtNumbers) -> list[Standing]:
        board = self._board
        now = self._now(c.at)
        return [board.standing(number_id, c.rules, now) for number_id in c.number_ids]

    # -- small things ---------------------------------------------------------------------------------

    def _renewed(self, lease: Lease) -> None:
        closed = None if lease.closed_ms is None else text_of_ms(lease.closed_ms)
        stamps = (text_of_ms(lease.active_ms), text_of_ms(lease.until_ms), closed)
        self._db.execute(sql.ACTIVE, (*stamps, lease.impression_id))

    def _keep(self, impression_id: str, tags: Tags) -> None:
        """Adds user data to a visit; the newest value of a key counts, the first keys are kept."""
        if not tags:
            return
        row = self._db.execute(sql.DATA, (impression_id,)).fetchone()
        data, _ = added({} if row is None else json.loads(row[0]), tags)
        self._db.execute(sql.STORE_DATA, (json.dumps(data), impression_id))

    def _count(self, pool_id: str, event: PoolEvent, now: int) -> None:
        self._counted[pool_id, text_of_ms(now)[:13], event] += 1

    def _peak(self, pool_id: str, held: int, now: int) -> None:
        key = (pool_id, text_of_ms(now)[:13])
        self._peaks[key] = max(held, self._peaks.get(key, 0))
