"""Caps: the window of a call's arrival in its owner's zone, and the slots that it wants."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from edge.model.action import Action
from edge.model.cap import Cap
from edge.model.decision import CapClaim
from edge.routing.caps import cap_rules, claims, first_full, on_cap, zone_missing, zone_of
from tests.routing.world import NEW_YORK, Taken, office

DAY = Cap(id="cap_d", window="day", limit=2)
LINE = Cap(id="cap_c", window="concurrency", limit=3)


@pytest.mark.parametrize(
    ("zone", "arrival", "window"),
    [
        (NEW_YORK, "2026-11-21T04:59:59Z", "2026-11-20"),  # one second before New York's midnight
        (NEW_YORK, "2026-11-21T05:00:00Z", "2026-11-21"),
        (NEW_YORK, "2026-11-02T04:59:59Z", "2026-11-01"),  # the end of a day of 25 hours
        (NEW_YORK, "2026-03-09T03:59:59Z", "2026-03-08"),  # the end of a day of 23 hours
        (NEW_YORK, "2026-03-09T04:00:00Z", "2026-03-09"),
        (ZoneInfo("Asia/Kolkata"), "2026-11-20T18:30:00Z", "2026-11-21"),
    ],
)
def test_a_day_is_the_local_date_of_the_arrival(zone: ZoneInfo, arrival: str, window: str) -> None:
    (claim,) = claims(cap_rules("num_1", (DAY,)), zone, datetime.fromisoformat(arrival))
    assert claim == CapClaim("cap_d", "num_1", window, 2, "connect")


def test_concurrency_has_no_window_and_is_held_whatever_it_counts_on() -> None:
    (claim,) = claims(cap_rules("tgt_1", (LINE,)), UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert (claim.window, claim.counts_on) == ("", "concurrency")


def test_max_calls_is_a_concurrency_cap_of_the_target() -> None:
    (claim,) = claims(cap_rules("tgt_1", (), 7), UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert claim == CapClaim("max_calls:tgt_1", "tgt_1", "", 7, "concurrency")


def test_unlimited_claims_nothing_and_zero_accepts_none() -> None:
    rules = cap_rules("tgt_1", (Cap(id="a", window="day", limit=None), Cap(id="b", window="day", limit=0)))
    wanted = claims(rules, UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert [claim.cap_id for claim in wanted] == ["b"]
    assert first_full(wanted, Taken()) == wanted[0]


@pytest.mark.parametrize(("taken", "full"), [(1, False), (2, True), (3, True)])
def test_a_cap_is_full_at_its_limit_and_above(taken: int, full: bool) -> None:
    wanted = claims(cap_rules("n", (DAY,)), UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert (first_full(wanted, Taken(cap_d=taken)) is not None) is full


def test_the_owners_own_zone_comes_before_that_of_its_hours() -> None:
    assert zone_of("Europe/Berlin", office()) == "Europe/Berlin"
    assert zone_of(None, office()) == "America/New_York"
    assert zone_of(None, None) is None


def test_only_calendar_windows_need_a_zone() -> None:
    assert zone_missing((DAY,), None, None)
    assert not zone_missing((DAY,), None, "UTC")
    assert not zone_missing((LINE,), None)


def test_each_cap_may_name_its_own_action() -> None:
    refuse = Action(action="reject")
    rules = cap_rules("n", (DAY, LINE.model_copy(update={"on_cap": refuse})))
    assert on_cap(rules, "cap_c") == refuse
    assert on_cap(rules, "cap_d") is None
