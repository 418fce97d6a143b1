"""What goes out through each trunk, and its limits: where to, how many calls, how fast, how long a day.

Whoever steals a line dials far away, many times, for long: a trunk with ``outbound`` limits bounds the bill.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Final

from edge.calls.dialplan import Line
from edge.calls.trunk_load import Rate
from edge.clock import Clock
from edge.model.config import Trunk
from edge.model.trunk import OutboundLimits
from edge.routing.e164 import normalise, region_of, user_part

if TYPE_CHECKING:
    from edge.calls.call import Call
    from edge.calls.leg import Leg


_MOST_DAYS: Final = 7
"""Days of which the use is held, should the clock be set back to them."""


class _Use:
    """What a trunk's calls take now; ``since`` is the sum of the starts of those that are connected."""

    __slots__ = ("calls", "connected", "rate", "since")

    def __init__(self) -> None:
        self.calls = 0
        self.connected = 0
        self.since = 0.0
        self.rate: Rate | None = None


class Passage:
    """One call through a trunk: taken before it is dialled, to be ended once however it ends."""

    __slots__ = ("_load", "_started", "_trunk_id", "ended")

    def __init__(self, load: "OutboundLoad", trunk_id: str) -> None:
        self._load = load
        self._trunk_id = trunk_id
        self._started: float | None = None
        self.ended = False

    def answered(self) -> None:
        """Its minutes count from now, whether the call is accepted then or not."""
        if self._started is None:
            self._started = self._load.connected(self._trunk_id)

    def settle(self, leg: "Leg | None") -> None:
        """It ends with that leg; or nothing came of it."""
        if leg is None:
            self.end()
            return
        self.answered()
        leg.passage = self

    def end(self) -> None:
        """It is over; ending it again changes nothing."""
        if not self.ended:
            self.ended = True
            self._load.ended(self._trunk_id, self._started)


class OutboundLoad:
    """The use of every trunk with limits.  Days are UTC's; ``days`` has the seconds used of each, by trunk.

    Calls are measured by the monotonic clock: that of the day may be set while they are up.  A second counts
    on the day that the clock said then, and on earlier ones while it is set back to them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        self.day: date = clock.utc().date()
        self._began = self._latest = clock.monotonic()  # the day, as far as we counted; the latest connect
        self.days: dict[date, dict[str, float]] = {}
        self.changed: Callable[[], None] = lambda: None

    def restore(self, day: date, days: Mapping[date, Mapping[str, float]]) -> None:
        """Takes over what was used before a restart, which was on ``day``."""
        self.day, self.days = day, {each: dict(seconds) for each, seconds in days.items()}
        self._turn()

    def take(self, trunk: Trunk, limits: OutboundLimits, number: str | None) -> Passage | str:
        """Room for a call to an E.164 number (None: to what is none); or why there is none."""
        use = self._uses.setdefault(trunk.id, _Use())
        why_not = wrong_destination(limits, number) or self._full(trunk.id, use, limits)
        if why_not is not None:
            return why_not
        use.calls += 1
        return Passage(self, trunk.id)

    def used(self, trunk_id: str) -> tuple[int, float]:
        """Calls now, and the minutes of today, those of live calls included."""
        self._turn()
        use = self._uses.get(trunk_id) or _Use()
        live = use.connected * self._clock.monotonic() - use.since
        over = sum(seconds.get(trunk_id, 0.0) for day, seconds in self.days.items() if day >= self.day)
        return use.calls, (over + live) / 60

    @property
    def live(self) -> bool:
        """Whether any call is connected, so that what is used grows."""
        return any(use.connected for use in self._uses.values())

    def counted(self) -> Mapping[date, Mapping[str, float]]:
        """``days`` with what live calls have used until now: what a crash must not forget."""
        self._turn()
        now, today = self._clock.monotonic(), dict(self.days.get(self.day, {}))
        for trunk_id, use in self._uses.items():
            if use.connected:
                today[trunk_id] = today.get(trunk_id, 0.0) + use.connected * now - use.since
        return {**self.days, self.day: today}

    def connected(self, trunk_id: str) -> float:
        """A call through it was answered; when."""
        self._turn()
        now, use = self._clock.monotonic(), self._uses.setdefault(trunk_id, _Use())
        use.connected += 1
        use.since += now
        self._latest = now
        return now

    def ended(self, trunk_id: str, started: float | None) -> None:
        """A call through it is over."""
        self._turn()
        use = self._uses.setdefault(trunk_id, _Use())
        use.calls = max(0, use.calls - 1)
        if started is not None:
            # Before midnight was another day.
            start = max(started, self._began)
            use.connected -= 1
            use.since -= start
            self._add(trunk_id, self._clock.monotonic() - start)
            self.changed()

    def _full(self, trunk_id: str, use: _Use, limits: OutboundLimits) -> str | None:
        if limits.max_calls is not None and use.calls >= limits.max_calls:
            return f"{limits.max_calls} calls at once"
        if limits.max_minutes_per_day is not None and self.used(trunk_id)[1] >= limits.max_minutes_per_day:
            return f"{limits.max_minutes_per_day} minutes a day"
        if limits.max_cps is None:
            return None
        now = self._clock.monotonic()
        if use.rate is None or use.rate.per_second != limits.max_cps:
            use.rate = Rate(limits.max_cps, now)
        return None if use.rate.take(now) else f"{limits.max_cps:g} calls a second"

    def _add(self, trunk_id: str, seconds: float) -> None:
        today = self.days.setdefault(self.day, {})
        today[trunk_id] = today.get(trunk_id, 0.0) + seconds

    def _turn(self) -> None:
        """A new day begins with nothing, one that comes again with what was used of it; calls that go on
        count from midnight.  A clock that is set back gives back nothing."""
        utc = self._clock.utc()
        today = utc.date()
        if today == self.day:
            return
        now = self._clock.monotonic()
        midnight = now - (utc - datetime.combine(today, time(), UTC)).total_seconds()
        # Where the clock was set ahead, that may be before calls began that are up.
        began = max(midnight, self._latest, self._began) if today > self.day else now
        for trunk_id, use in self._uses.items():
            if use.connected:
                self._add(trunk_id, use.connected * began - use.since)
                use.since = use.connected * began
        if today > self.day:
            # What was left for later days, by a clock that was ahead, counted on the day that is over.
            self.days = {day: seconds for day, seconds in self.days.items() if day <= today}
        for day in sorted(self.days)[:-_MOST_DAYS]:
            del self.days[day]
        self.day, self._began = today, began
        self.changed()


def wrong_destination(limits: OutboundLimits, number: str | None) -> str | None:
    """Why a number may not be dialled; None if it may."""
    if limits.destinations is None:
        return None
    if number is None or number[:1] != "+":
        return "only telephone numbers may be dialled"
    allowed = limits.destinations
    if any(place[0] == "+" and number.startswith(place) for place in allowed):
        return None
    region = region_of(number)
    return None if region in allowed else f"{region or 'its country'} is not among its destinations"


def passage_of(call: "Call", line: Line) -> Passage | str | None:
    """Room for a call through the line's trunk, None while that has no limits; or why there is none, which
    goes into the decision log."""
    trunk = call.snapshot.trunk(line.trunk_id) if line.trunk_id is not None else None
    if trunk is None or trunk.outbound is None:
        return None
    found = call.services.outbound.take(trunk, trunk.outbound, number_of(line))
    if isinstance(found, Passage):
        return found
    call.record.step("trunk", "refused", f"{trunk.name}: {found}")
    return f"limit of trunk {trunk.name}: {found}"


def forbidden(call: "Call", line: Line) -> str | None:
    """Why the limits of its trunk forbid where a line leads; None if they do not."""
    trunk = call.snapshot.trunk(line.trunk_id) if line.trunk_id is not None else None
    if trunk is None or trunk.outbound is None:
        return None
    return wrong_destination(trunk.outbound, number_of(line))


def number_of(line: Line) -> str | None:
    """The number that a line dials, without the trunk's tech prefix; None if it is none."""
    user = user_part(line.uri)
    return normalise(user.removeprefix(line.sip.tech_prefix), line.country)
