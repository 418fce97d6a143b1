"""The numbers of one pool in the order in which they may be handed out (Rule: number pools).

A number is put in its place whenever something happens to it, and when one of its stamps is reached; so an
allocation looks at the first of a few rows, however many numbers there are.
"""

from bisect import bisect_left, insort
from collections.abc import Container, Mapping, Sequence
from typing import Final, NamedTuple

from edge.model.visits import Member, Members, PoolRules
from edge.tracking.states import Lease, State

# What may be handed out, best first.
_RANK: Final[dict[State, int]] = {"free": 0, "lapsed": 1, "call_done": 2}
_NEVER: Final = -1

Area = tuple[str | None, str | None]
"""An area code and a region."""
_Key = tuple[int, str]


class _Place(NamedTuple):
    """Where a number stands: in a row (None: it can not be handed out), and when it is looked at again."""

    row: tuple[int, Area] | None
    key: _Key
    due: _Key | None


class Shelf:
    """Of one pool.  ``leases`` and ``busy`` are the board's, which tells of every change (``place``)."""

    def __init__(self, leases: Mapping[str, Lease], busy: Container[str]) -> None:
        self._leases = leases
        self._busy = busy
        self._rules: PoolRules | None = None
        self._members: Members | None = None
        self._stock: dict[str, Member] = {}
        self._places: dict[str, _Place] = {}
        self._rows: tuple[dict[Area, list[_Key]], ...] = tuple({} for _ in _RANK)
        self._due: list[_Key] = []
        self.held = 0
        """How many numbers can not be handed out, as of the last look."""

    def stock(self, rules: PoolRules, members: Members, now: int) -> Sequence[str]:
        """The pool as it is configured now; answers the numbers that came."""
        if members is self._members and rules == self._rules:
            return ()
        kept = members.by_id if rules == self._rules else {}
        for number_id in [each for each, member in self._stock.items() if kept.get(each) != member]:
            self.remove(number_id)
        self._rules, self._members = rules, members
        came = [number_id for number_id in members.by_id if number_id not in self._stock]
        for number_id in came:
            self._stock[number_id] = members.by_id[number_id]
            self.place(number_id, now)
        return came

    def best(self, near: Area, now: int) -> Member | None:
        """The number to hand out next, of those near by if there are any of the same rank."""
        while self._due and self._due[0][0] <= now:
            self.place(self._due[0][1], now)
        for rows in self._rows:
            if rows:
                area = min(rows, key=lambda area: (_distance(area, near), rows[area][0]))
                return self._stock[rows[area][0][1]]
        return None

    def place(self, number_id: str, now: int) -> None:
        """Something happened to a number: it is put where it belongs, if it is the pool's."""
        member, rules = self._stock.get(number_id), self._rules
        if member is None or rules is None:
            return
        self._take_away(number_id)
        lease, busy = self._leases.get(number_id), number_id in self._busy
        state: State = "busy" if busy else "free" if lease is None else lease.state(rules, now, busy=False)
        rank, turn = _RANK.get(state), _NEVER if busy or lease is None else _turn(lease, rules, now)
        row = None if rank is None else (rank, (member.area_code, member.region))
        key = (_NEVER if rank is None else _since(lease, rank), number_id)
        due = None if turn == _NEVER else (turn, number_id)
        if row is None:
            self.held += 1
        else:
            insort(self._rows[row[0]].setdefault(row[1], []), key)
        if due is not None:
            insort(self._due, due)
        self._places[number_id] = _Place(row, key, due)

    def remove(self, number_id: str) -> None:
        """The number is the pool's no longer."""
        self._take_away(number_id)
        self._stock.pop(number_id, None)

    def _take_away(self, number_id: str) -> None:
        place = self._places.pop(number_id, None)
        if place is None:
            return
        if place.due is not None:
            del self._due[bisect_left(self._due, place.due)]
        if place.row is None:
            self.held -= 1
            return
        rank, area = place.row
        row = self._rows[rank][area]
        del row[bisect_left(row, place.key)]
        if not row:
            del self._rows[rank][area]


def _turn(lease: Lease, rules: PoolRules, now: int) -> int:
    """When the state changes next, if nothing happens until then."""
    stamps = [lease.until_ms, lease.archive_ms]
    if lease.call_ended_ms is not None and rules.call_end_frees:
        stamps.append(lease.call_ended_ms + rules.post_call_ms)
    return min((stamp for stamp in stamps if stamp > now), default=_NEVER)


def _since(lease: Lease | None, rank: int) -> int:
    """Longest unused first; of lapsed ones the oldest lease; of those whose call is done the oldest call."""
    if lease is None:
        return _NEVER
    if rank == _RANK["lapsed"]:
        return lease.until_ms
    if rank == _RANK["call_done"]:
        return lease.call_ended_ms or 0
    return max(lease.active_ms, lease.call_ended_ms or 0)


def _distance(area: Area, near: Area) -> int:
    """0: the area code that is preferred, 1: its region, 2: any."""
    if near[0] is not None and area[0] == near[0]:
        return 0
    return 1 if near[1] is not None and area[1] == near[1] else 2
