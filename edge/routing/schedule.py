"""Business hours: is a schedule open at an instant, and when does that change next?

Everything is judged in wall time of the schedule's zone (``docs/rules.md``, Business hours), so a
skipped hour simply does not occur and a repeated hour is open, or closed, both times.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.model.config import Holiday, Hours
from edge.model.types import WEEKDAYS, minutes

DAY = 1440
_ONE_DAY = timedelta(days=1)
# Within this many days a weekly plan, with its yearly holidays, has shown all it does; what lies
# beyond are holidays that are listed by their date, and the leap days of the coming years.
_HORIZON_DAYS = 400
_LEAP_HORIZON_YEARS = 9
# The calendar ends soon after, and with it what can be computed.
_LAST = date(9999, 12, 1)

Span = tuple[int, int]
"""Minutes since local midnight, ``[start, end)``; an ``end`` over 1440 lies on the next day."""


class _OwnDay(NamedTuple):
    """A holiday: its name, and the hours that replace the weekly plan."""

    name: str
    spans: tuple[Span, ...]


class Holidays:
    """Listed holidays made ready for asking: an immutable value."""

    __slots__ = ("days", "yearly")

    def __init__(self, listed: Iterable[Holiday] = ()) -> None:
        days = {holiday.date: _OwnDay(holiday.name, _spans(holiday.open)) for holiday in listed}
        self.days = days
        self.yearly = {(h.date.month, h.date.day): days[h.date] for h in listed if h.yearly}

    def on(self, day: date) -> _OwnDay | None:
        """The day's own plan when it is a holiday; a listed date wins over a yearly one."""
        own = self.days.get(day)
        return self.yearly.get((day.month, day.day)) if own is None else own


class Judgement(NamedTuple):
    """Whether a schedule is open, and the reason in words."""

    open: bool
    reason: str


class _Ahead(NamedTuple):
    """What was found of the next change: it holds for every instant ``[since, until)``."""

    since: datetime
    until: datetime
    change: datetime | None


def _spans(blocks: tuple[tuple[str, str], ...]) -> tuple[Span, ...]:
    pairs = [(minutes(start), minutes(end)) for start, end in blocks]
    return tuple((a, b if b > a else b + DAY) for a, b in pairs)


class Schedule:
    """``Hours`` made ready for asking: an immutable value, but for what it remembers of its answers.

    Raises ``ValueError`` when the hours name no zone; ``zoneinfo.ZoneInfoNotFoundError`` when the
    zone is unknown.  The configuration's validation refuses both before.  ``calendar_id`` names the
    calendar whose holidays hold as well, once it is ``under`` them.
    """

    __slots__ = ("_ahead", "_calendar", "_days", "_holidays", "_under", "calendar_id", "zone")

    def __init__(self, hours: Hours) -> None:
        if hours.timezone is None:
            raise ValueError("hours need a timezone, such as America/New_York")
        self.zone = ZoneInfo(hours.timezone)
        self._days = tuple(_spans(hours.weekly.get(day, ())) for day in WEEKDAYS)
        self._holidays = Holidays(hours.holidays)
        self._calendar: Holidays | None = None
        self._ahead: _Ahead | None = None
        self._under: Schedule | None = None
        self.calendar_id = hours.holiday_calendar_id

    def under(self, calendar: Holidays | None) -> "Schedule":
        """The same schedule with the holidays of its calendar; its own come first."""
        if calendar is None:
            return self
        if self._under is not None and self._under._calendar is calendar:
            return self._under
        made = Schedule.__new__(Schedule)
        made.zone, made._days, made._holidays = self.zone, self._days, self._holidays
        made._calendar, made.calendar_id = calendar, self.calendar_id
        made._ahead = made._under = None
        self._under = made
        return made

    def _holiday(self, day: date) -> _OwnDay | None:
        own = self._holidays.on(day)
        return self._calendar.on(day) if own is None and self._calendar is not None else own

    def _spans_of(self, day: date) -> tuple[Span, ...]:
        own = self._holiday(day)
        return self._days[day.weekday()] if own is None else own.spans

    def is_open(self, instant: datetime) -> bool:
        """Is the schedule open at this aware instant?"""
        local = instant.astimezone(self.zone)
        day, minute = local.date(), local.hour * 60 + local.minute
        own = self._holiday(day)
        for start, end in self._days[day.weekday()] if own is None else own.spans:
            if start <= minute < end:
                return True
        # A holiday cuts the tail of the block that began on its eve.
        return own is None and self._in_tail(day, minute)

    def _in_tail(self, day: date, minute: int) -> bool:
        later = minute + DAY
        return any(later < end for _, end in self._spans_of(day - _ONE_DAY))

    def judge(self, instant: datetime) -> Judgement:
        """``is_open`` with the reason in words, for the decision log."""
        local = instant.astimezone(self.zone)
        stamp = f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {self.zone.key}"
        if self.is_open(instant):
            return Judgement(True, f"open at {stamp}")
        own = self._holiday(local.date())
        if own is None:
            return Judgement(False, f"closed at {stamp}")
        return Judgement(False, f"closed at {stamp}: holiday {own.name}".rstrip())

    def next_change(self, instant: datetime) -> datetime | None:
        """The first UTC instant after ``instant`` at which ``is_open`` differs; None: never.

        To see that nothing changes takes milliseconds, and every visitor of a page asks: it is seen daily.
        """
        now, known = instant.astimezone(UTC), self._ahead
        if known is None or not known.since <= now < known.until:
            change = self._looked_for(now)
            known = self._ahead = _Ahead(now, change or now + _ONE_DAY, change)
        return known.change

    def _looked_for(self, now: datetime) -> datetime | None:
        state = self.is_open(now)
        for day in self._days_ahead(now.astimezone(self.zone).date()):
            # With the next day's, since clocks put back at midnight make the two overlap.
            for at in sorted(self._boundaries(day) | self._boundaries(day + _ONE_DAY)):
                if at > now and self.is_open(at) != state:
                    return at
        return None

    def _days_ahead(self, first: date) -> Iterator[date]:
        """The days on which something may change, in order, bounded."""
        ahead = [first + timedelta(days=n) for n in range(_HORIZON_DAYS)]
        yield from ahead
        known = [self._holidays, *([self._calendar] if self._calendar is not None else [])]
        later = {day for holidays in known for day in holidays.days if ahead[-1] < day < _LAST}
        if any((2, 29) in holidays.yearly for holidays in known):
            later |= {day for day in _leap_days(first.year) if day > ahead[-1]}
        for day in sorted(later):
            yield from (day, day + _ONE_DAY)

    def _boundaries(self, day: date) -> set[datetime]:
        """The UTC instants of this local day at which the state may change."""
        walls = {0, *(edge for span in self._spans_of(day) for edge in span if edge < DAY)}
        walls |= {end - DAY for _, end in self._spans_of(day - _ONE_DAY) if end > DAY}
        midnight = datetime(day.year, day.month, day.day)
        instants = {
            (midnight + timedelta(minutes=wall)).replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
            for wall in walls
            for fold in (0, 1)
        }
        start, end = (m.replace(tzinfo=self.zone).astimezone(UTC) for m in (midnight, midnight + _ONE_DAY))
        shift = _transition(self.zone, start, end)
        return instants if shift is None else instants | {shift}


def _leap_days(year: int) -> list[date]:
    years = range(year, year + _LEAP_HORIZON_YEARS)
    return [date(y, 2, 29) for y in years if y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)]


def _transition(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The instant (to the second) at which the zone's offset changes in ``(start, end]``, if it does."""
    before = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return None
    low, high = 0, int((end - start).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (start + timedelta(seconds=middle)).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return start + timedelta(seconds=high)
