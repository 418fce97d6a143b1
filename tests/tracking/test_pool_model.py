"""The pool engine against a slow, obvious model of the rules, over random timelines."""

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge.model.visits import Given
from edge.store.opening import prepare
from tests.tracking.pool_world import PoolWorld

WHO = st.sampled_from("abcd")
STEPS = st.sampled_from([0, 1, 5, 59, 60, 61, 300, 359, 360, 361, 5_000, 21_599, 21_600])
HOLD, LINK = 360, 21_600


@dataclass
class Visit:
    """Everything that ever happened to one visit with a number, as a list of instants."""

    who: str
    impression: str
    number: str
    generation: int
    uses: list[int]
    call_ends: list[int] = field(default_factory=list)

    @property
    def leased_until(self) -> int:
        return max(self.uses) + HOLD

    @property
    def linked_until(self) -> int:
        return max(self.leased_until, max(self.uses) + LINK)

    @property
    def call_done(self) -> int | None:
        """The instant of the last call's end, unless the page was used since."""
        since = [end for end in self.call_ends if end >= max(self.uses)]
        # An end in the very instant of a use counts only if it came after it.
        return max(since) if since else None


class Obvious:
    """The rules said as plainly as they are written, looking at the whole history each time."""

    def __init__(self, size: int, call_end_frees: bool) -> None:
        self.numbers = [f"n{n}" for n in range(size)]
        self.frees = call_end_frees
        self.history: list[Visit] = []
        self.live: dict[str, tuple[str, str | None]] = {}
        self.last_call: dict[str, int] = {}

    def newest(self, number: str) -> Visit | None:
        return next((v for v in reversed(self.history) if v.number == number), None)

    def allocate(self, who: str, now: int) -> Visit | str | None:
        """The visit that is kept, or the number that is to be handed out, or None: a miss."""
        for number in self.numbers:
            visit = self.newest(number)
            if visit is not None and visit.who == who and now < visit.linked_until:
                return visit
        busy = {number for number, _ in self.live.values()}
        found: list[tuple[int, int, str]] = []
        for number in self.numbers:
            visit = self.newest(number)
            if number in busy:
                continue
            if visit is None:
                found.append((0, -1, number))
            elif now >= visit.linked_until:
                found.append((0, max([*visit.uses, *visit.call_ends[-1:]]), number))
            elif now >= visit.leased_until:
                found.append((1, visit.leased_until, number))
            elif self.frees and visit.call_done is not None:
                found.append((2, visit.call_done, number))
        return min(found)[2] if found else None


class PoolMachine(RuleBasedStateMachine):
    """Every step is done to both; what each visitor is shown, and whose each call is, must agree."""

    @initialize(size=st.integers(1, 3), frees=st.booleans())
    def begin(self, size: int, frees: bool) -> None:
        self.directory = TemporaryDirectory()
        path = Path(self.directory.name) / "edge.db"
        if not hasattr(PoolMachine, "empty"):
            prepare(path)
            PoolMachine.empty = path.read_bytes()  # type: ignore[attr-defined]
        path.write_bytes(PoolMachine.empty)  # type: ignore[attr-defined]
        self.pool = PoolWorld(path, size, call_end_frees=frees)
        self.model = Obvious(size, frees)
        self.shown: dict[str, Given] = {}
        self.now = 0
        self.calls = 0

    @rule(seconds=STEPS)
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(who=WHO)
    def visit(self, who: str) -> None:
        expected = self.model.allocate(who, self.now)
        given = self.pool.visit(who, self.now)
        self._agree(who, expected, given)

    def _agree(self, who: str, expected: Visit | str | None, given: Given) -> None:
        number = given.member.number_id if given.member is not None else None
        self.shown[who] = given
        if isinstance(expected, Visit):
            assert (given.impression_id, number) == (expected.impression, expected.number)
            expected.uses.append(self.now)
            expected.call_ends.clear()
        else:
            assert number == expected
            if number is not None:
                before = self.model.newest(number)
                generation = 1 if before is None else before.generation + 1
                assert given.generation == generation
                assert given.impression_id is not None
                visit = Visit(who, given.impression_id, number, generation, [self.now])
                self.model.history.append(visit)

    @rule(who=WHO)
    def use(self, who: str) -> None:
        given = self.shown.get(who)
        if given is None or given.member is None:
            return
        newest = self.model.newest(given.member.number_id)
        mine = newest is not None and newest.impression == given.impression_id
        expected = self.model.allocate(who, self.now)
        touched = self.pool.touch(who, given, self.now)
        assert touched is not None
        if mine and newest is not None and self.now < newest.linked_until:
            assert touched.given is None
            newest.uses.append(self.now)
            newest.call_ends.clear()
        else:
            assert touched.given is not None
            self._agree(who, expected, touched.given)

    @rule(number=st.integers(0, 2))
    def call(self, number: int) -> None:
        if number >= len(self.model.numbers) or len(self.model.live) > 2:
            return
        self.calls += 1
        dialled, call_id = f"n{number}", f"call{self.calls}"
        visit = self.model.newest(dialled)
        expected = visit if visit is not None and self.now < visit.linked_until else None
        link = self.pool.call(self.now, dialled, call_id)
        self.model.live[call_id] = (dialled, expected.impression if expected else None)
        assert (link.impression_id if link else None) == (expected.impression if expected else None)
        if link is not None:
            others = {v.impression for v in self.model.history
                      if v.number == dialled and v is not expected and self.now < v.linked_until}  # fmt: skip
            assert set(link.rivals) == others
            assert link.attribution == ("last_impression" if others else "exact")

    @rule(answered=st.booleans())
    def hang_up(self, answered: bool) -> None:
        if not self.model.live:
            return
        call_id = next(iter(self.model.live))
        number, impression = self.model.live.pop(call_id)
        self.pool.hang_up(call_id, self.now, answered=answered)
        self.answered: set[str] = getattr(self, "answered", set())
        if answered:
            self.answered.add(number)
        if any(other == number for other, _ in self.model.live.values()):
            return
        was_answered = number in self.answered
        self.answered.discard(number)
        visit = self.model.newest(number)
        if was_answered and visit is not None and visit.impression == impression:
            visit.call_ends.append(self.now)

    @rule()
    def restart(self) -> None:
        if not self.model.live:
            self.pool.restart()

    def teardown(self) -> None:
        if hasattr(self, "pool"):
            self.pool.db.close()
            self.directory.cleanup()


TestPoolModel: Any = PoolMachine.TestCase
TestPoolModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
