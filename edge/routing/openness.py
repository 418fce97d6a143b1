"""Whether calls would be served now, and when that changes (Rules: business hours, activity window).

``windows`` are the activity windows that hold for it, each with whose it is.
"""

from collections.abc import Sequence
from datetime import datetime

from edge.model.config import Campaign, Number
from edge.model.publishers import ActiveWindow
from edge.routing.schedule import Schedule
from edge.routing.snapshot import Snapshot

Windows = Sequence[tuple[str, ActiveWindow]]


def windows_of(number: Number, campaign: Campaign) -> Windows:
    """A number's own activity window, and its campaign's."""
    return ("number", number), ("campaign", campaign)


def outside(windows: Windows, at: datetime) -> str | None:
    """Which window an instant is outside of, in words.  Half-open: at ``active_until`` it is over."""
    for what, window in windows:
        if window.active_until is not None and at >= window.active_until:
            return f"the {what} was active until {window.active_until:%Y-%m-%dT%H:%M:%SZ}"
        if window.active_from is not None and at < window.active_from:
            return f"the {what} is active from {window.active_from:%Y-%m-%dT%H:%M:%SZ}"
    return None


def open_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> bool:
    """Inside the activity windows and the business hours of a number at an instant."""
    schedule = _schedule(number, campaign, snapshot)
    return outside(windows_of(number, campaign), at) is None and (schedule is None or schedule.is_open(at))


def opens_at(number: Number, campaign: Campaign, snapshot: Snapshot, at: datetime) -> datetime | None:
    """When a number that is closed at an instant opens next; None where that is not in sight."""
    return opens(windows_of(number, campaign), _schedule(number, campaign, snapshot), at)


def opens(windows: Windows, schedule: Schedule | None, at: datetime) -> datetime | None:
    """When what is closed at an instant opens next; None where that is not in sight."""
    first = max([at, *(window.active_from for _, window in windows if window.active_from is not None)])
    if schedule is not None and not schedule.is_open(first):
        opening = schedule.next_change(first)
    else:
        opening = first if first > at else None
    return None if opening is None or outside(windows, opening) is not None else opening


def closes(windows: Windows, schedule: Schedule | None, at: datetime) -> datetime | None:
    """When what is open at an instant closes next; None where that is not in sight."""
    ends = [window.active_until for _, window in windows if window.active_until is not None]
    change = None if schedule is None else schedule.next_change(at)
    return min([*ends, *([] if change is None else [change])], default=None)


def _schedule(number: Number, campaign: Campaign, snapshot: Snapshot) -> Schedule | None:
    """The number's own hours, else its campaign's, under the calendar that they name."""
    return snapshot.schedule(campaign.id if number.hours is None else number.id)
