"""Public holidays for calendars, and weekly hours to begin with."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import many, one
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.calendars import HolidayCalendar
from edge.services.calendars import MOST_YEARS, PRESETS

CALENDAR_PARTS = Routes("holiday-calendars")
HOUR_PRESETS = Routes("hours")


class HolidayImport(Record):
    """Whose public holidays, ``subdivision`` a state or province by its ISO 3166-2 code, such as ``CA``."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    subdivision: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 _-]{1,40}$")] | None = None
    years: Annotated[
        tuple[Annotated[int, Field(ge=1990, le=2100)], ...], Field(min_length=1, max_length=MOST_YEARS)
    ]


class PresetRead(BaseModel):
    """Weekly hours by name, to be put into an object's ``hours.weekly``."""

    name: str
    weekly: dict[str, list[tuple[str, str]]]


@CALENDAR_PARTS.add(
    "POST",
    "/holiday-calendars/{id}/import",
    "Add a country's public holidays to a calendar",
    body=HolidayImport,
    body_kind="json",
    answer=HolidayCalendar,
    if_match=True,
)
async def import_holidays(ports: Ports, exchange: Exchange) -> Reply:
    asked: HolidayImport = exchange.body
    made = await ports.calendars.import_holidays(
        exchange.parameters["id"], asked.country, asked.subdivision, asked.years, expected_version(exchange)
    )
    return one(made)


@HOUR_PRESETS.add("GET", "/hours/presets", "List usual weekly hours", answer=PresetRead, shape="list")
async def presets(_ports: Ports, _exchange: Exchange) -> Reply:
    return await many([PresetRead(name=name, weekly=weekly) for name, weekly in PRESETS.items()])
