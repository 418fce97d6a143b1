"""Public holidays of a country, put into a calendar; and the usual weekly hours to begin with."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge.model.calendars import HolidayCalendar
from edge.services.configuration import ConfigurationService
from edge.services.errors import FieldError, Invalid

MOST_YEARS = 10
_WORKDAYS: Final = ("mon", "tue", "wed", "thu", "fri")
_ALL_DAYS: Final = (*_WORKDAYS, "sat", "sun")


def _week(days: Sequence[str], *blocks: tuple[str, str]) -> dict[str, list[tuple[str, str]]]:
    return {day: list(blocks) for day in days}


PRESETS: Final[Mapping[str, dict[str, list[tuple[str, str]]]]] = {
    "24/7": _week(_ALL_DAYS, ("00:00", "24:00")),
    "Mon-Fri 9-17": _week(_WORKDAYS, ("09:00", "17:00")),
    "Mon-Fri 9-17, lunch break 12-13": _week(_WORKDAYS, ("09:00", "12:00"), ("13:00", "17:00")),
}
"""Weekly hours by name."""


class CalendarService:
    """Raises ``NotFound``, ``Invalid``, ``Stale`` and ``StoreDown``."""

    def __init__(self, configuration: ConfigurationService) -> None:
        self._configuration = configuration

    async def import_holidays(
        self,
        calendar_id: str,
        country: str,
        subdivision: str | None,
        years: Sequence[int],
        expected: int | None,
    ) -> HolidayCalendar:
        """Adds a country's public holidays of some years; dates that are there already stay as they are."""
        found = await asyncio.to_thread(_holidays, country, subdivision, years)
        held = await self._configuration.get("calendar", calendar_id)
        assert isinstance(held, HolidayCalendar)
        kept = held.model_dump(mode="json")["dates"]
        known = {entry["date"] for entry in kept}
        added = [{"date": date, "name": name} for date, name in found if date not in known]
        dates = sorted([*kept, *added], key=lambda entry: str(entry["date"]))
        version = held.version if expected is None else expected
        made: Any = await self._configuration.patch("calendar", calendar_id, {"dates": dates}, version)
        assert isinstance(made, HolidayCalendar)
        return made


def _holidays(country: str, subdivision: str | None, years: Sequence[int]) -> list[tuple[str, str]]:
    """Date and name of each; blocks.  The library takes a moment to load, so it is loaded when asked for."""
    import holidays  # noqa: PLC0415

    try:
        found = holidays.country_holidays(country, subdiv=subdivision, years=list(years))
    except RuntimeError:  # what it raises for countries and places that it does not know
        supported = holidays.list_supported_countries()
        if country in supported:
            places = ", ".join(supported[country]) or "none"
            why = f"{country} has no subdivision of that name; there are: {places[:500]}"
            raise Invalid([FieldError("subdivision", why)]) from None
        raise Invalid([FieldError("country", f"no public holidays are known of {country}")]) from None
    return [(day.isoformat(), str(name)[:200]) for day, name in sorted(found.items())]
