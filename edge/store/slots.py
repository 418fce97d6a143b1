"""Slots of caps in memory: who holds what, and how much of each window is used and reserved.

One server owns the database, so the counting happens here and only its outcome is written
(Rule: caps): ``used + reserved <= limit`` holds after every step.  Every step can be undone until
``settle``: a commit that fails leaves no trace.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from edge.model.decision import CapClaim
from edge.model.ledger import CapNotice

Key = tuple[str, str]
SlotState = Literal["reserved", "watched", "awaiting", "used", "cleared"]
"""``reserved``: counted on top of what is used.  ``watched``: in flight and not counted (not strict).
``awaiting``: bridged and perhaps to convert, uncounted.  ``used``: counted for good.  ``cleared``: used, and
not counted since a reset by hand."""
SlotKey = tuple[str, int, str]

_Event = Literal["cap.warning", "cap.reached"]
_TOLD: Final[dict[_Event, int]] = {"cap.warning": 1, "cap.reached": 2}
_PRUNE_FROM = 20_000


class Counter:
    """One window of one cap; ``told`` is what was last told of it (``_TOLD``), 0 for nothing."""

    __slots__ = ("reserved", "told", "used")

    def __init__(self, used: int, told: int) -> None:
        self.used = used
        self.reserved = 0
        self.told = told


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that a call holds (or has used up): as it is written."""

    claim: CapClaim
    state: SlotState
    since: str


Held = dict[tuple[int, str], Slot]
"""The slots of one call, by attempt and cap."""


class Slots:
    """All live calls' slots.  ``load`` tells a window's durable ``used`` and ``told``, when first touched.

    ``dirty_slots``, ``dirty_counters`` and ``touched`` are what changed since ``settle``, ``notices`` the
    windows that were used up, or nearly.
    """

    def __init__(self, load: Callable[[Key], tuple[int, int]]) -> None:
        self._load = load
        self._counters: dict[Key, Counter] = {}
        self._held: dict[str, Held] = {}
        self._undo: list[Callable[[], None]] = []
        self._prune_at = _PRUNE_FROM
        self.dirty_slots: dict[SlotKey, Slot | None] = {}
        self.dirty_counters: set[Key] = set()
        self.touched: set[Key] = set()
        self.notices: list[CapNotice] = []

    def knows(self, call_id: str) -> bool:
        """Whether the call is live here."""
        return call_id in self._held

    def begin(self, call_id: str) -> None:
        """The call may hold slots from now on."""
        if call_id not in self._held:
            self._held[call_id] = {}
            self._undo.append(lambda: _forget(self._held, call_id))

    def take(self, call_id: str, attempt: int, claims: tuple[CapClaim, ...], since: str) -> str | None:
        """Reserves a slot of every claim that is not held already, or none: answers the full cap."""
        held = self._held[call_id]
        new = {claim.cap_id: claim for claim in claims if (attempt, claim.cap_id) not in held}
        for claim in new.values():
            if self._is_full(claim):
                return claim.cap_id
        for claim in new.values():
            self._hold(call_id, held, (attempt, claim.cap_id), claim, since)
        return None

    def take_over(
        self, call_id: str, attempt: int, claims: tuple[CapClaim, ...], since: str, *, giver: tuple[str, int]
    ) -> str | None:
        """As ``take``, in place of what another call's attempt has reserved.

        A slot that goes from hand to hand need not be free; if another claim is full nothing changes.
        """
        given = self._held.get(giver[0], {})
        moving = {
            (slot.claim.cap_id, slot.claim.window)
            for place, slot in given.items()
            if place[0] == giver[1] and slot.state == "reserved"
        }
        held = self._held[call_id]
        new = [claim for claim in claims if (attempt, claim.cap_id) not in held]
        for claim in new:
            if (claim.cap_id, claim.window) not in moving and self._is_full(claim):
                return claim.cap_id
        self.release(*giver)
        for claim in new:
            self._hold(call_id, held, (attempt, claim.cap_id), claim, since)
        return None

    def hand_back(
        self, call_id: str, attempt: int, cap_ids: Collection[str], since: str, *, to: tuple[str, int]
    ) -> None:
        """What an attempt has reserved of these caps goes to a call that is live; everything else is free."""
        mine = self._held.get(call_id, {})
        going = [
            slot.claim
            for place, slot in mine.items()
            if place[0] == attempt and slot.state == "reserved" and slot.claim.cap_id in cap_ids
        ]
        self.release(call_id, attempt)
        held = self._held.get(to[0])
        if held is not None:
            for claim in going:
                if (to[1], claim.cap_id) not in held:
                    self._hold(to[0], held, (to[1], claim.cap_id), claim, since)

    def _hold(self, call_id: str, held: Held, place: tuple[int, str], claim: CapClaim, since: str) -> None:
        if claim.strict:
            key = (claim.cap_id, claim.window)
            self._count(key, self.counter(key), 0, 1)
        state: SlotState = "reserved" if claim.strict else "watched"
        self._put(call_id, held, place, Slot(claim, state, since))

    def _is_full(self, claim: CapClaim) -> bool:
        counter = self.counter((claim.cap_id, claim.window))
        return counter.used + (counter.reserved if claim.strict else 0) >= claim.limit

    def use(self, call_id: str, attempt: int, triggered: tuple[str, ...]) -> None:
        """The trigger came: what the admission and the attempt reserved for it is used up."""
        held = self._held.get(call_id, {})
        for place, slot in list(held.items()):
            if place[0] not in (0, attempt) or slot.state in ("awaiting", "used", "cleared"):
                continue
            if slot.claim.counts_on in triggered:
                self._use(call_id, held, place, slot)
            elif slot.claim.counts_on == "convert" and "connect" in triggered:
                self._put(call_id, held, place, Slot(slot.claim, "awaiting", slot.since))

    def convert(self, call_id: str) -> None:
        """The call converted: what waited for it is used up, even beyond the limit."""
        held = self._held.get(call_id, {})
        for place, slot in list(held.items()):
            if slot.state == "awaiting":
                self._use(call_id, held, place, slot)

    def adopt(self, call_id: str, slots: Mapping[tuple[int, str], Slot]) -> None:
        """A call that is over holds these slots until ``end``: it has more to tell."""
        self.begin(call_id)
        self._held[call_id].update(slots)

    def reset(self, key: Key) -> int:
        """Nothing is used of the window any more; answers what was."""
        counter = self.counter(key)
        used = counter.used
        if used or counter.told:
            self._count(key, counter, -used, 0)
            self._mark(counter, 0)
            self.dirty_counters.add(key)
            for call_id, held in self._held.items():
                self._clear_used(call_id, held, key)
        return used

    def _clear_used(self, call_id: str, held: Held, key: Key) -> None:
        for place, slot in list(held.items()):
            if slot.state == "used" and (slot.claim.cap_id, slot.claim.window) == key:
                self._put(call_id, held, place, Slot(slot.claim, "cleared", slot.since))

    def _use(self, call_id: str, held: Held, place: tuple[int, str], slot: Slot) -> None:
        claim = slot.claim
        key = (claim.cap_id, claim.window)
        counter = self.counter(key)
        self._count(key, counter, 1, -1 if slot.state == "reserved" else 0)
        self.dirty_counters.add(key)
        self._notice(counter, claim)
        self._put(call_id, held, place, Slot(claim, "used", slot.since))

    def _notice(self, counter: Counter, claim: CapClaim) -> None:
        """Once a window, whatever is given back, or becomes of the limit, after that (Rule: caps)."""
        used, event = counter.used, _due(counter.used, claim)
        if event is not None and _TOLD[event] > counter.told:
            self._mark(counter, _TOLD[event])
            self.notices.append(
                CapNotice(event, claim.cap_id, claim.owner_id, claim.window, used, claim.limit)
            )

    def _mark(self, counter: Counter, told: int) -> None:
        before, counter.told = counter.told, told
        self._undo.append(lambda: setattr(counter, "told", before))

    def release(self, call_id: str, attempt: int | None = None, *, unbridged: bool = False) -> None:
        """Gives back what a call has reserved, or one attempt of it, and what was used for a bridge that did
        not happen."""
        held = self._held.get(call_id, {})
        for place, slot in list(held.items()):
            if attempt not in (None, place[0]) or slot.state not in ("reserved", "watched"):
                continue
            if slot.state == "reserved":
                key = (slot.claim.cap_id, slot.claim.window)
                self._count(key, self.counter(key), 0, -1)
            self._put(call_id, held, place, None)
        if unbridged:
            self._unuse(call_id, held, attempt)

    def end(self, call_id: str, *, unbridged: bool = False) -> None:
        """The call is over: gives everything back and forgets it."""
        if self._held.get(call_id):
            self.release(call_id, unbridged=unbridged)
        held = self._held.pop(call_id, None)
        if held is not None:
            self._undo.append(lambda: self._held.__setitem__(call_id, held))

    def _unuse(self, call_id: str, held: Held, attempt: int | None) -> None:
        """The bridge that used slots up, or let them wait for a conversion, did not happen."""
        for place, slot in list(held.items()):
            if attempt not in (None, place[0]):
                continue
            if slot.state == "used" and slot.claim.counts_on == "connect":
                key = (slot.claim.cap_id, slot.claim.window)
                self._count(key, self.counter(key), -1, 0)
                self.dirty_counters.add(key)
            elif slot.state != "awaiting":
                continue
            self._put(call_id, held, place, None)

    def counter(self, key: Key) -> Counter:
        """The window's counter."""
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter(*self._load(key))
        return counter

    def settle(self) -> None:
        """It is committed: nothing is undone any more."""
        self._clear()
        if len(self._counters) > self._prune_at:
            self._counters = {key: c for key, c in self._counters.items() if c.reserved}
            self._prune_at = max(_PRUNE_FROM, 2 * len(self._counters))

    def undo(self) -> None:
        """It was rolled back: everything is as it was at the last ``settle``."""
        for step in reversed(self._undo):
            step()
        self._clear()

    def _clear(self) -> None:
        self._undo.clear()
        self.dirty_slots.clear()
        self.dirty_counters.clear()
        self.touched.clear()
        self.notices.clear()

    def _count(self, key: Key, counter: Counter, used: int, reserved: int) -> None:
        counter.used += used
        counter.reserved += reserved
        self.touched.add(key)

        def back() -> None:
            counter.used -= used
            counter.reserved -= reserved

        self._undo.append(back)

    def _put(self, call_id: str, held: Held, place: tuple[int, str], slot: Slot | None) -> None:
        before = held.get(place)
        _place(held, place, slot)
        self.dirty_slots[(call_id, *place)] = slot
        self._undo.append(lambda: _place(held, place, before))


def _due(used: int, claim: CapClaim) -> _Event | None:
    """What is to be told of a window of which so much is used."""
    if used >= claim.limit:
        return "cap.reached"
    return "cap.warning" if 0 < claim.warning <= used else None


def _place(held: Held, place: tuple[int, str], slot: Slot | None) -> None:
    if slot is None:
        held.pop(place, None)
    else:
        held[place] = slot


def _forget(held: dict[str, Held], call_id: str) -> None:
    held.pop(call_id, None)
