"""The ledger against an obvious, slow model: every order of commands, and faults in between."""

import sqlite3
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge.model.decision import CapClaim
from edge.model.ledger import ResetCap, Unavailable
from edge.store.database import connect as connect_database
from edge.store.group import Group
from edge.store.opening import prepare
from edge.store.spool import Spool
from tests.store.conftest import HandClock
from tests.support.commands import (
    DAY,
    at_once,
    connect,
    convert,
    daily,
    finish,
    hand_back,
    opened,
    release,
    reserve,
    soft,
)

CALLS = st.sampled_from(["a", "b", "c", "d"])
ATTEMPTS = st.integers(1, 3)
LIMITS = {"one": 1, "two": 2, "tried": 2, "line": 1, "lines": 3, "soft": 1, "sold": 1}
CLAIMS = st.lists(st.sampled_from(sorted(LIMITS)), max_size=4, unique=True)


def claim(cap: str) -> CapClaim:
    if cap in ("soft", "sold"):
        return soft(cap, LIMITS[cap], "connect" if cap == "soft" else "convert")
    if cap.startswith("line"):
        return at_once(cap, LIMITS[cap])
    return daily(cap, LIMITS[cap], "attempt" if cap == "tried" else "connect")


class Slot:
    def __init__(self, call: str, attempt: int, wanted: CapClaim) -> None:
        self.call, self.attempt, self.claim, self.used = call, attempt, wanted, False
        self.bridged = self.cleared = False

    @property
    def counted(self) -> bool:
        """What is used counts, and what is reserved where slots are."""
        return not self.cleared and (self.used or self.claim.strict)


class Model:
    """A list of slots, searched from end to end."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.live: set[str] = set()
        self.over: set[str] = set()

    def taken(self, cap: str) -> int:
        return sum(slot.claim.cap_id == cap and slot.counted for slot in self.slots)

    def held(self, call: str, attempt: int, cap: str) -> bool:
        key = (call, attempt, cap)
        return any((s.call, s.attempt, s.claim.cap_id) == key for s in self.slots)

    def reserve(
        self, call: str, attempt: int, caps: list[str], giver: tuple[str, int] = ("", 0)
    ) -> str | None:
        new: list[Slot] = []
        for cap in caps:
            if self.held(call, attempt, cap):
                continue
            if self.taken(cap) - self.passes_on(*giver, cap) >= LIMITS[cap]:
                return cap
            new.append(Slot(call, attempt, claim(cap)))
        self.drop(*giver)
        self.slots += new
        if attempt > 0:
            self.use(call, attempt, {"attempt"})
        return None

    def hand_back(self, call: str, attempt: int, to: str, other: int, caps: list[str]) -> None:
        going = [
            slot.claim
            for slot in self.slots
            if (slot.call, slot.attempt) == (call, attempt) and slot.claim.strict and not slot.used
        ]
        self.drop(call, attempt)
        for wanted in going:
            if wanted.cap_id in caps and to in self.live and not self.held(to, other, wanted.cap_id):
                self.slots.append(Slot(to, other, wanted))

    def end(self, call: str) -> None:
        self.drop(call)
        self.live.discard(call)
        self.over.add(call)

    def unbridge(self, call: str, attempt: int | None = None) -> None:
        """The bridge that was written did not happen: what it used up is free again."""
        mine = [s for s in self.slots if s.call == call and attempt in (None, s.attempt)]
        for slot in mine:
            slot.bridged &= slot.used
            if slot.used and not slot.cleared and slot.claim.counts_on == "connect":
                self.slots.remove(slot)

    def passes_on(self, call: str, attempt: int, cap: str) -> bool:
        """Whether a slot of the cap is given back by it, so that the next one has room."""
        return any(
            (s.call, s.attempt, s.claim.cap_id) == (call, attempt, cap) and s.counted and not self.stays(s)
            for s in self.slots
        )

    def use(self, call: str, attempt: int, triggers: set[str]) -> None:
        for slot in self.slots:
            if slot.call == call and slot.attempt in (0, attempt):
                slot.used |= slot.claim.counts_on in triggers
                slot.bridged |= "connect" in triggers

    def convert(self, call: str) -> None:
        for slot in self.slots:
            slot.used |= slot.call == call and slot.bridged and slot.claim.counts_on == "convert"

    def reset(self, cap: str) -> None:
        for slot in self.slots:
            slot.cleared |= slot.claim.cap_id == cap and slot.used

    def stays(self, slot: Slot) -> bool:
        """What is used, or may yet convert, outlives its call."""
        return slot.used or (slot.bridged and slot.claim.counts_on == "convert")

    def drop(self, call: str, attempt: int | None = None) -> None:
        kept = [s for s in self.slots if self.stays(s) or s.call != call or attempt not in (None, s.attempt)]
        self.slots = kept


class LedgerMachine(RuleBasedStateMachine):
    """Groups of one command; restarts and failing commits at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.path = Path(self._folder.name) / "edge.db"
        self.clock = HandClock()
        self.model = Model()
        self.starts = 0

    @initialize()
    def start(self) -> None:
        prepare_from_template(self.path)
        self._open()

    def _open(self) -> None:
        self.db = connect_database(self.path)
        self.db.execute("PRAGMA synchronous = OFF")
        self.group = Group(self.db, Spool(self.path.with_suffix(".spool")), self.clock)
        self.group.recover(self.clock.utc())

    def teardown(self) -> None:
        self.db.close()
        self._folder.cleanup()

    @rule(call=CALLS)
    def open_call(self, call: str) -> None:
        call += str(self.starts)
        assert self.group.run([opened(call)]) == [None]
        self.begin(call)

    def begin(self, call: str) -> bool:
        """Whether the call may hold slots."""
        if call not in self.model.over:
            self.model.live.add(call)
        return call in self.model.live

    @rule(call=CALLS, attempt=st.integers(0, 3), caps=CLAIMS)
    def reserve(self, call: str, attempt: int, caps: list[str]) -> None:
        call += str(self.starts)
        (answer,) = self.group.run([reserve(call, attempt, *map(claim, caps))])
        if self.begin(call):
            assert answer == self.model.reserve(call, attempt, caps)
        else:
            assert isinstance(answer, Unavailable)

    @rule(call=CALLS, giver=CALLS, attempt=ATTEMPTS, other=ATTEMPTS, caps=CLAIMS)
    def take_over(self, call: str, giver: str, attempt: int, other: int, caps: list[str]) -> None:
        """A party goes from call to call, and its slots with it."""
        if call == giver:
            return
        call, giver = f"{call}{self.starts}", f"{giver}{self.starts}"
        wanted = reserve(call, attempt, *map(claim, caps), instead_of=(giver, other))
        (answer,) = self.group.run([wanted])
        if self.begin(call):
            assert answer == self.model.reserve(call, attempt, caps, (giver, other))
        else:
            assert isinstance(answer, Unavailable)

    @rule(call=CALLS, to=CALLS, attempt=ATTEMPTS, other=ATTEMPTS, caps=CLAIMS, fails=st.booleans())
    def hand_back(
        self, call: str, to: str, attempt: int, other: int, caps: list[str], *, fails: bool
    ) -> None:
        """The party stays with its call after all; that is a fact, whatever the store can do now."""
        if call == to:
            return
        call, to = f"{call}{self.starts}", f"{to}{self.starts}"
        self.db.set_authorizer(_no_commit if fails else None)
        self.group.run([hand_back(call, attempt, (to, other), *caps)])
        self.works_again()
        self.model.hand_back(call, attempt, to, other, caps)

    @rule(call=CALLS, attempt=ATTEMPTS)
    def connect(self, call: str, attempt: int) -> None:
        call += str(self.starts)
        self.group.run([connect(call, attempt)])
        self.model.use(call, attempt, {"attempt", "connect"})

    @rule(call=CALLS, attempt=ATTEMPTS, unbridged=st.booleans())
    def release(self, call: str, attempt: int, *, unbridged: bool) -> None:
        call += str(self.starts)
        self.group.run([replace(release(call, attempt), unbridged=unbridged)])
        if unbridged and call in self.model.live:
            self.model.unbridge(call, attempt)
        self.model.drop(call, attempt)

    @rule(call=CALLS)
    def convert(self, call: str) -> None:
        """During the call or after it, as often as one likes."""
        call += str(self.starts)
        assert self.group.run([convert(call)]) == [None]
        self.model.convert(call)

    @rule(cap=st.sampled_from(["one", "two", "tried", "soft", "sold"]))
    def reset(self, cap: str) -> None:
        used = sum(s.claim.cap_id == cap and s.used and not s.cleared for s in self.model.slots)
        assert self.group.run([ResetCap(cap, DAY, "tok_1", self.clock.utc())]) == [used]
        assert self.group.run([ResetCap(cap, DAY, "tok_1", self.clock.utc())]) == [0]
        self.model.reset(cap)

    @rule(call=CALLS, unbridged=st.booleans())
    def finish(self, call: str, *, unbridged: bool) -> None:
        call += str(self.starts)
        self.group.run([replace(finish(call), unbridged=unbridged)])
        if unbridged and call in self.model.live:
            self.model.unbridge(call)
        self.model.end(call)

    @rule(call=CALLS, attempt=ATTEMPTS, caps=CLAIMS)
    def fail(self, call: str, attempt: int, caps: list[str]) -> None:
        """A request in a failing commit never happened; facts are caught up with afterwards."""
        self.db.set_authorizer(_no_commit)
        call += str(self.starts)
        answers = self.group.run([reserve(call, attempt, *map(claim, caps)), finish(call)])
        assert all(isinstance(answer, Unavailable) for answer in answers)
        self.works_again()
        self.model.end(call)

    def works_again(self) -> None:
        self.db.set_authorizer(None)
        self.clock.advance(60)
        self.group.run([])

    @rule()
    def restart(self) -> None:
        """No call goes on over a restart: new ones have names of their own."""
        self.db.close()
        self._open()
        self.starts += 1
        self.model.live.clear()
        self.model.slots = [slot for slot in self.model.slots if self.model.stays(slot)]

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        if not hasattr(self, "db"):
            return
        taken: dict[str, int] = defaultdict(int)
        for cap, used in self.db.execute("SELECT cap_id, used FROM counters"):
            taken[cap] += used
        reserved = "SELECT cap_id, count(*) FROM reservations WHERE state = 'reserved' GROUP BY cap_id"
        for cap, count in self.db.execute(reserved):
            taken[cap] += count
        assert all(taken[cap] == self.model.taken(cap) for cap in LIMITS)
        assert all(taken[cap] <= LIMITS[cap] for cap in LIMITS if claim(cap).strict)


def _no_commit(action: int, what: str | None, *_: object) -> int:
    """A disk that fails when it matters: everything is written, then the commit is refused."""
    commits = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
    return sqlite3.SQLITE_DENY if commits else sqlite3.SQLITE_OK


_TEMPLATE: list[bytes] = []


def prepare_from_template(path: Path) -> None:
    if not _TEMPLATE:
        prepare(path)
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        _TEMPLATE.append(path.read_bytes())
    path.write_bytes(_TEMPLATE[0])


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLedgerModel = LedgerMachine.TestCase
