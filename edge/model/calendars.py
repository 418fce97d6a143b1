"""Holiday calendars: dates that the hours of many owners share."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from edge.model.base import Record, Stored
from edge.model.config import Holiday, check_holidays
from edge.model.types import ExternalId, Name


class HolidayCalendarSpec(Record):
    """Holidays that hours name by ``holiday_calendar_id``: one edit serves them all (Rule: calendars)."""

    name: Name
    external_id: ExternalId | None = None
    dates: Annotated[tuple[Holiday, ...], Field(max_length=1000)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        check_holidays(self.dates, "dates")
        return self


class HolidayCalendar(Stored, HolidayCalendarSpec):
    """A stored holiday calendar."""
