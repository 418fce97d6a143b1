"""What a page is told of a number: open now, and when next."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from edge.model.calendars import HolidayCalendar
from edge.model.config import Holiday
from edge.routing.openness import open_at, opens_at
from tests.routing.world import NEW_YORK, NIGHT, NOON, STAMP, campaign, number, office, world

MONDAY = datetime(2026, 11, 23, 9, tzinfo=NEW_YORK)
"""When the office opens after the night of a Friday."""


def told(at: datetime, own: dict[str, Any], parents: dict[str, Any], **more: Any) -> tuple[bool, Any]:
    mine, parent = number(**own), campaign(**parents)
    snapshot = world(mine, parent, **more)
    is_open = open_at(mine, parent, snapshot, at)
    return is_open, None if is_open else opens_at(mine, parent, snapshot, at)


def test_inside_and_outside_the_hours() -> None:
    assert told(NOON, {}, {}) == (True, None)
    assert told(NOON, {"hours": office()}, {}) == (True, None)
    assert told(NIGHT, {"hours": office()}, {}) == (False, MONDAY)
    assert told(NIGHT, {}, {"hours": office()}) == (False, MONDAY)


@pytest.mark.parametrize("where", ["number", "campaign"])
def test_a_date_of_the_calendar_is_closed_as_for_calls(where: str) -> None:
    calendar = HolidayCalendar(id="cal_1", name="US", dates=(Holiday(date=date(2026, 11, 20)),), **STAMP)
    hours = {"hours": office(holiday_calendar_id="cal_1")}
    own, parents = (hours, {}) if where == "number" else ({}, hours)
    assert told(NOON, own, parents, kept=[calendar]) == (False, MONDAY)


@pytest.mark.parametrize("where", ["number", "campaign"])
@pytest.mark.parametrize(
    ("window", "hours", "expected"),
    [
        ({"active_until": NIGHT}, True, None),  # over before the next morning
        ({"active_until": NOON}, False, None),
        ({"active_until": MONDAY}, True, None),  # half-open: it ends as the office opens
        ({"active_from": MONDAY}, False, MONDAY),
        ({"active_from": datetime(2026, 11, 22, tzinfo=UTC)}, True, MONDAY),
        ({"active_from": MONDAY.replace(hour=11)}, True, MONDAY.replace(hour=11)),
    ],
)
def test_it_opens_within_its_activity_window_only(
    where: str, window: dict[str, Any], hours: bool, expected: datetime | None
) -> None:
    schedule = {"hours": office()} if hours else {}
    own, parents = (window, schedule) if where == "number" else ({}, {**window, **schedule})
    assert told(NIGHT, own, parents) == (False, expected)
