"""Decisions that are remembered by the snapshot: the same as worked out anew, and only where they hold."""

from typing import Any

import pytest

from edge.model.block import Block
from edge.model.callers import Duplicates
from edge.model.cap import Cap
from edge.model.decision import Candidate, Choice, Proceed, Refuse
from edge.model.publishers import Publisher
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.remembered import MOST, Remembered
from edge.routing.snapshot import Snapshot
from tests.routing.world import (
    NIGHT,
    NOON,
    STAMP,
    Taken,
    buyer,
    campaign,
    draws,
    facts,
    number,
    office,
    route,
    target,
    trunk,
    world,
)

FULL = Cap(id="cap_1", window="lifetime", limit=1)


def lone(**fields: Any) -> Snapshot:
    return world(None, campaign(route("a")), [target("a", **fields)], buyers=[buyer()])


def chosen(snapshot: Snapshot, counts: Taken | None = None, **more: Any) -> Choice:
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    return choose(proceed, facts(), snapshot, counts or Taken(), more.pop("now", NOON), draws(), **more)


def test_a_second_call_to_a_plain_number_is_decided_like_the_first() -> None:
    snapshot = lone()
    first = admit(facts(), snapshot, Taken())
    assert admit(facts(NIGHT, caller=None), snapshot, Taken()) is first
    assert admit(facts(), lone(), Taken()) == first
    assert chosen(snapshot) is chosen(snapshot)
    assert chosen(snapshot).candidates == (Candidate("a", 1, 1.0),)


def test_a_block_is_judged_at_every_call() -> None:
    snapshot = lone().with_changes([Block(id="blk_1", pattern="+1312*", campaign_id="cmp_1", **STAMP)])
    for _ in range(2):
        assert isinstance(admit(facts(caller="+17735550100"), snapshot, Taken()), Proceed)
        assert isinstance(admit(facts(), snapshot, Taken()), Refuse)


def test_an_edit_forgets() -> None:
    snapshot = lone()
    assert isinstance(admit(facts(), snapshot, Taken()), Proceed)
    assert chosen(snapshot).candidates
    edited = snapshot.with_changes([target("a", state="paused")])
    assert [line.reason for line in chosen(edited).lines] == ["paused"]
    paused = edited.with_changes([campaign(route("a"), state="paused")])
    assert isinstance(admit(facts(), paused, Taken()), Refuse)


@pytest.mark.parametrize(
    "snapshot",
    [
        world(number(caps=(FULL,), timezone="UTC")),
        world(the_campaign=campaign(caps=(FULL,), timezone="UTC")),
        world(
            number(publisher_id="pub_1"),
            publishers=[Publisher(id="pub_1", name="P", timezone="UTC", caps=(FULL,), **STAMP)],
        ),
        world(number(hours=office())),
        world(the_campaign=campaign(hours=office())),
        world(number(active_until=NIGHT)),
        world(the_campaign=campaign(active_until=NIGHT)),
    ],
)
def test_what_depends_on_time_or_counts_is_judged_at_every_call(snapshot: Snapshot) -> None:
    assert isinstance(admit(facts(), snapshot, Taken()), Proceed)
    assert not isinstance(admit(facts(NIGHT), snapshot, Taken(cap_1=1)), Proceed)


def test_another_trunk_has_another_default_number() -> None:
    plain = world(trunks=[trunk(default_number_id="num_1"), trunk(id="trk_2")])
    unknown = "+18005550199"
    assert isinstance(admit(facts(called=unknown), plain, Taken()), Proceed)
    assert isinstance(admit(facts(called=unknown, trunk_id="trk_2"), plain, Taken()), Refuse)


def test_a_target_that_goes_down_is_passed_over_and_comes_back() -> None:
    snapshot = lone()
    assert not chosen(snapshot, down={"a"}).candidates
    assert chosen(snapshot).candidates
    assert [line.reason for line in chosen(snapshot, down={"a"}).lines] == ["down"]
    assert chosen(snapshot).candidates


@pytest.mark.parametrize(
    ("fields", "counts", "reason"),
    [
        ({"hours": office()}, {}, "closed"),
        ({"caps": (FULL,), "timezone": "UTC"}, {"cap_1": 1}, "capped"),
        ({"max_calls": 1}, {"max_calls:a": 1}, "capped"),
    ],
)
def test_a_target_that_asks_for_something_is_judged_at_every_call(
    fields: dict[str, Any], counts: dict[str, int], reason: str
) -> None:
    snapshot = lone(**fields)
    assert chosen(snapshot).candidates
    assert [line.reason for line in chosen(snapshot, Taken(**counts), now=NIGHT).lines] == [reason]


def test_nothing_is_remembered_of_a_target_that_asks_for_the_past_or_has_a_buyer() -> None:
    for fields in ({"duplicates": Duplicates()}, {"buyer_id": "buy_1"}):
        snapshot = lone(**fields)
        assert chosen(snapshot) is not chosen(snapshot)


def test_chance_is_drawn_for_every_call() -> None:
    snapshot = world(None, campaign(route("a"), route("b")), [target("a"), target("b")])
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    firsts = [
        choose(proceed, facts(), snapshot, Taken(), NOON, draws(point)).candidates[0].target_id
        for point in (0.1, 0.9)
    ]
    assert firsts == ["a", "b"]


def test_memory_is_bounded() -> None:
    found: Remembered[int, int] = Remembered()
    for key in range(3 * MOST):
        assert found.keep(key, -key) == -key
        assert len(found) <= MOST
    assert found.get(3 * MOST - 1) == 1 - 3 * MOST
