"""The limits of outbound trunks: destinations, calls at once and a second, minutes a day."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.calls.dialplan import Line
from edge.calls.leg import Leg
from edge.calls.outbound import OutboundLoad, Passage, number_of, wrong_destination
from edge.clock import Clock
from edge.model.sip import SipSettings
from edge.model.trunk import OutboundLimits
from tests.routing.world import trunk

US, LONDON = "+13125550100", "+442071838750"


class Now:
    """Both clocks, set by hand."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.passed_s = 1000.0

    def utc(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.passed_s

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.passed_s += seconds


def started(at: datetime | None = None) -> tuple[Now, OutboundLoad]:
    now = Now(at or datetime(2026, 11, 28, 12, tzinfo=UTC))
    return now, OutboundLoad(cast(Clock, now))


def take(load: OutboundLoad, **limits: Any) -> Passage | str:
    return load.take(trunk(), OutboundLimits(**limits), US)


def taken(load: OutboundLoad, **limits: Any) -> Passage:
    found = take(load, **limits)
    assert isinstance(found, Passage)
    return found


def answered(passage: Passage) -> None:
    passage.settle(cast(Leg, SimpleNamespace()))


@pytest.mark.parametrize(
    ("destinations", "number", "why"),
    [
        (None, LONDON, None),
        (None, None, None),
        (("US", "CA"), US, None),
        (("US", "CA"), LONDON, "GB is not"),
        (("US", "+4420"), LONDON, None),
        (("US", "+4421"), LONDON, "GB is not"),
        (("US",), "+14165550100", "CA is not"),
        (("US",), "+999123456", "its country is not"),
        (("US",), None, "only telephone numbers"),
        ((), US, "US is not"),
    ],
)
def test_destinations(destinations: tuple[str, ...] | None, number: str | None, why: str | None) -> None:
    said = wrong_destination(OutboundLimits(destinations=destinations), number)
    assert (said is None) if why is None else (said is not None and said.startswith(why))


def test_the_number_that_a_line_dials() -> None:
    for user, sip in (
        ("9%231312555010", {}),
        ("77%2313125550100", {"tech_prefix": "77#", "number_format": "e164"}),
    ):
        found = number_of(Line(f"sip:{user}@h", "sip:h", SipSettings(**sip), None))  # type: ignore[arg-type]
        assert found == (US if sip else None)


def test_calls_at_once_are_given_back_however_they_end() -> None:
    _, load = started()
    first, second = taken(load, max_calls=2), taken(load, max_calls=2)
    assert take(load, max_calls=2) == "2 calls at once"
    first.settle(None)
    first.end()
    third = taken(load, max_calls=2)
    answered(second)
    second.end()
    second.end()
    third.end()
    assert load.used("trk_1")[0] == 0


def test_minutes_of_a_call_that_was_answered_and_not_accepted_count_too() -> None:
    now, load = started()
    call = taken(load, max_minutes_per_day=10)
    call.answered()
    now.pass_s(60)
    assert load.used("trk_1") == (1, 1.0)
    call.settle(None)
    now.pass_s(60)
    assert load.used("trk_1") == (0, 1.0)


def test_calls_a_second() -> None:
    now, load = started()
    for _ in range(2):
        taken(load, max_cps=2)
    assert take(load, max_cps=2) == "2 calls a second"
    now.pass_s(0.5)
    taken(load, max_cps=2)


def test_minutes_a_day_count_live_calls_too() -> None:
    now, load = started()
    first = taken(load, max_minutes_per_day=10)
    now.pass_s(60)  # it rings
    answered(first)
    now.pass_s(300)
    assert load.used("trk_1") == (1, 5.0)
    second = taken(load, max_minutes_per_day=10)
    answered(second)
    now.pass_s(150)
    first.end()
    assert take(load, max_minutes_per_day=10) == "10 minutes a day"
    second.end()
    assert load.days == {now.at.date(): {"trk_1": 600.0}}


def test_a_new_day_begins_with_nothing_but_what_goes_on() -> None:
    now, load = started(datetime(2026, 11, 28, 23, 50, tzinfo=UTC))
    over_midnight = taken(load, max_minutes_per_day=15)
    answered(over_midnight)
    now.pass_s(20 * 60)
    assert load.used("trk_1") == (1, 10.0)
    taken(load, max_minutes_per_day=15)
    now.pass_s(5 * 60)
    assert take(load, max_minutes_per_day=15) == "15 minutes a day"
    over_midnight.end()
    assert load.days[now.at.date()] == {"trk_1": 900.0}


def test_a_clock_that_was_days_ahead_leaves_no_day_without_end() -> None:
    now, load = started()
    now.at += timedelta(days=3)
    answered(first := taken(load, max_minutes_per_day=10))
    now.at -= timedelta(days=3)
    now.pass_s(600)
    assert take(load, max_minutes_per_day=10) == "10 minutes a day"
    first.end()
    now.pass_s(86_400)
    assert load.used("trk_1") == (0, 0.0)
    assert load.day == now.at.date(), "a restart goes on with it"


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(days=-2), timedelta(days=2)])
def test_a_clock_that_is_set_lengthens_and_shortens_no_call(by: timedelta) -> None:
    """Over midnight too, and whatever came before the latest one that is connected."""
    now, load = started(datetime(2026, 11, 28, 0, 10, tzinfo=UTC))
    first, second = taken(load), taken(load)
    answered(first)
    now.pass_s(300)
    answered(second)
    now.at += by
    forwards = by > timedelta()
    assert load.used("trk_1") == (2, 0.0 if forwards else 5.0)
    now.pass_s(300)
    assert load.used("trk_1") == (2, 10.0 if forwards else 15.0)
    first.end()
    second.end()
    assert load.used("trk_1") == (0, 10.0 if forwards else 15.0)
    answered(taken(load))
    now.pass_s(86_400)
    comes_again = now.at.date() == datetime(2026, 11, 28, tzinfo=UTC).date()
    today = (now.at - now.at.replace(hour=0, minute=0)).total_seconds() / 60
    assert load.used("trk_1")[1] == today + (5.0 if comes_again else 0.0)


@pytest.mark.parametrize("live", [False, True], ids=["calls that are over", "a call that goes on"])
@pytest.mark.parametrize("by", [5, 1, -1, -30])
def test_a_clock_that_was_days_off_finds_what_was_used_of_the_day(by: int, *, live: bool) -> None:
    """Over restarts, too.  What is used meanwhile counts today as well, if the clock was ahead."""
    now, load = started()
    answered(first := taken(load))
    now.pass_s(300)
    if not live:
        first.end()
    now.at += timedelta(days=by)
    assert load.used("trk_1") == (live, 5.0 if live or by < 0 else 0.0)
    answered(second := taken(load))
    now.pass_s(60)
    second.end()
    if not live:
        load = again(now, load)
    now.at -= timedelta(days=by)
    assert load.used("trk_1") == (live, 5.0 + (by > 0) + live)


def test_what_a_clock_that_was_ahead_left_for_a_day_to_come_counts_once() -> None:
    now, load = started()
    now.at += timedelta(days=3)
    answered(call := taken(load))
    now.pass_s(300)
    call.end()
    now.at -= timedelta(days=3)
    assert load.used("trk_1") == (0, 5.0)
    for _ in range(4):
        now.pass_s(86_400)
        assert load.used("trk_1") == (0, 0.0)


def test_no_more_than_a_week_of_days_is_held() -> None:
    now, load = started()
    for days in (1, 1, 1, 1, 1, 1, 1, 1, 30, -90, -1, -1, -1, -1, -1, -1, -1, -1):
        now.at += timedelta(days=days)
        answered(call := taken(load))
        now.pass_s(60)
        call.end()
        assert len(load.days) <= 8


def again(now: Now, load: OutboundLoad) -> OutboundLoad:
    """After a restart."""
    kept = OutboundLoad(cast(Clock, now))
    kept.restore(load.day, {day: dict(seconds) for day, seconds in load.days.items()})
    return kept


def test_what_was_used_today_survives_a_restart() -> None:
    now, load = started()
    today = now.at.date()
    load.restore(today, {today: {"trk_1": 600.0}, today - timedelta(days=1): {"trk_1": 9000.0}})
    assert take(load, max_minutes_per_day=10) == "10 minutes a day"
    _, load = started()
    load.restore(today - timedelta(days=1), {today - timedelta(days=1): {"trk_1": 9000.0}})
    assert load.used("trk_1") == (0, 0.0)
