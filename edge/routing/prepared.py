"""What a decision needs again and again of one object, made ready when it enters the snapshot."""

from typing import NamedTuple
from zoneinfo import ZoneInfo

from edge.model.buyer import Buyer, Group
from edge.model.config import NOTHING_OWN, Campaign, Hours, Number, Routes, Target
from edge.model.publishers import Publisher
from edge.routing import filters
from edge.routing.caps import CapRule, cap_rules, zone_of
from edge.routing.filters import Condition
from edge.routing.schedule import Schedule
from edge.routing.tiers import Tier, fixed, tiers

Owner = Number | Campaign | Target | Buyer | Group | Publisher


class Prepared(NamedTuple):
    """What a decision needs of one owner, made ready: its schedule, cap rules, zone and tiers.

    ``tiers`` is None while the route names groups, whose members change without it.

    ``schedule`` is None when the owner has no hours of its own or they are inactive (always
    open); ``zone`` is None when neither the owner nor its hours name one.
    """

    schedule: Schedule | None
    rules: tuple[CapRule, ...]
    zone: ZoneInfo | None
    tiers: tuple[Tier, ...] | None
    conditions: tuple[Condition, ...] = ()


NOTHING_PREPARED = Prepared(None, (), None, ())


def _schedule(hours: Hours | None) -> Schedule | None:
    return Schedule(hours) if hours is not None and hours.active else None


def _has_nothing(number: Number) -> bool:
    """Nothing of its own to prepare: so are most numbers."""
    return (
        number.hours is None
        and not number.caps
        and number.timezone is None
        and number.settings is NOTHING_OWN
    )


def _fixed_tiers(routes: Routes) -> tuple[Tier, ...] | None:
    return tiers(routes, _no_group) if fixed(routes) else None


def _no_group(_group_id: str) -> None:
    return None


def prepare(item: Owner) -> Prepared:
    """What is made ready of an owner; ``NOTHING_PREPARED`` itself where that is nothing."""
    ready: tuple[Tier, ...] | None = ()
    if isinstance(item, Buyer | Group | Publisher):
        return Prepared(None, cap_rules(item.id, item.caps), _zone_info(item.timezone), ())
    rules = cap_rules(item.id, item.caps, item.max_calls if isinstance(item, Target) else None)
    if isinstance(item, Campaign):
        ready = _fixed_tiers(item.routes)
    elif isinstance(item, Number):
        if _has_nothing(item):
            return NOTHING_PREPARED
        own = item.settings.routes
        ready = _fixed_tiers(own.value) if own is not None else ()
    conditions = filters.ready(item.filters) if isinstance(item, Target) else ()
    zone = _zone_info(zone_of(item.timezone, item.hours))
    schedule = _schedule(item.hours)
    if isinstance(item, Target) and schedule is None and not rules and not conditions:
        return NOTHING_PREPARED  # a zone alone says nothing
    return Prepared(schedule, rules, zone, ready, conditions)


def _zone_info(zone: str | None) -> ZoneInfo | None:
    return ZoneInfo(zone) if zone else None
