"""What a caller's key in a menu, or none, means for the call (rule: Menus)."""

from dataclasses import replace
from typing import Final

from edge.model.config import Campaign, Number
from edge.model.decision import Admission, Proceed, Step
from edge.model.menu import Menu, MenuKey
from edge.routing.actions import Outcome, Owner, act, known_prompt, sounds_of
from edge.routing.snapshot import Snapshot

_PAUSED: Final = Outcome.of("the menu led to a paused campaign", "rejected_paused")


def _no_key(said: str) -> Outcome:
    return Outcome(
        f"menu: no key: {said}", "no_target_none_configured", "no_target_none_configured", None, "unavailable"
    )


def picked(proceed: Proceed, snapshot: Snapshot, digit: str, key: MenuKey) -> Admission:
    """The decision after ``digit`` was pressed, whose entry in the menu is ``key``.

    What the number's admission reserved stays reserved.  A campaign that a key leads to brings its
    routes and prompts; the call still belongs to the campaign of its number.
    """
    if key.campaign_id is None:
        steps = (*proceed.steps, Step("menu", f"key {digit}", f"target {key.target_id}"))
        return replace(proceed, menu=None, menu_target_id=key.target_id, greeting_prompt_id=None, steps=steps)
    steps = (*proceed.steps, Step("menu", f"key {digit}", f"campaign {key.campaign_id}"))
    campaign, number = snapshot.campaign(key.campaign_id), snapshot.number_by_id(proceed.number_id)
    if campaign is None or number is None:
        raise ValueError("the snapshot is not the one that this call was admitted with")
    return _enter(replace(proceed, steps=steps), snapshot, number, campaign)


def _enter(proceed: Proceed, snapshot: Snapshot, number: Number, campaign: Campaign) -> Admission:
    if campaign.state == "paused":
        return act(campaign.on_paused, _PAUSED, Owner(number, campaign), snapshot, proceed.steps)
    return replace(
        proceed,
        campaign_id=campaign.id,
        greeting_prompt_id=known_prompt(snapshot, campaign.prompts.greeting_prompt_id),
        menu=campaign.routes.menu,
        own_routes=False,
        sounds=sounds_of(campaign.routes, campaign.prompts, snapshot),
    )


def unanswered(proceed: Proceed, snapshot: Snapshot, menu: Menu) -> Admission:
    """The decision when no key was pressed: ``on_timeout``, else the targets of the route."""
    campaign, number = snapshot.campaign(proceed.campaign_id), snapshot.number_by_id(proceed.number_id)
    action = menu.on_timeout
    said = action.action if action is not None else "the route's targets"
    steps = (*proceed.steps, Step("menu", "no key", said))
    if action is None or campaign is None or number is None:
        return replace(proceed, menu=None, greeting_prompt_id=None, steps=steps)
    return act(action, _no_key(said), Owner(number, campaign), snapshot, steps)
