"""The tiers of a route: its targets by priority, those of groups among them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from edge.model.buyer import Group
from edge.model.config import Routes, RouteTarget
from edge.routing.filters import Condition, ready


class Entry(NamedTuple):
    """A target's place in a tier; ``group_id`` is the group that brought it, if one did, and
    ``conditions`` are those of its place in the route."""

    target_id: str
    weight: int
    group_id: str | None = None
    conditions: tuple[Condition, ...] = ()


class Tier(NamedTuple):
    """The targets of one priority, each with its weight, in the order of the route."""

    priority: int
    entries: tuple[Entry, ...]


def fixed(routes: Routes) -> bool:
    """Does the route name targets only, so that no edit of a group changes its tiers?"""
    return all(entry.group_id is None for entry in routes.targets)


def tiers(routes: Routes, group: Callable[[str], Group | None]) -> tuple[Tier, ...]:
    """Lowest priority first; a target that is listed twice keeps its first place (rule: Groups).

    ``group`` finds a group by its id.
    """
    placed: dict[int, list[Entry]] = {}
    seen: set[str] = set()
    every = [pair for entry in routes.targets for pair in _places(entry, group)]
    for priority, entry in sorted(every, key=lambda pair: pair[0]):
        if entry.target_id not in seen:
            seen.add(entry.target_id)
            placed.setdefault(priority, []).append(entry)
    return tuple(Tier(priority, tuple(entries)) for priority, entries in placed.items())


def of_group(group_id: str, group: Callable[[str], Group | None]) -> tuple[Tier, ...]:
    """The tiers of one group, as if it were a whole route."""
    return tiers(Routes(targets=(RouteTarget(group_id=group_id),)), group)


def _places(listed: RouteTarget, group: Callable[[str], Group | None]) -> Iterator[tuple[int, Entry]]:
    """A listed target, or the members of a listed group: their own priority and weight come first."""
    conditions = ready(listed.filters)
    if listed.target_id is not None:
        yield listed.priority, Entry(listed.target_id, listed.weight, None, conditions)
    found = group(listed.group_id) if listed.group_id is not None else None
    for member in found.members if found is not None else ():
        priority = listed.priority if member.priority is None else member.priority
        weight = listed.weight if member.weight is None else member.weight
        yield priority, Entry(member.target_id, weight, listed.group_id, conditions)
