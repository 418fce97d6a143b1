"""Four settings that a number has of its campaign unless it has its own (rule: Inherited settings).

A number's own value holds whole, never merged with the campaign's field by field.
"""

from typing import Any, Final

from edge.model.config import (
    Campaign,
    Number,
    OwnConversions,
    OwnPrompts,
    OwnRoutes,
    OwnWebhooks,
    Routes,
)
from edge.model.decision import Proceed
from edge.model.inherited import Effective, Setting
from edge.model.prompts import CampaignPrompts
from edge.routing.snapshot import Snapshot

_OWN: Final = {
    "routes": OwnRoutes, "prompts": OwnPrompts, "conversions": OwnConversions, "webhooks": OwnWebhooks,
}  # fmt: skip
_NO_ROUTES: Final = Routes(max_attempts=1)


def is_own(number: Number, setting: Setting) -> bool:
    """Has the number its own value, and is it unlocked?"""
    own = getattr(number.settings, setting)
    return own is not None and not own.locked


def routes_of(number: Number, campaign: Campaign) -> Routes:
    """The routes that hold for a number."""
    own = number.settings.routes
    return campaign.routes if own is None or own.locked else own.value


def prompts_of(number: Number, campaign: Campaign) -> CampaignPrompts:
    """The prompts that hold for a number."""
    own = number.settings.prompts
    return campaign.prompts if own is None or own.locked else own.value


def routes_in(proceed: Proceed, snapshot: Snapshot) -> Routes:
    """The routes of a call that goes to targets: its number's own, or the campaign's it is in now."""
    number = snapshot.number_by_id(proceed.settings_id or "") if proceed.own_routes else None
    if number is not None and number.settings.routes is not None:
        return number.settings.routes.value
    campaign = snapshot.campaign(proceed.campaign_id)
    return campaign.routes if campaign is not None else _NO_ROUTES


def effective(number: Number, campaign: Campaign | None, setting: Setting) -> Effective:
    """What holds for a number of one setting; without a campaign nothing is inherited."""
    own = getattr(number.settings, setting)
    if own is not None and not own.locked:
        return Effective(False, own.value)
    inherited = getattr(campaign, setting) if campaign is not None else None
    return Effective(True, inherited, own.value if own is not None else None)


def with_own(number: Number, setting: Setting, value: Any) -> Number:
    """The number with an own value, unlocked."""
    return _with(number, setting, _OWN[setting](locked=False, value=value))


def locked(number: Number, setting: Setting) -> Number:
    """The number with its own value, if it has one, locked away: the campaign's holds again."""
    own = getattr(number.settings, setting)
    return number if own is None else _with(number, setting, own.model_copy(update={"locked": True}))


def _with(number: Number, setting: Setting, own: Any) -> Number:
    settings = number.settings.model_copy(update={setting: own})
    return number.model_copy(update={"settings": settings})
