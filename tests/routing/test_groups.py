"""Groups and buyers: members act as if listed singly, and a call counts on all that stand above."""

from typing import Any

import pytest

from edge.model.buyer import GroupMember
from edge.model.cap import Cap
from edge.model.config import RouteTarget
from edge.model.decision import Candidate, Proceed
from edge.routing.admit import admit
from edge.routing.choose import Skip, choose, recheck
from edge.routing.snapshot import Snapshot
from tests.routing.world import NOON, Taken, buyer, campaign, draws, facts, group, route, target, world

ONE = (Cap(id="cap_t", window="concurrency", limit=1),)
DAILY = (Cap(id="cap_g", window="day", limit=2),)
MONEY = (Cap(id="cap_b", window="day", limit=3),)


def listed(priority: int = 1, weight: int = 1) -> RouteTarget:
    return RouteTarget(group_id="grp_1", priority=priority, weight=weight)


def grouped(*members: GroupMember, **fields: Any) -> Snapshot:
    """A route of the target ``a`` and a group with ``b`` and whatever else."""
    plan = campaign(route("a"), listed(2, 5))
    return world(None, plan, [target(t) for t in "abcd"], groups=[group(*members, **fields)])


def member(target_id: str, priority: int | None = None, weight: int | None = None) -> GroupMember:
    return GroupMember(target_id=target_id, priority=priority, weight=weight)


def chosen(snapshot: Snapshot, counts: Taken | None = None) -> dict[str, tuple[int, float, str]]:
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    made = choose(proceed, facts(), snapshot, counts or Taken(), NOON, draws(0.0, 0.0, 0.0))
    return {line.target_id: (line.tier, round(line.odds, 3), line.reason) for line in made.lines}


def test_members_take_the_place_of_their_group_unless_they_have_their_own() -> None:
    found = chosen(grouped(member("b"), member("c", weight=15), member("d", priority=-1)))
    assert {name: line[:2] for name, line in found.items()} == {
        "d": (-1, 1.0),
        "a": (1, 1.0),
        "b": (2, 0.25),
        "c": (2, 0.75),
    }


def test_a_target_that_is_listed_singly_and_in_a_group_stands_once_at_its_first_place() -> None:
    assert chosen(grouped(member("a"), member("b"))) == {
        "a": (1, 1.0, "not_reached"),
        "b": (2, 1.0, "not_reached"),
    }


def test_an_edit_of_a_group_reaches_every_route_that_names_it() -> None:
    before = grouped(member("b"))
    after = before.with_changes([group(member("c"))])
    assert set(chosen(before)) == {"a", "b"}
    assert set(chosen(after)) == {"a", "c"}
    assert set(chosen(after.with_changes(removed=["grp_1"]))) == {"a"}


def above(**fields: Any) -> Snapshot:
    plan = campaign(listed())
    return world(
        None,
        plan,
        [target("a", caps=ONE, buyer_id="buy_1"), target("b")],
        groups=[group(member("a"), caps=DAILY, timezone="America/New_York")],
        buyers=[buyer(**{"caps": MONEY, "timezone": "Asia/Kolkata", **fields})],
    )


def test_a_call_counts_on_the_target_its_group_and_its_buyer_each_in_its_own_zone() -> None:
    late = facts(NOON.replace(hour=22))
    wanted = recheck(Candidate("a", 1, 1.0, "grp_1"), late, above(), Taken(), late.arrived_at)
    assert not isinstance(wanted, Skip)
    assert {claim.cap_id: claim.window for claim in wanted} == {
        "cap_t": "",
        "cap_g": "2026-11-20",
        "cap_b": "2026-11-21",
    }


@pytest.mark.parametrize(("cap", "full"), [("cap_t", 1), ("cap_g", 2), ("cap_b", 3)])
def test_whichever_of_them_is_full_the_target_is_passed_over(cap: str, full: int) -> None:
    assert chosen(above(), Taken(**{cap: full - 1}))["a"][2] == "not_reached"
    assert chosen(above(), Taken(**{cap: full}))["a"][2] == "capped"


def test_a_target_without_its_group_counts_on_its_buyer_alone() -> None:
    wanted = recheck(Candidate("a", 1, 1.0), facts(), above(), Taken(), NOON)
    assert not isinstance(wanted, Skip)
    assert [claim.cap_id for claim in wanted] == ["cap_t", "cap_b"]


def test_the_targets_of_a_paused_buyer_or_group_are_paused() -> None:
    assert chosen(above(state="paused"))["a"][2] == "paused"
    assert chosen(grouped(member("b"), state="paused"))["b"][2] == "paused"
