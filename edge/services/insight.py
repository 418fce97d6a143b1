"""The rules as they stand now: what is taken of each cap, and whether an owner is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from edge.clock import Clock
from edge.model.buyer import Buyer, Group
from edge.model.config import Campaign, Hours, Number, Target
from edge.model.ledger import CapCount
from edge.model.publishers import Publisher
from edge.routing.caps import CapRule, cap_rules, window_of, zone_of
from edge.routing.openness import Windows, closes, opens, outside, windows_of
from edge.routing.schedule import Schedule
from edge.routing.snapshot import Snapshot
from edge.services.errors import NotFound

Owner = Number | Target | Group | Buyer | Campaign | Publisher


@dataclass(frozen=True, slots=True)
class CapUse:
    """One cap now: ``window`` its kind, ``key`` the window counted in, named as in ``CapClaim``."""

    id: str
    owner_id: str
    window: str
    key: str
    limit: int | None
    counts_on: str
    used: int
    reserved: int
    strict: bool = True


@dataclass(frozen=True, slots=True)
class HoursPreview:
    """Whether an owner is open at an instant, why in words, and when that changes next."""

    open: bool
    reason: str
    timezone: str
    next_change: datetime | None


class Current(Protocol):
    """Where the newest snapshot is found."""

    @property
    def current(self) -> Snapshot: ...


class Counted(Protocol):
    """The writer's advisory counts."""

    def count(self, cap_id: str, window: str) -> CapCount:
        """What is used and reserved of a window of a cap."""
        ...


class InsightService:
    """Answers from the snapshot and the writer's counts; raises ``NotFound``."""

    def __init__(self, configuration: Current, counts: Counted, clock: Clock) -> None:
        self._configuration = configuration
        self._counts = counts
        self._clock = clock

    async def caps(self, owner_id: str) -> Sequence[CapUse]:
        """Every cap of an owner, in the window of this instant."""
        owner = self._owner(owner_id)
        most = owner.max_calls if isinstance(owner, Target) else None
        local = self._clock.utc().astimezone(ZoneInfo(self._zone(owner)))
        return [self._use(rule, local) for rule in cap_rules(owner.id, owner.caps, most)]

    async def hours(self, owner_id: str, at: datetime | None) -> HoursPreview:
        """Open at an instant (or now)?  A number without hours of its own keeps its campaign's; outside its
        activity window, or its campaign's, it is closed."""
        owner = self._owner(owner_id)
        hours, windows = self._hours(owner), self._windows(owner)
        instant = (at or self._clock.utc()).astimezone(UTC)
        schedule, zone, is_open = None, self._zone(owner), True
        reason = "there are no business hours" if hours is None else "the business hours are not active"
        reason = f"always open: {reason}"
        if hours is not None and hours.active:
            calendar = self._configuration.current.calendar(hours.holiday_calendar_id or "")
            schedule = Schedule(hours).under(calendar)
            zone, (is_open, reason) = schedule.zone.key, schedule.judge(instant)
        ended = outside(windows, instant)
        if ended is not None:
            is_open, reason = False, ended
        change = (closes if is_open else opens)(windows, schedule, instant)
        return HoursPreview(is_open, reason, zone, change)

    def _windows(self, owner: Owner) -> Windows:
        if isinstance(owner, Campaign):
            return (("campaign", owner),)
        campaign = self._campaign(owner)
        if not isinstance(owner, Number):
            return ()
        return (("number", owner),) if campaign is None else windows_of(owner, campaign)

    def _use(self, rule: CapRule, local: datetime) -> CapUse:
        concurrency = rule.cap.window == "concurrency"
        count = self._counts.count(rule.cap_id, window_of(rule.cap, local))
        counts_on = "concurrency" if concurrency else rule.cap.counts_on
        return CapUse(
            rule.cap_id,
            rule.owner_id,
            rule.cap.window,
            count.window,
            rule.cap.limit,
            counts_on,
            count.used,
            count.reserved,
            rule.cap.is_strict,
        )

    def _owner(self, owner_id: str) -> Owner:
        snapshot = self._configuration.current
        look = (
            snapshot.number_by_id, snapshot.target, snapshot.group, snapshot.buyer, snapshot.campaign,
            snapshot.publisher,
        )  # fmt: skip
        found = next((item for find in look if (item := find(owner_id)) is not None), None)
        if found is None:
            raise NotFound("there is no number, target, group, buyer, campaign or publisher with this id")
        return found

    def _campaign(self, owner: Owner) -> Campaign | None:
        if isinstance(owner, Number) and owner.campaign_id is not None:
            return self._configuration.current.campaign(owner.campaign_id)
        return None

    def _hours(self, owner: Owner) -> Hours | None:
        campaign = self._campaign(owner)
        own = None if isinstance(owner, Buyer | Group | Publisher) else owner.hours
        return own or (campaign.hours if campaign else None)

    def _zone(self, owner: Owner) -> str:
        campaign = self._campaign(owner)
        inherited = zone_of(campaign.timezone, campaign.hours) if campaign else None
        own = None if isinstance(owner, Buyer | Group | Publisher) else owner.hours
        return zone_of(owner.timezone, own) or inherited or "UTC"
