"""Caps: the window of a call's arrival in its owner's zone, and the slots that it wants."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

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
    assert claim == CapClaim("cap_d", "num_1", window, 2, "connect", warning=2)


def test_concurrency_has_no_window_and_is_held_whatever_it_counts_on() -> None:
    (claim,) = claims(cap_rules("tgt_1", (LINE,)), UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert (claim.window, claim.counts_on) == ("", "concurrency")


def test_max_calls_is_a_concurrency_cap_of_the_target() -> None:
    (claim,) = claims(cap_rules("tgt_1", (), 7), UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert claim == CapClaim("max_calls:tgt_1", "tgt_1", "", 7, "concurrency")


def test_unlimited_is_counted_and_never_full_and_zero_accepts_none() -> None:
    rules = cap_rules("tgt_1", (Cap(id="a", window="day", limit=None), Cap(id="b", window="day", limit=0)))
    wanted = claims(rules, UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert [(claim.cap_id, claim.window, claim.warning) for claim in wanted] == [
        ("a", "2026-11-20", 0),
        ("b", "2026-11-20", 0),
    ]
    assert first_full(wanted, Taken(a=1_000_000_000)) == wanted[1]


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


AT_NINE = {"window": "block", "from": "09:00", "to": "10:00"}


def window(cap: dict[str, object], arrival: str, zone: ZoneInfo = NEW_YORK) -> str | None:
    """The window that a call falls into, None when the cap is not for it."""
    rules = cap_rules("num_1", (Cap.model_validate({"id": "c", "limit": 1, **cap}),))
    found = claims(rules, zone, datetime.fromisoformat(arrival))
    return found[0].window if found else None


@pytest.mark.parametrize(
    ("cap", "arrival", "expected"),
    [
        (AT_NINE, "2026-11-20T13:59:59Z", None),
        (AT_NINE, "2026-11-20T14:00:00Z", "2026-11-20T09:00"),
        (AT_NINE, "2026-11-20T14:59:59Z", "2026-11-20T09:00"),  # K2: answered later, counted here
        (AT_NINE, "2026-11-20T15:00:00Z", None),
        ({**AT_NINE, "days": ["sat"]}, "2026-11-20T14:30:00Z", None),  # a Friday
        ({**AT_NINE, "days": ["sat"]}, "2026-11-21T14:30:00Z", "2026-11-21T09:00"),
        ({**AT_NINE, "window": "concurrency"}, "2026-11-20T14:30:00Z", ""),
        ({**AT_NINE, "window": "concurrency"}, "2026-11-20T15:30:00Z", None),
        ({"window": "block", "from": "00:00", "to": "24:00"}, "2026-11-21T04:59:59Z", "2026-11-20T00:00"),
        # The hour that comes twice, on 1 November 2026, is one block and one hour.
        ({"window": "block", "from": "01:00", "to": "02:00"}, "2026-11-01T05:30:00Z", "2026-11-01T01:00"),
        ({"window": "block", "from": "01:00", "to": "02:00"}, "2026-11-01T06:30:00Z", "2026-11-01T01:00"),
        ({"window": "hour"}, "2026-11-01T05:30:00Z", "2026-11-01T01"),
        ({"window": "hour"}, "2026-11-01T06:30:00Z", "2026-11-01T01"),
        ({"window": "hour"}, "2026-11-01T07:00:00Z", "2026-11-01T02"),
        ({"window": "month"}, "2026-12-01T04:59:59Z", "2026-11"),
        ({"window": "month"}, "2026-12-01T05:00:00Z", "2026-12"),
        ({"window": "lifetime"}, "2026-12-01T05:00:00Z", "lifetime"),
    ],
)
def test_the_window_of_each_kind(cap: dict[str, object], arrival: str, expected: str | None) -> None:
    assert window(cap, arrival) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "block"},
        {"window": "block", "from": "09:00"},
        {"window": "block", "from": "10:00", "to": "09:00"},
        {"window": "day", "from": "09:00", "to": "10:00"},
        {"window": "hour", "days": ["mon"]},
        {"window": "day", "counts_on": "convert", "strict": True},
        {"window": "concurrency", "counts_on": "convert"},
        {"window": "concurrency", "strict": False},
    ],
)
def test_a_cap_that_can_not_be_counted_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Cap.model_validate({"limit": 1, **wrong})


@pytest.mark.parametrize(
    ("cap", "strict"),
    [
        ({}, True),
        ({"counts_on": "attempt"}, True),
        ({"counts_on": "convert"}, False),
        ({"strict": False}, False),
    ],
)
def test_slots_are_reserved_but_for_conversions(cap: dict[str, object], strict: bool) -> None:
    rules = cap_rules("n", (Cap.model_validate({"window": "day", "limit": 9, **cap}),))
    (claim,) = claims(rules, UTC, datetime(2026, 11, 20, tzinfo=UTC))
    assert (claim.strict, claim.warning) == (strict, 8)


def test_a_lifetime_needs_no_zone_and_concurrency_by_the_hour_does() -> None:
    assert not zone_missing((Cap(window="lifetime", limit=1),), None)
    assert zone_missing((Cap.model_validate({"limit": 1, **AT_NINE, "window": "concurrency"}),), None)
