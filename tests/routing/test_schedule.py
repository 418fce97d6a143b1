"""Business hours: the table of the rules, the corners of the clock, and a slow model beside it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.model.calendars import HolidayCalendar
from edge.model.config import Holiday, Hours
from edge.model.types import WEEKDAYS
from edge.routing.schedule import Schedule
from tests.routing.world import NEW_YORK, NOON, OFFICE, STAMP, WEEK, number, office, world


def schedule(weekly: dict[str, Any], zone: str = "America/New_York", **more: Any) -> Schedule:
    return Schedule(Hours.model_validate({"timezone": zone, "weekly": weekly, **more}))


def ny(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("weekly", "at", "is_open"),
    [
        (OFFICE, "2026-11-20 16:59:59", True),  # Friday, the last second
        (OFFICE, "2026-11-20 17:00:00", False),
        (OFFICE, "2026-11-20 09:00:00", True),
        (OFFICE, "2026-11-20 08:59:59", False),
        (OFFICE, "2026-11-21 12:00:00", False),  # Saturday has no blocks
        ({"fri": [("22:00", "02:00")]}, "2026-11-21 01:59:59", True),
        ({"fri": [("22:00", "02:00")]}, "2026-11-21 02:00:00", False),
        ({"fri": [("22:00", "02:00")]}, "2026-11-20 01:00:00", False),  # no tail of Thursday
        ({"sun": [("22:00", "02:00")]}, "2026-11-23 01:00:00", True),  # the week is a circle
        ({"fri": [("09:00", "12:00"), ("13:00", "24:00")]}, "2026-11-20 12:30:00", False),
        ({"fri": [("09:00", "12:00"), ("13:00", "24:00")]}, "2026-11-20 23:59:59", True),
        ({"fri": [("09:00", "12:00"), ("13:00", "24:00")]}, "2026-11-21 00:00:00", False),
    ],
)
def test_blocks_are_half_open_wall_time(weekly: dict[str, Any], at: str, is_open: bool) -> None:
    assert schedule(weekly).is_open(ny(at)) is is_open


def test_a_skipped_hour_never_opens() -> None:
    plan = schedule({"sun": [("02:00", "03:00")]})
    start = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)
    assert not any(plan.is_open(start + timedelta(minutes=m)) for m in range(24 * 60))


def test_a_repeated_hour_is_open_both_times() -> None:
    plan = schedule({"sun": [("01:00", "02:00")]})
    start = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    assert sum(plan.is_open(start + timedelta(minutes=m)) for m in range(24 * 60)) == 120


EVE = {"fri": [("22:00", "02:00")], "sat": [("10:00", "12:00"), ("23:00", "01:00")]}


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-20 23:59:59", True),  # the eve's block still starts
        ("2026-11-21 00:00:00", False),  # and stops at midnight
        ("2026-11-21 11:00:00", False),  # the weekly plan does not hold
        ("2026-11-21 23:30:00", False),
        ("2026-11-22 00:30:00", False),  # nor the tail of a block that did not occur
        ("2026-11-28 00:30:00", True),  # a week later everything is as ever
    ],
)
def test_a_holiday_closes_its_whole_local_date(at: str, is_open: bool) -> None:
    plan = schedule(EVE, holidays=[{"date": "2026-11-21"}])
    assert plan.is_open(ny(at)) is is_open


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-21 00:30:00", False),  # the eve's tail is cut even on a half day
        ("2026-11-21 10:30:00", True),
        ("2026-11-21 11:30:00", False),
        ("2026-11-21 21:30:00", True),
        ("2026-11-22 00:59:00", True),  # its own block may run past midnight
        ("2026-11-22 01:00:00", False),
    ],
)
def test_a_holiday_may_have_hours_of_its_own(at: str, is_open: bool) -> None:
    own = [("10:00", "11:00"), ("21:00", "01:00")]
    plan = schedule(EVE, holidays=[{"date": "2026-11-21", "open": own}])
    assert plan.is_open(ny(at)) is is_open


def test_a_yearly_holiday_comes_again_unless_that_year_has_its_own() -> None:
    plan = schedule(
        {day: [("00:00", "24:00")] for day in WEEK},
        holidays=[
            {"date": "2025-12-25", "yearly": True},
            {"date": "2027-12-25", "open": [("10:00", "12:00")]},
        ],
    )
    assert not plan.is_open(ny("2026-12-25 11:00"))
    assert plan.is_open(ny("2027-12-25 11:00"))
    assert not plan.is_open(ny("2027-12-25 13:00"))
    assert not plan.is_open(ny("2030-12-25 11:00"))


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        ({"weekly": OFFICE}, "timezone"),
        ({"timezone": "EST5", "weekly": OFFICE}, "timezone"),
        ({"timezone": "America/New_Yrok"}, "timezone"),
        ({"timezone": "UTC", "weekly": {"mon": [("09:00", "09:00")]}}, "weekly.mon"),
        ({"timezone": "UTC", "weekly": {"mon": [("09:00", "12:00"), ("11:00", "13:00")]}}, "weekly.mon"),
        ({"timezone": "UTC", "weekly": {"mon": [("09:00", "25:00")]}}, "weekly"),
        ({"timezone": "UTC", "holidays": [{"date": "2026-12-25"}, {"date": "2026-12-25"}]}, "holidays"),
    ],
)
def test_impossible_hours_are_refused_by_the_name_of_the_field(hours: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Hours.model_validate(hours)


@pytest.mark.parametrize(
    ("weekly", "at", "change"),
    [
        (OFFICE, "2026-11-20 12:00", "2026-11-20 17:00"),
        (OFFICE, "2026-11-20 17:00", "2026-11-23 09:00"),
        ({"fri": [("22:00", "24:00")], "sat": [("00:00", "02:00")]}, "2026-11-20 23:00", "2026-11-21 02:00"),
        ({"sun": [("02:30", "05:00")]}, "2026-03-08 01:00", "2026-03-08 03:00"),  # the clocks jump over 02:30
        ({"wed": [("10:00", "11:00")]}, "2026-11-18 11:00", "2026-11-25 10:00"),
    ],
)
def test_next_change_names_the_instant(weekly: dict[str, Any], at: str, change: str) -> None:
    assert schedule(weekly).next_change(ny(at)) == ny(change)


def test_a_block_that_ends_in_the_repeated_hour_closes_twice() -> None:
    plan = schedule({"sun": [("00:00", "01:30")]})
    first = plan.next_change(ny("2026-11-01 00:10"))
    assert first == ny("2026-11-01 01:30", fold=0)
    again = plan.next_change(first)
    assert again == datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
    assert plan.next_change(again) == ny("2026-11-01 01:30", fold=1)


def test_next_change_sees_the_midnight_of_a_holiday() -> None:
    plan = schedule({"fri": [("22:00", "02:00")]}, holidays=[{"date": "2026-11-21"}])
    assert plan.next_change(ny("2026-11-20 23:00")) == ny("2026-11-21 00:00")


def test_next_change_looks_as_far_as_a_listed_date() -> None:
    plan = schedule({}, holidays=[{"date": "2031-05-04", "open": [("10:00", "11:00")]}])
    assert plan.next_change(ny("2026-11-20 12:00")) == ny("2031-05-04 10:00")
    assert plan.next_change(ny("2031-05-04 11:00")) is None


def test_next_change_finds_a_leap_day() -> None:
    plan = schedule({}, holidays=[{"date": "2024-02-29", "yearly": True, "open": [("10:00", "11:00")]}])
    assert plan.next_change(ny("2026-11-20 12:00")) == ny("2028-02-29 10:00")


def test_always_open_never_changes() -> None:
    assert schedule({day: [("00:00", "24:00")] for day in WEEK}).next_change(ny("2026-11-20 12:00")) is None


def test_the_reason_names_the_local_time_and_the_holiday() -> None:
    plan = schedule(OFFICE, holidays=[{"date": "2026-12-25", "name": "Christmas Day"}])
    said = plan.judge(ny("2026-12-25 12:00")).reason
    assert "fri 2026-12-25 12:00 America/New_York" in said
    assert "Christmas Day" in said


# -- beside a slow and obvious model -------------------------------------------------------------------


def slow_is_open(hours: Hours, instant: datetime) -> bool:
    """Writes down every open minute of yesterday and today as (date, minute), then looks it up."""
    local = instant.astimezone(ZoneInfo(str(hours.timezone)))
    listed = {h.date: h for h in hours.holidays}

    def holiday(day: date) -> Holiday | None:
        if day in listed:
            return listed[day]
        same = [h for h in hours.holidays if h.yearly and (h.date.month, h.date.day) == (day.month, day.day)]
        return same[-1] if same else None

    open_minutes = set()
    for day in (local.date() - timedelta(days=1), local.date()):
        own = holiday(day)
        for start, end in own.open if own else hours.weekly.get(WEEKDAYS[day.weekday()], ()):
            a = int(start[:2]) * 60 + int(start[3:])
            b = int(end[:2]) * 60 + int(end[3:])
            for minute in range(a, b if b > a else b + 1440):
                at = day + timedelta(days=minute // 1440)
                if at == day or holiday(at) is None:
                    open_minutes.add((at, minute % 1440))
    return (local.date(), local.hour * 60 + local.minute) in open_minutes


WALLS = st.integers(0, 95).map(lambda q: f"{q // 4:02}:{q % 4 * 15:02}")


@st.composite
def blocks(draw: st.DrawFn) -> list[tuple[str, str]]:
    walls = sorted(draw(st.lists(WALLS, max_size=4, unique=True)))
    pairs = list(zip(walls[::2], walls[1::2], strict=False))
    if pairs and draw(st.booleans()):
        pairs[-1] = (pairs[-1][0], draw(st.sampled_from(["24:00", "00:00", min(walls)])))
        pairs = pairs if pairs[-1][0] != pairs[-1][1] else []
    return pairs


ZONES = st.sampled_from(
    ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata", "UTC"]
)
# Days around the turns of the clock in those zones, and around a new year.
STARTS = st.sampled_from(
    [
        datetime(2026, m, d, tzinfo=UTC)
        for m, d in ((3, 7), (3, 28), (4, 4), (9, 5), (10, 3), (10, 31), (12, 30))
    ]
)


@st.composite
def hours_near(draw: st.DrawFn) -> tuple[Hours, datetime]:
    start = draw(STARTS)
    weekly = {day: draw(blocks()) for day in WEEK}
    dates = draw(st.lists(st.integers(-1, 4), unique=True, max_size=2))
    holidays = [
        {"date": (start + timedelta(days=n)).date(), "yearly": draw(st.booleans()), "open": draw(blocks())}
        for n in dates
    ]
    hours = Hours.model_validate({"timezone": draw(ZONES), "weekly": weekly, "holidays": holidays})
    return hours, start


@settings(max_examples=60)
@given(hours_near())
def test_the_schedule_agrees_with_a_minute_by_minute_model(made: tuple[Hours, datetime]) -> None:
    hours, start = made
    plan = Schedule(hours)
    for quarter in range(0, 3 * 96):
        at = start + timedelta(minutes=15 * quarter + quarter % 2)
        assert plan.is_open(at) is slow_is_open(hours, at), at


@settings(max_examples=40)
@given(hours_near())
def test_next_change_is_the_first_minute_that_differs(made: tuple[Hours, datetime]) -> None:
    hours, start = made
    plan = Schedule(hours)
    state = plan.is_open(start)
    change = plan.next_change(start)
    steps = (start + timedelta(minutes=15 * q) for q in range(1, 4 * 96))
    first = next((at for at in steps if plan.is_open(at) != state), None)
    if first is None:
        assert change is None or change > start + timedelta(days=3, hours=23)
    else:
        assert change == first
    for hours_on in (1, 30, -1, 0):
        at = start + timedelta(hours=hours_on)
        assert plan.next_change(at) == Schedule(hours).next_change(at), "whatever was asked before"


def test_that_nothing_changes_is_looked_for_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every visitor of a page asks, under a calendar too."""
    looked: list[datetime] = []
    look = Schedule._looked_for

    def counted(self: Schedule, now: datetime) -> datetime | None:
        looked.append(now)
        return look(self, now)

    monkeypatch.setattr(Schedule, "_looked_for", counted)
    mine = number(hours=office(weekly={}, holiday_calendar_id="cal_1"))
    snapshot = world(mine, kept=[HolidayCalendar(id="cal_1", name="US", **STAMP)])
    for seconds in (0, 1, 86_399, 86_400):
        schedule = snapshot.schedule(mine.id)
        assert schedule is not None and schedule.next_change(NOON + timedelta(seconds=seconds)) is None
    assert len(looked) == 2


def test_a_shared_calendar_s_holidays_hold_where_the_hours_say_nothing_of_the_date() -> None:
    new_year = {"date": "2026-01-01", "name": "New Year", "yearly": True}
    dates = (Holiday.model_validate(new_year), Holiday(date=date(2026, 11, 26)))
    shared = HolidayCalendar(id="cal_1", name="US", dates=dates, **STAMP)
    own = {"date": "2026-11-26", "open": [("10:00", "12:00")]}
    hours = office(holiday_calendar_id="cal_1", holidays=(own,))
    mine = number(hours=hours)
    snapshot = world(mine, kept=[shared])
    schedule = snapshot.schedule(mine.id)
    assert schedule is not None

    assert not schedule.is_open(ny("2027-01-01T10:00"))
    assert "holiday New Year" in schedule.judge(ny("2027-01-01T10:00")).reason
    assert schedule.is_open(ny("2026-11-26T11:00"))
    assert schedule.next_change(ny("2026-12-31T17:00")) == ny("2027-01-04T09:00")
    edited = snapshot.with_changes([shared.model_copy(update={"dates": ()})]).schedule(mine.id)
    assert edited is not None and edited.is_open(ny("2027-01-01T10:00"))


def test_the_last_day_of_the_calendar_may_be_a_holiday() -> None:
    hours = Hours(timezone="America/New_York", holidays=(Holiday(date=date(9999, 12, 31)),))
    assert Schedule(hours).next_change(NOON) is None
