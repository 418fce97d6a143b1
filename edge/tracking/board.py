"""Who holds which number now: the allocation and everything that changes a lease (Rule: number pools)."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from edge.model.visits import Allocate, Member, PoolRules, Standing, Terms
from edge.tracking.shelf import Shelf
from edge.tracking.states import Lease, instant_of


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an allocation came to.

    ``lease`` is the visitor's (None: a miss, or ``limited``); ``fresh`` a new hand-out; ``displaced`` the
    lease that it ended early, if its link still held.  ``held`` is how many numbers of the pool can not
    be handed out now, None where nobody had to count.
    """

    lease: Lease | None
    fresh: bool = False
    displaced: Lease | None = None
    limited: bool = False
    held: int | None = None


class Board:
    """The leases of all pools, newest of each number.  ``busy`` holds the numbers with a live call.

    Time only moves forwards here, so that a clock that is put back brings no lease back: from the latest
    instant that was known it goes on by what has passed since.
    """

    def __init__(self, leases: Iterable[Lease], busy: Container[str], seen_ms: int = 0) -> None:
        self._busy = busy
        self._by_number: dict[str, Lease] = {}
        self._by_visit: dict[tuple[str, str], str] = {}
        self._by_impression: dict[str, str] = {}
        self._by_source: dict[str, set[str]] = {}
        self._source_of: dict[str, str] = {}
        self._shelves: dict[str, Shelf] = {}
        self._shelf_of: dict[str, Shelf] = {}
        self.seen_ms = seen_ms
        for lease in sorted(leases, key=lambda lease: lease.active_ms):
            self._put(lease)

    def now(self, at_ms: int, passed_ms: int = 0) -> int:
        """The instant that counts; ``passed_ms`` is how long ago the last one was, by no settable clock."""
        self.seen_ms = self.seen_ms + passed_ms if at_ms < self.seen_ms else at_ms
        return self.seen_ms

    def of_number(self, number_id: str) -> Lease | None:
        """The newest lease of a number, over or not."""
        return self._by_number.get(number_id)

    def of_impression(self, impression_id: str) -> Lease | None:
        """The lease of a visit that still is its number's newest."""
        number_id = self._by_impression.get(impression_id)
        return None if number_id is None else self._by_number[number_id]

    def allocate(self, wanted: Allocate, now: int) -> Drawn:
        """The visitor's own number again, else free, lapsed, call done; else a miss."""
        terms = wanted.terms
        own = self._own(terms, wanted.visitor_id, now)
        if (own is None or now >= own.until_ms) and self.full(wanted, now):
            return Drawn(None, limited=True)
        if own is not None:
            self._source(own.number_id, wanted.source)
            return Drawn(self.renew(own, terms.rules, now))
        shelf = self._shelf(terms, now)
        found = shelf.best(wanted.near, now)
        if found is None:
            return Drawn(None, held=shelf.held)
        before = self._by_number.get(found.number_id)
        lease = self._hand_out(found, before, wanted, now)
        linked = before is not None and now < before.archive_ms
        return Drawn(lease, fresh=True, displaced=before if linked else None, held=shelf.held)

    def renew(self, lease: Lease, rules: PoolRules, now: int) -> Lease:
        """The visitor looked at a page."""
        return self._restamp(lease.renewed(rules, now))

    def use(self, lease: Lease, rules: PoolRules, now: int) -> Lease:
        """The visitor used the page."""
        return self._restamp(lease.used(rules, now))

    def rename(self, lease: Lease, impression_id: str) -> Lease:
        """The new lease is that of a visit which is known already."""
        self._by_impression.pop(lease.impression_id, None)
        renamed = replace(lease, impression_id=impression_id)
        self._put(renamed)
        return renamed

    def close(self, lease: Lease, rules: PoolRules, now: int) -> Lease:
        """The visitor closed the page."""
        return self._restamp(lease.closed(rules, now))

    def call_up(self, number_id: str) -> None:
        """A call on a number began: it is busy."""
        self._place(number_id)

    def call_over(self, number_id: str, answered: Container[str | None], now: int) -> Lease | None:
        """The last call on a number is over, and it is busy no longer: its lease if that changed, for its
        visit is among those of which a call was ``answered``."""
        self._place(number_id)
        lease = self._by_number.get(number_id)
        if lease is None or lease.impression_id not in answered:
            return None
        return self._restamp(replace(lease, call_ended_ms=now))

    def standing(self, number_id: str, rules: PoolRules, now: int) -> Standing:
        """How a number stands."""
        lease, busy = self._by_number.get(number_id), number_id in self._busy
        if lease is None:
            return Standing(number_id, "busy" if busy else "free")
        stamps = (instant_of(ms) for ms in (lease.active_ms, lease.until_ms, lease.archive_ms))
        return Standing(
            number_id, lease.state(rules, now, busy), lease.impression_id, lease.generation, *stamps
        )

    def _own(self, terms: Terms, visitor_id: str, now: int) -> Lease | None:
        """The visitor's lease, while its link holds and its number is still handed out for the tag."""
        number_id = self._by_visit.get((terms.tag_id, visitor_id))
        if number_id is None or number_id not in terms.members.by_id:
            return None
        lease = self._by_number[number_id]
        return lease if now < lease.archive_ms else None

    def _shelf(self, terms: Terms, now: int) -> Shelf:
        """The pool's numbers, as these terms have them."""
        shelf = self._shelves.get(terms.rules.pool_id)
        if shelf is None:
            shelf = self._shelves[terms.rules.pool_id] = Shelf(self._by_number, self._busy)
        for number_id in shelf.stock(terms.rules, terms.members, now):
            other = self._shelf_of.get(number_id)
            if other is not None and other is not shelf:
                other.remove(number_id)
            self._shelf_of[number_id] = shelf
        return shelf

    def _place(self, number_id: str) -> None:
        """What may be done with a number changed."""
        shelf = self._shelf_of.get(number_id)
        if shelf is not None:
            shelf.place(number_id, self.seen_ms)

    def full(self, wanted: Allocate, now: int) -> bool:
        """Whether the visitor's address has as many numbers of the pool leased as it may."""
        members = wanted.terms.members.by_id
        if wanted.most >= len(members):
            return False
        held = self._by_source.get(wanted.source, ())
        leased = (number_id in members and now < self._by_number[number_id].until_ms for number_id in held)
        return sum(leased) >= wanted.most

    def _hand_out(self, member: Member, before: Lease | None, wanted: Allocate, now: int) -> Lease:
        terms = wanted.terms
        generation = 1 if before is None else before.generation + 1
        lease = Lease(
            member.number_id, wanted.impression_id, terms.tag_id, wanted.visitor_id, generation,
            now, now + terms.rules.hold_ms,
        )  # fmt: skip
        self._put(lease)
        self._source(member.number_id, wanted.source)
        return lease

    def _put(self, lease: Lease) -> None:
        """A hand-out: the number is this visit's from now on, and this is the visitor's number."""
        number_id = lease.number_id
        before = self._by_number.get(number_id)
        if before is not None and before.impression_id != lease.impression_id:
            self._by_impression.pop(before.impression_id, None)
            if self._by_visit.get((before.tag_id, before.visitor_id)) == number_id:
                del self._by_visit[before.tag_id, before.visitor_id]
        self._by_number[number_id] = lease
        self._by_impression[lease.impression_id] = number_id
        self._by_visit[lease.tag_id, lease.visitor_id] = number_id
        self._place(number_id)

    def _restamp(self, lease: Lease) -> Lease:
        """The same visit with other stamps; the visitor may have another number meanwhile."""
        self._by_number[lease.number_id] = lease
        self._place(lease.number_id)
        return lease

    def _source(self, number_id: str, source: str) -> None:
        before = self._source_of.pop(number_id, None)
        if before is not None:
            self._by_source[before].discard(number_id)
            if not self._by_source[before]:
                del self._by_source[before]
        if source:
            self._source_of[number_id] = source
            self._by_source.setdefault(source, set()).add(number_id)
