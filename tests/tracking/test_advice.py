"""How large a pool should be: what its visits, and the calls on its numbers, would have come to."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge.store.engine import Database
from edge.store.impressions import Impressions
from edge.tracking.advice import Visited, advise, replay, stays_of
from tests.tracking.pool_world import START, PoolWorld

H = 360


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def visit(first: float, call_over: float | None = None, busy_until: float | None = None) -> Visited:
    over, busy = (None if each is None else at(each) for each in (call_over, busy_until))
    return Visited(at(first), at(first), over, busy)


@pytest.mark.parametrize(
    ("first", "after_call_s", "misses"),
    [
        (visit(0), 0, 1),
        (visit(0, 80, 80), 0, 0),
        (visit(0, 80, 80), 5, 0),
        (visit(0, 80, 80), 11, 1),
        (visit(0, 80, 80), None, 1),
        (visit(0, None, 80), 0, 1),
        (visit(0, 80, 100), 0, 1),
    ],
    ids=[
        "no call", "its call is over", "after a pause", "the pause is not over", "lease_only",
        "nobody answered", "another call lives",
    ],
)  # fmt: skip
def test_a_call_that_is_over_frees_its_number_before_a_miss(
    first: Visited, after_call_s: int | None, misses: int
) -> None:
    """One number; the second visitor comes at 90 s, within H of the first."""
    assert replay(stays_of([first, visit(90)], H, after_call_s), 1) == misses


def test_a_live_call_keeps_its_number_beyond_the_lease() -> None:
    talks = visit(0, 1_000, 1_000)
    assert replay(stays_of([talks, visit(999)], H, 0), 1) == 1
    assert replay(stays_of([talks, visit(1_000)], H, 0), 1) == 0
    advice = advise(stays_of([talks, visit(500), visit(600)], H, 0), 1, 1.0)
    assert (advice.misses, advice.size, advice.peak) == (2, 3, 3)


async def test_the_calls_of_visits_are_found_with_them(path: Path) -> None:
    pool = PoolWorld(path, 3)
    answered, abandoned = pool.visit("answered", 0), pool.visit("abandoned", 5)
    for call_id, given, until in (("c1", answered, 30), ("c2", abandoned, 50)):
        pool.call(until - 10, given.member.number_id, call_id)
        record = {"pool_id": "pool", "impression_id": given.impression_id}
        pool.hang_up(call_id, until, answered=call_id == "c1", record=record)
    pool.visit("silent", 60)
    async with Database(path) as database:
        found = await Impressions(database).arrivals("pool", "2000", 10)
    over, given_up = (f"2026-11-22T10:00:{s}.000Z" for s in (30, 50))
    assert [each[2:] for each in found] == [(over, over), (None, given_up), (None, None)]
