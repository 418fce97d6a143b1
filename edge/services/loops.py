"""Ways that lead a call in a circle are refused when they are saved (rules: Actions, Menus).

A call is led on by forwards and by keys, from number or campaign to number or campaign.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edge.model.action import Action
from edge.model.config import Campaign, Number, Routes
from edge.routing.inheritance import is_own, routes_of
from edge.routing.snapshot import Snapshot
from edge.services.errors import FieldError

Place = Number | Campaign
_MOST = 50
"""Places that one call may be led through."""


class _Way(NamedTuple):
    """Where a field leads: to the number or the campaign of an id."""

    path: str
    to: str


def circles(item: Place, snapshot: Snapshot) -> Iterator[FieldError]:
    """An error for each field of a number or campaign, as it is to be saved, that leads into a circle."""
    map_ = _Map(item, snapshot)
    for way in map_.ways(item):
        circle = map_.circle(way.to, (item.id,))
        if circle is not None:
            told = " → ".join(map_.name(each) for each in circle)
            yield FieldError(way.path, f"calls would be led in a circle, or too far ({told}); end it")


class _Map:
    """The snapshot with one object replaced."""

    def __init__(self, item: Place, snapshot: Snapshot) -> None:
        self._item = item
        self._snapshot = snapshot
        self._harmless: set[str] = set()

    def place(self, place_id: str) -> Place | None:
        if place_id == self._item.id:
            return self._item
        return self._snapshot.number_by_id(place_id) or self._snapshot.campaign(place_id)

    def name(self, place_id: str) -> str:
        found = self.place(place_id)
        return place_id if found is None else found.e164 if isinstance(found, Number) else found.name

    def circle(self, place_id: str, passed: tuple[str, ...]) -> tuple[str, ...] | None:
        """The way from ``passed`` on into a circle, if there is one; looks at each place once."""
        if place_id in passed or len(passed) > _MOST:
            return (*passed, place_id)
        found = self.place(place_id)
        if found is None or place_id in self._harmless:
            return None
        for way in self.ways(found):
            circle = self.circle(way.to, (*passed, place_id))
            if circle is not None:
                return circle
        self._harmless.add(place_id)
        return None

    def ways(self, place: Place) -> list[_Way]:
        """Every way on from a number, those that it inherits included, or from a campaign."""
        if isinstance(place, Campaign):
            return [*_of_routes(place.routes, "routes"), *_of_actions(_campaigns(place))]
        campaign = self.place(place.campaign_id or "")
        if not isinstance(campaign, Campaign):
            return []
        where = "settings.routes.value" if is_own(place, "routes") else "routes"
        inherited = (each for each in _campaigns(campaign) if place.hours is None or each[0] != _AFTER_HOURS)
        actions = [*_numbers(place), *inherited]
        return [*_of_routes(routes_of(place, campaign), where), *_of_actions(actions)]


_AFTER_HOURS = "hours.after_hours"
_Named = tuple[str, Action | None]


def _campaigns(campaign: Campaign) -> Iterator[_Named]:
    yield "on_paused", campaign.on_paused
    yield "failsafe", campaign.failsafe
    yield from _numbers(campaign)


def _numbers(place: Place) -> Iterator[_Named]:
    if place.hours is not None:
        yield _AFTER_HOURS, place.hours.after_hours
    for index, cap in enumerate(place.caps):
        yield f"caps[{index}].on_cap", cap.on_cap


def _of_actions(named: Iterable[_Named]) -> Iterator[_Way]:
    for path, action in named:
        if action is not None and action.number_id is not None:
            yield _Way(f"{path}.number_id", action.number_id)
        elif action is not None and action.campaign_id is not None:
            yield _Way(f"{path}.campaign_id", action.campaign_id)


def _of_routes(routes: Routes, path: str) -> Iterator[_Way]:
    yield from _of_actions([(f"{path}.overflow", routes.overflow)])
    if routes.menu is not None:
        yield from _of_actions([(f"{path}.menu.on_timeout", routes.menu.on_timeout)])
        for digit, key in routes.menu.keys.items():
            if key.campaign_id is not None:
                yield _Way(f"{path}.menu.keys.{digit}.campaign_id", key.campaign_id)
