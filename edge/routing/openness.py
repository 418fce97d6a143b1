"""Whether a number would be served now, and when that changes (Rule: business hours)."""

from datetime import datetime

from edge.model.config import Campaign, Number
from edge.routing.schedule import Schedule
from edge.routing.snapshot import Snapshot


def open_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> bool:
    """Inside the activity windows and the business hours of a number at an instant."""
    if any(window.active_from is not None and at < window.active_from for window in (number, campaign)):
        return False
    schedule = _schedule(number, campaign, snapshot)
    return not _ended(number, campaign, at) and (schedule is None or schedule.is_open(at))


def opens_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> datetime | None:
    """When a number that is closed at an instant opens next; None where that is not in sight."""
    begins = [w.active_from for w in (number, campaign) if w.active_from is not None]
    first, schedule = max([at, *begins]), _schedule(number, campaign, snapshot)
    if schedule is not None and not schedule.is_open(first):
        opening = schedule.next_change(first)
    else:
        opening = first if first > at else None
    return None if opening is None or _ended(number, campaign, opening) else opening


def _ended(number: Number, campaign: Campaign, at: datetime) -> bool:
    return any(w.active_until is not None and at >= w.active_until for w in (number, campaign))


def _schedule(number: Number, campaign: Campaign, snapshot: Snapshot) -> Schedule | None:
    """The number's own hours, else its campaign's, under the calendar that they name."""
    return snapshot.schedule(campaign.id if number.hours is None else number.id)
