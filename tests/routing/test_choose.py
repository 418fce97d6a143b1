"""The order of targets: tiers, weights, what is passed over and why, and the last look."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.cap import Cap
from edge.model.config import Campaign, Target
from edge.model.decision import Candidate, CandidateLine, CapClaim, Proceed
from edge.routing.actions import Owner, forward
from edge.routing.admit import admit
from edge.routing.choose import Skip, choose, mark, recheck
from edge.routing.snapshot import Snapshot
from tests.routing.world import (
    NIGHT,
    NOON,
    Taken,
    campaign,
    draws,
    facts,
    number,
    office,
    route,
    target,
    world,
)


def admitted(snapshot: Snapshot) -> Proceed:
    decided = admit(facts(), snapshot, Taken())
    assert isinstance(decided, Proceed)
    return decided


def order(plan: Campaign, targets: list[Target], *points: float, counts: Taken | None = None) -> list[str]:
    snapshot = world(the_campaign=plan, targets=targets)
    made = choose(admitted(snapshot), facts(), snapshot, counts or Taken(), NOON, draws(*points))
    return [candidate.target_id for candidate in made.candidates]


def test_the_lowest_priority_comes_first_and_negatives_are_legal() -> None:
    plan = campaign(route("a", 2), route("b", -1), route("c", 1))
    assert order(plan, [target("a"), target("b"), target("c")]) == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ((0.0, 0.0), ["a", "b", "c"]),
        ((0.24, 0.0), ["a", "b", "c"]),
        ((0.26, 0.0), ["b", "a", "c"]),
        ((0.99, 0.99), ["c", "b", "a"]),
        ((0.5, 0.49), ["c", "a", "b"]),
        ((0.5, 0.51), ["c", "b", "a"]),
    ],
)
def test_weights_share_the_draw_exactly(points: tuple[float, ...], expected: list[str]) -> None:
    plan = campaign(route("a", weight=1), route("b", weight=1), route("c", weight=2))
    assert order(plan, [target("a"), target("b"), target("c")], *points) == expected


def test_shares_come_out_over_many_calls() -> None:
    plan = campaign(route("a", weight=1), route("b", weight=3), route("z", weight=0))
    snapshot = world(the_campaign=plan, targets=[target("a"), target("b"), target("z")])
    proceed, chance = admitted(snapshot), random.Random(7)
    firsts = Counter(
        choose(proceed, facts(), snapshot, Taken(), NOON, chance.random).candidates[0].target_id
        for _ in range(4000)
    )
    assert firsts["z"] == 0
    assert 2900 < firsts["b"] < 3100


def test_weight_zero_is_never_dialled_but_is_listed() -> None:
    plan = campaign(route("a", weight=0))
    snapshot = world(the_campaign=plan, targets=[target("a")])
    made = choose(admitted(snapshot), facts(), snapshot, Taken(), NOON, draws())
    assert made.candidates == ()
    assert made.lines == (CandidateLine("a", 1, 0.0, "skipped", "not_reached"),)


def test_every_target_that_is_passed_over_has_its_reason() -> None:
    capped = Cap(id="cap_1", window="day", limit=1)
    plan = campaign(*(route(name) for name in ("paused", "closed", "capped", "full", "gone", "free")))
    targets = [
        target("paused", state="paused"),
        target("closed", hours=office(weekly={})),
        target("capped", caps=(capped,)),
        target("full", max_calls=2),
        target("free"),
    ]
    snapshot = world(the_campaign=plan, targets=targets)
    counts = Taken(cap_1=1, **{"max_calls:full": 2})
    made = choose(admitted(snapshot), facts(), snapshot, counts, NOON, draws())
    reasons = {line.target_id: (line.result, line.reason) for line in made.lines}
    assert reasons == {
        "paused": ("skipped", "paused"),
        "closed": ("skipped", "closed"),
        "capped": ("skipped", "capped"),
        "full": ("skipped", "capped"),
        "gone": ("skipped", "down"),
        "free": ("eligible", "not_reached"),
    }


def test_odds_are_shares_among_the_eligible_of_the_tier() -> None:
    plan = campaign(route("a", weight=1), route("b", weight=3), route("shut", weight=9), route("c", 2))
    targets = [target("a"), target("b"), target("shut", state="paused"), target("c")]
    snapshot = world(the_campaign=plan, targets=targets)
    made = choose(admitted(snapshot), facts(), snapshot, Taken(), NOON, draws(0.0))
    assert {c.target_id: (c.tier, c.odds) for c in made.candidates} == {
        "a": (1, 0.25),
        "b": (1, 0.75),
        "c": (2, 1.0),
    }


def test_a_forward_goes_to_its_one_target_if_that_may_be_dialled() -> None:
    snapshot = world(
        the_campaign=campaign(route("a")), targets=[target("a"), target("night", hours=office())]
    )
    owner = Owner(number(), campaign(), None)
    proceed = forward("night", "after_hours_forward", owner, ())
    by_day = choose(proceed, facts(), snapshot, Taken(), NOON, draws())
    by_night = choose(proceed, facts(NIGHT), snapshot, Taken(), NIGHT, draws())
    assert [c.target_id for c in by_day.candidates] == ["night"]
    assert (by_night.candidates, by_night.lines[0].reason) == ((), "closed")


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(0, 5)), max_size=8),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=8, max_size=8),
)
def test_each_target_stands_in_the_order_once_and_tiers_never_mix(
    entries: list[tuple[int, int]], points: list[float]
) -> None:
    names = [f"t{n}" for n in range(len(entries))]
    plan = campaign(*(route(name, p, w) for name, (p, w) in zip(names, entries, strict=True)))
    snapshot = world(the_campaign=plan, targets=[target(name) for name in names])
    made = choose(admitted(snapshot), facts(), snapshot, Taken(), NOON, draws(*points))
    tiers = [candidate.tier for candidate in made.candidates]
    assert tiers == sorted(tiers)
    ordered = [candidate.target_id for candidate in made.candidates]
    assert sorted(ordered) == [n for n, (_, w) in zip(names, entries, strict=True) if w > 0]
    assert sorted(line.target_id for line in made.lines) == names


def test_recheck_wants_the_targets_slots_in_the_window_of_the_arrival() -> None:
    caps = (Cap(id="cap_1", window="day", limit=5, counts_on="attempt"),)
    snapshot = world(targets=[target("a", caps=caps, max_calls=2, timezone="America/New_York")])
    arrived = facts(NIGHT.replace(hour=23, minute=59))
    judged = recheck(Candidate("a", 1, 1.0), arrived, snapshot, Taken(), NOON.replace(day=21))
    assert judged == (
        CapClaim("cap_1", "a", "2026-11-20", 5, "attempt", warning=4),
        CapClaim("max_calls:a", "a", "", 2, "concurrency"),
    )


def test_recheck_judges_hours_at_the_dial_not_at_the_arrival() -> None:
    snapshot = world(targets=[target("a", hours=office())])
    closing = NOON.replace(hour=16, minute=59)
    candidate = Candidate("a", 1, 1.0)
    assert recheck(candidate, facts(closing), snapshot, Taken(), closing) == ()
    late = recheck(candidate, facts(closing), snapshot, Taken(), closing.replace(hour=17, minute=0))
    assert isinstance(late, Skip)
    assert late.reason == "closed"
    assert "17:00" in late.detail


def test_recheck_sees_a_cap_that_filled_up_meanwhile() -> None:
    snapshot = world(targets=[target("a", max_calls=1)])
    late = recheck(Candidate("a", 1, 1.0), facts(), snapshot, Taken(**{"max_calls:a": 1}), NOON)
    assert isinstance(late, Skip)
    assert late.reason == "capped"


def test_the_log_says_what_became_of_a_candidate() -> None:
    lines = [
        CandidateLine("a", 1, 0.5, "eligible", "not_reached"),
        CandidateLine("b", 1, 0.5, "skipped", "closed"),
    ]
    mark(lines, "a", "dialled", "busy")
    mark(lines, "b", "dialled", "busy")
    assert [(line.result, line.reason) for line in lines] == [("dialled", "busy"), ("skipped", "closed")]


def test_a_target_that_does_not_answer_options_is_passed_over() -> None:
    snapshot = world(the_campaign=campaign(route("a"), route("b")), targets=[target("a"), target("b")])
    made = choose(admitted(snapshot), facts(), snapshot, Taken(), NOON, draws(), down={"a"})
    assert [candidate.target_id for candidate in made.candidates] == ["b"]
    assert next((line.target_id, line.result, line.reason) for line in made.lines) == ("a", "skipped", "down")
    judged = recheck(Candidate("b", 1, 1.0), facts(), snapshot, Taken(), NOON, down={"b"})
    assert isinstance(judged, Skip) and judged.reason == "down"
