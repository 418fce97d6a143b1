"""Menus that would lead a caller in a circle are refused when they are saved (rule: Menus)."""

from collections.abc import Iterator

from edge.model.config import Campaign
from edge.routing.snapshot import Snapshot
from edge.services.errors import FieldError


def menu_loops(campaign: Campaign, snapshot: Snapshot) -> Iterator[FieldError]:
    """An error for each key of a campaign's menu from which keys lead back to that campaign."""
    for digit, first in _ways(campaign):
        seen, open_ways = {first}, [first]
        while open_ways:
            reached = open_ways.pop()
            if reached == campaign.id:
                where = f"routes.menu.keys.{digit}.campaign_id"
                yield FieldError(where, "the menus lead from there back to this campaign; end the circle")
                break
            there = snapshot.campaign(reached)
            further = {to for _, to in _ways(there)} - seen if there is not None else set()
            seen |= further
            open_ways += further


def _ways(campaign: Campaign) -> list[tuple[str, str]]:
    """The keys that lead to campaigns, and to which."""
    menu = campaign.routes.menu
    if menu is None:
        return []
    return [(digit, key.campaign_id) for digit, key in menu.keys.items() if key.campaign_id is not None]
