"""Whether a number would be served now, and when that changes (Rule: business hours)."""

from datetime import datetime

from edge.model.config import Campaign, Number
from edge.routing.snapshot import Snapshot


def open_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> bool:
    """Inside the activity windows and the business hours of a number at an instant."""
    for window in (number, campaign):
        if window.active_until is not None and at >= window.active_until:
            return False
        if window.active_from is not None and at < window.active_from:
            return False
    schedule = snapshot.prepared(campaign.id if number.hours is None else number.id).schedule
    return schedule is None or schedule.judge(at).open


def opens_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> datetime | None:
    """When a number that is closed by its hours opens next; None where that is not in sight."""
    schedule = snapshot.prepared(campaign.id if number.hours is None else number.id).schedule
    return None if schedule is None or schedule.judge(at).open else schedule.next_change(at)
