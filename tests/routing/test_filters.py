"""Filters: operators, missing keys, several values; and what they do to candidates."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from edge.model.config import RouteTarget
from edge.model.decision import Candidate, Proceed
from edge.model.filter import Filter
from edge.routing.admit import admit
from edge.routing.choose import Skip, choose, recheck
from edge.routing.filters import mismatch, ready
from edge.routing.known import Known
from edge.routing.snapshot import Snapshot
from tests.routing.world import NOON, Taken, campaign, draws, facts, group, number, target, world

TAGS: dict[str, str | tuple[str, ...]] = {
    "channel": "TV",
    "age": "42",
    "regions": ("north", "east"),
    "vip": "yes",
    "at": "09:30",
    "number": "tagged",
    "seen": "2026-11-20T09:00:00+01:00",
}


def holds(key: str, op: str, value: Any = None, **more: Any) -> bool:
    condition = ready((Filter.model_validate({"key": key, "op": op, "value": value, **more}),))
    return mismatch(condition, Known(facts(), world(number(tags=TAGS)), "num_1"), TAGS) is None


@pytest.mark.parametrize(
    ("key", "op", "value", "expected"),
    [
        ("channel", "==", "TV", True),
        ("CHANNEL", "==", "TV", True),
        ("channel", "==", "tv", False),
        ("channel", "!=", "radio", True),
        ("channel", "contains", "V", True),
        ("channel", "begins", "V", False),
        ("channel", "regex", "^[A-Z]{2}$", True),
        ("channel", "regex", "(?i)^t.$", True),
        ("channel", "regex", "radio", False),
        ("channel", "exists", None, True),
        ("channel", "not_exists", None, False),
        ("age", "==", 42, True),
        ("age", "==", "42.0", False),
        ("age", "==", 42.0, True),
        ("age", "<", 100, True),
        ("age", "<", "100", True),  # by number, where text would say no
        ("age", ">=", 42, True),
        ("age", ">", 42, False),
        ("channel", ">", 1, False),
        ("at", ">=", "09:00", True),
        ("at", "<", "09:30", False),
        ("vip", "==", True, True),
        ("vip", "==", False, False),
        ("regions", "==", "east", True),
        ("regions", "!=", "east", False),
        ("regions", "!=", "west", True),
        ("none", "==", "x", False),
        ("none", "!=", "x", True),
        ("none", "<", 5, False),
        ("none", "regex", "", False),
        ("none", "exists", None, False),
        ("none", "not_exists", None, True),
        ("seen", "==", "2026-11-20T08:00:00Z", True),
        ("seen", "<", "2026-11-20T08:30:00Z", True),  # as text it would be later
        ("seen", ">=", "2026-11-20", True),
        ("seen", ">", "2026-11-21", False),
        ("channel", "!=", "2026-11-21", True),
        ("caller_area_code", "==", "312", True),
        ("caller_country", "==", "US", True),
        ("campaign_name", "==", "campaign", True),
        ("publisher_id", "exists", None, False),
        ("caller_number", "begins", "+1312", True),
        ("caller_anonymous", "==", False, True),
        ("number", "==", "+18005550100", True),
        ("tag:number", "==", "tagged", True),
    ],
)
def test_operators(key: str, op: str, value: Any, expected: bool) -> None:
    assert holds(key, op, value) is expected


def test_whether_a_call_is_of_a_pool_is_known_of_every_call() -> None:
    assert holds("is_pool", "==", False)
    assert not holds("is_pool", "==", True)
    assert holds("is_pool", "exists")


def test_a_sub_id_that_the_page_told_is_the_call_s() -> None:
    """A number without one of its own leaves it to the URL of the visit."""
    only = ready((Filter(key="sub_id", op="==", value="b7"),))
    known = Known(facts(), world(), "num_1")
    assert mismatch(only, known, {"sub_id": "b7"}) is None
    assert mismatch(only, known, {}) is not None


def test_in_takes_a_list() -> None:
    assert holds("regions", "in", values=["west", "north"])
    assert not holds("regions", "in", values=["west"])
    assert not holds("none", "in", values=["west"])


def test_a_withheld_caller_is_a_missing_key() -> None:
    found = Known(facts(caller=None), world(), "num_1")
    only = ready((Filter(key="caller_number", op="exists"),))
    assert mismatch(only, found, {}) is not None
    assert found["caller_anonymous"] == "true"


@pytest.mark.parametrize(
    "wrong",
    [
        {"op": "=="},
        {"op": "exists", "value": "x"},
        {"op": "in", "value": "x"},
        {"op": "in", "values": []},
        {"op": "==", "value": "x", "values": ["y"]},
        {"op": "regex", "value": "("},
        {"op": "regex", "value": "(?=a)"},
        {"op": "regex", "value": r"(a)\1"},
        {"op": "regex", "value": "a{1000}{1000}"},
        {"op": "regex", "value": "a" * 501},
        {"op": "regex", "value": 5},
        {"op": "like", "value": "x"},
        {"op": "<", "value": 10**400},
        {"op": "<", "value": -(10**19)},
        {"op": "==", "value": float("inf")},
        {"op": "!=", "value": float("nan")},
    ],
)
def test_a_filter_that_says_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate({"key": "channel", **wrong})


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$b", "(.*a.*){20}b", "(a?){50}a{50}b"])
def test_no_pattern_holds_the_loop(pattern: str) -> None:
    """Each of these takes a backtracking matcher longer than anybody waits."""
    began = time.process_time()
    condition = ready((Filter(key="k", op="regex", value=pattern),))
    assert mismatch(condition, {}, {"k": "a" * 1000}) is not None
    assert time.process_time() - began < 1


def wants(value: str) -> tuple[Filter, ...]:
    return (Filter(key="channel", op="==", value=value),)


def chosen(snapshot: Snapshot) -> dict[str, str]:
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    made = choose(proceed, facts(), snapshot, Taken(), NOON, draws(0.0, 0.0, 0.0))
    return {line.target_id: line.reason for line in made.lines}


def test_targets_and_places_in_a_route_filter_calls() -> None:
    plan = campaign(
        RouteTarget(target_id="a"),
        RouteTarget(target_id="b"),
        RouteTarget(target_id="c", filters=wants("radio")),
        RouteTarget(group_id="grp_1", filters=wants("TV")),
    )
    targets = [
        target("a", filters=wants("TV")),
        target("b", filters=wants("radio")),
        target("c"),
        target("d"),
    ]
    snapshot = world(number(tags=TAGS), plan, targets, groups=[group({"target_id": "d"})])  # type: ignore[arg-type]
    assert chosen(snapshot) == {
        "a": "not_reached",
        "b": "tag_mismatch",
        "c": "tag_mismatch",
        "d": "not_reached",
    }


def test_the_recheck_before_a_dial_does_not_ask_again() -> None:
    snapshot = world(targets=[target("a", filters=wants("radio"))])
    assert not isinstance(recheck(Candidate("a", 1, 1.0), facts(), snapshot, Taken(), NOON), Skip)
