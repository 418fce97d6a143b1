"""What a caller's key in a menu, or none, means for the call (rule: Menus)."""

from dataclasses import replace
from datetime import datetime

from edge.model.decision import Admission, Proceed, Step
from edge.model.menu import Menu, MenuKey
from edge.routing.actions import Outcome, act, enter, onward, owner_of
from edge.routing.snapshot import Snapshot
from edge.routing.tags import tagged


def _no_key(said: str) -> Outcome:
    return Outcome(
        f"menu: no key: {said}", "no_target_none_configured", "no_target_none_configured", None, "unavailable"
    )


def picked(proceed: Proceed, snapshot: Snapshot, digit: str, key: MenuKey, at: datetime) -> Admission:
    """The decision after ``digit`` was pressed ``at`` an instant, whose entry in the menu is ``key``.

    What the number's admission reserved stays reserved.  A campaign that a key leads to brings its
    routes and prompts; the call still belongs to the campaign of its number.
    """
    if key.tags:
        number = snapshot.number_by_id(proceed.number_id)
        proceed = tagged(proceed, number.tags if number is not None else {}, "menu", key.tags, at)
    if key.campaign_id is None:
        where = f"target {key.target_id}" if key.target_id is not None else f"group {key.group_id}"
        return replace(
            proceed,
            menu=None,
            menu_target_id=key.target_id,
            menu_group_id=key.group_id,
            greeting_prompt_id=None,
            steps=(*proceed.steps, Step("menu", f"key {digit}", where)),
        )
    steps = (*proceed.steps, Step("menu", f"key {digit}", f"campaign {key.campaign_id}"))
    campaign, owner = snapshot.campaign(key.campaign_id), owner_of(proceed, snapshot)
    if campaign is None or owner is None:
        raise ValueError("the snapshot is not the one that this call was admitted with")
    led_to = owner._replace(campaign=campaign, settings=None)
    return onward(enter(led_to, snapshot, steps, "the menu", None), proceed)


def unanswered(proceed: Proceed, snapshot: Snapshot, menu: Menu) -> Admission:
    """The decision when no key was pressed: ``on_timeout``, else the targets of the route."""
    owner, action = owner_of(proceed, snapshot), menu.on_timeout
    said = action.action if action is not None else "the route's targets"
    steps = (*proceed.steps, Step("menu", "no key", said))
    if action is None or owner is None:
        return replace(proceed, menu=None, greeting_prompt_id=None, steps=steps)
    return onward(act(action, _no_key(said), owner, snapshot, steps), proceed)
