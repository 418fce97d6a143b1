"""The shelf against a look at every number of the pool, while everything about them changes."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from edge.model.visits import Allocate, Member, Members, PageView, PoolRules, Terms
from edge.tracking.board import Board, Drawn
from edge.tracking.states import Lease
from tests.tracking.pool_world import START

AREAS = (("212", "NY"), ("646", "NY"), ("305", "FL"), (None, None))
NEAR = ((None, None), ("212", "NY"), ("917", "NY"), ("999", None), ("305", "TX"))
RULES = (
    PoolRules("a", 360_000, 60_000),
    PoolRules("a", 360_000, 60_000, call_end_frees=False),
    PoolRules("a", 120_000, 30_000, post_call_ms=40_000, early_close=True),
    PoolRules("a", 25_000_000, 60_000),
)


@dataclass
class Scene:
    """A board whose pool is changed at random, by a seed."""

    chance: random.Random
    busy: Counter[str] = field(default_factory=Counter)
    rules: PoolRules = RULES[0]
    now: int = 1_000_000_000
    made: int = 0

    def __post_init__(self) -> None:
        self.board = Board([], self.busy)
        self.members = {f"n{n}": Member(f"n{n}", f"+1{n}", *AREAS[n % 4]) for n in range(12)}
        self.terms = self._terms()

    def _terms(self) -> Terms:
        return Terms("tag", "cmp", None, "primary", self.rules, Members(dict(self.members)))

    def obvious(self, near: tuple[str | None, str | None]) -> tuple[str | None, int]:
        """The number that the rules name, and how many may not be handed out: every number is asked."""
        found, held = [], 0
        for number_id, member in self.members.items():
            lease = self.board.of_number(number_id)
            state = self.board.standing(number_id, self.rules, self.now).state
            if state in ("leased", "busy"):
                held += 1
                continue
            rank = ("free", "lapsed", "call_done").index(state)
            far = (
                0
                if near[0] and member.area_code == near[0]
                else 1
                if near[1] and member.region == near[1]
                else 2
            )
            found.append((rank, far, _unused_since(lease, state), number_id))
        return (min(found)[3] if found else None), held

    def visit(self) -> None:
        near = self.chance.choice(NEAR)
        number_id, held = self.obvious(near)
        self.made += 1
        wanted = Allocate(self.terms, f"v{self.made}", f"i{self.made}", PageView(), START, near=near)
        drawn: Drawn = self.board.allocate(wanted, self.board.now(self.now))
        assert (drawn.lease.number_id if drawn.lease else None) == number_id
        assert drawn.held == held + (number_id is not None)

    def change(self) -> None:
        """Something of what changes a number: use, an end, a call, time, the pool's numbers or rules."""
        number_id = self.chance.choice(sorted(self.members))
        lease, step = self.board.of_number(number_id), self.chance.randrange(9)
        now = self.board.now(self.now)
        if step == 0 and lease is not None and now < lease.archive_ms:
            self.board.renew(lease, self.rules, now)
        elif step == 1 and lease is not None and now < lease.archive_ms:
            self.board.close(lease, self.rules, now)
        elif step == 2:
            self.busy[number_id] += 1
            self.board.call_up(number_id)
        elif step in (3, 4) and self.busy[number_id]:
            del self.busy[number_id]
            self.board.call_over(number_id, (lease.impression_id if lease else None,), now)
        elif step == 5:
            self.now += self.chance.choice((1, 30_000, 40_000, 60_000, 360_000, 21_600_000))
        elif step == 6:
            self._reconfigure(number_id)

    def _reconfigure(self, number_id: str) -> None:
        what = self.chance.randrange(4)
        if what == 0 and len(self.members) > 6:
            del self.members[number_id]
        elif what == 1:
            self.members[f"n{self.chance.randrange(16)}"] = Member("", "")
            self.members = {n: Member(n, n, *self.chance.choice(AREAS)) for n in self.members}
        elif what == 2:
            self.rules = self.chance.choice(RULES)
        self.terms = self._terms()


def _unused_since(lease: Lease | None, state: str) -> int:
    if lease is None:
        return -1
    if state == "lapsed":
        return lease.until_ms
    return (
        (lease.call_ended_ms or 0) if state == "call_done" else max(lease.active_ms, lease.call_ended_ms or 0)
    )


@pytest.mark.parametrize("seed", range(20))
def test_it_hands_out_what_a_look_at_every_number_would(seed: int) -> None:
    scene = Scene(random.Random(seed))
    for _ in range(400):
        scene.change()
        if scene.chance.random() < 0.4:
            scene.visit()


def test_a_number_that_went_to_another_pool_is_that_one_s_alone() -> None:
    board, both = Board([], ()), Members({"n0": Member("n0", "+1")})
    terms = [Terms("tag", "cmp", None, "p", PoolRules(pool, 360_000, 60_000), both) for pool in ("a", "b")]
    given = [board.allocate(Allocate(each, f"v{n}", f"i{n}", PageView(), START), 1_000 + n).lease
             for n, each in enumerate((terms[0], terms[1], terms[1], terms[0]))]  # fmt: skip
    assert [each is not None for each in given] == [True, False, False, False]
