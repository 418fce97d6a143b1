"""Holiday calendars over HTTP: public holidays, presets, and hours that name a calendar."""

from edge.model.config import Hours
from tests.admin.client import Client


async def test_a_country_s_public_holidays_come_beside_what_is_there(api: Client) -> None:
    own = {"date": "2026-12-25", "name": "Half day", "open": [["09:00", "12:00"]]}
    made = await api.new("holiday-calendars", name="US", dates=[own])
    path = f"holiday-calendars/{made['id']}"
    done = await api.post(f"{path}/import", {"country": "US", "years": [2026, 2027]})
    names = {entry["date"]: entry["name"] for entry in done.json["dates"]}
    assert (names["2026-11-26"], names["2026-12-25"]) == ("Thanksgiving Day", "Half day")
    assert "2027-07-04" in names
    again = await api.post(f"{path}/import", {"country": "US", "years": [2026, 2027]})
    assert again.json["version"] == done.json["version"]
    number = await api.new("numbers", e164="+13125550188")
    hours = {"timezone": "America/New_York", "weekly": {"thu": [["09:00", "17:00"]]}}
    named = {"hours": {**hours, "holiday_calendar_id": made["id"]}}
    await api.patch(f"numbers/{number['id']}", named)
    asked = f"hours/preview?owner={number['id']}&at=2026-11-26T15:00:00Z"
    seen = (await api.get(asked)).json
    assert (seen["open"], "Thanksgiving" in seen["reason"]) == (False, True)
    assert seen["next_change"] == "2026-12-03T14:00:00Z"
    assert (await api.delete(path)).status == 409
    await api.patch(path, {"dates": []})
    assert (await api.get(asked)).json["open"] is True


async def test_an_unknown_country_or_subdivision_is_named(api: Client) -> None:
    made = await api.new("holiday-calendars", name="X")
    path = f"holiday-calendars/{made['id']}/import"
    assert "country" in (await api.post(path, {"country": "XX", "years": [2026]})).errors
    wrong = await api.post(path, {"country": "US", "subdivision": "Bavaria", "years": [2026]})
    assert "subdivision" in wrong.errors
    twice = [{"date": "2026-01-01"}, {"date": "2026-01-01"}]
    assert (await api.patch(f"holiday-calendars/{made['id']}", {"dates": twice})).status == 422
    missing = {"timezone": "Europe/Berlin", "holiday_calendar_id": "cal_none"}
    number = await api.new("numbers", e164="+13125550189")
    refused = await api.patch(f"numbers/{number['id']}", {"hours": missing})
    assert "hours.holiday_calendar_id" in refused.errors


async def test_presets_are_hours_that_can_be_saved(api: Client) -> None:
    found = {preset["name"]: preset["weekly"] for preset in (await api.get("hours/presets")).json["items"]}
    assert set(found) == {"24/7", "Mon-Fri 9-17", "Mon-Fri 9-17, lunch break 12-13"}
    for weekly in found.values():
        Hours.model_validate({"timezone": "Europe/Berlin", "weekly": weekly})
