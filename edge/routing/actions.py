"""An action (after hours, over a cap, paused, overflow, failsafe) made into a decision."""

from dataclasses import replace
from typing import NamedTuple

from edge.model.action import Action
from edge.model.config import Campaign, Number, Routes
from edge.model.decision import Admission, Announce, Disposition, Proceed, Refuse, Sounds, Step
from edge.model.prompts import CampaignPrompts
from edge.routing.inheritance import prompts_of, routes_of
from edge.routing.refusal import refusal
from edge.routing.snapshot import Snapshot


class Owner(NamedTuple):
    """Whose settings rule a call: its number and that number's campaign."""

    number: Number
    campaign: Campaign


class Outcome(NamedTuple):
    """Why an action is taken, and how the call's record names it.

    The dispositions of the actions differ only after hours; ``forwarded`` None leaves the
    record to say ``connected``.  ``built_in`` is the prompt that is played when the action names
    none, or one that no longer exists.  A voicemail is named ``left`` where that is set.
    """

    detail: str
    announced: Disposition
    refused: Disposition
    forwarded: Disposition | None
    built_in: str
    left: Disposition | None = None

    @classmethod
    def of(cls, detail: str, disposition: Disposition) -> "Outcome":
        """One disposition whatever the action."""
        return cls(detail, disposition, disposition, disposition, "unavailable")


def known_prompt(snapshot: Snapshot, prompt_id: str | None) -> str | None:
    """The prompt's id if it exists: a call never fails for want of a prompt."""
    return prompt_id if prompt_id is not None and snapshot.prompt(prompt_id) is not None else None


def sounds_of(routes: Routes, prompts: CampaignPrompts, snapshot: Snapshot) -> Sounds:
    """What routes and prompts want recorded and heard; prompts that no longer exist are left out."""
    return Sounds(
        routes.record,
        known_prompt(snapshot, prompts.consent_prompt_id),
        known_prompt(snapshot, prompts.ringback_prompt_id),
    )


def act(
    action: Action, outcome: Outcome, owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...]
) -> Admission:
    """The decision that ``action`` means.  A forward consumes no cap of the number."""
    number, campaign = owner
    if action.action == "message":
        prompt_id = known_prompt(snapshot, action.prompt_id)
        return Announce(
            prompt_id, outcome.built_in, outcome.announced, outcome.detail, steps, number.id, campaign.id
        )
    if action.action == "voicemail":
        return _voicemail(action, outcome, owner, snapshot, steps)
    if action.action == "forward":
        made = forward(action.target_id, outcome.forwarded, owner, steps)
        return replace(
            made, sounds=sounds_of(routes_of(number, campaign), prompts_of(number, campaign), snapshot)
        )
    answer = refusal(outcome.refused)
    return Refuse(
        answer.status, outcome.refused, outcome.detail, steps, number.id, campaign.id, answer.reason_header
    )


def _voicemail(
    action: Action, outcome: Outcome, owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...]
) -> Announce:
    """The action's own prompt, else the one that holds for voicemail, else the built-in one."""
    number, campaign = owner
    prompt_id = action.prompt_id or prompts_of(number, campaign).voicemail_prompt_id
    return Announce(
        known_prompt(snapshot, prompt_id),
        "voicemail",
        outcome.left or outcome.announced,
        outcome.detail,
        steps,
        number.id,
        campaign.id,
        voicemail=True,
    )


def forward(
    target_id: str | None, disposition: Disposition | None, owner: Owner, steps: tuple[Step, ...]
) -> Proceed:
    """Goes to one target instead of the routes: no greeting, no claims of the number."""
    number, campaign = owner
    return Proceed(
        number_id=number.id,
        campaign_id=campaign.id,
        claims=(),
        greeting_prompt_id=None,
        forward_target_id=target_id,
        base_disposition=disposition,
        tags=number.tags,
        steps=steps,
    )
