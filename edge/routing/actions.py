"""An action (after hours, over a cap, paused, overflow, failsafe) made into a decision."""

from dataclasses import replace
from typing import NamedTuple

from edge.model.action import Action
from edge.model.config import Campaign, Number, Routes
from edge.model.decision import (
    Admission,
    Announce,
    CapClaim,
    Disposition,
    Proceed,
    Refuse,
    Sounds,
    Step,
)
from edge.model.prompts import CampaignPrompts
from edge.routing.inheritance import is_own, prompts_of, routes_of
from edge.routing.refusal import refusal
from edge.routing.snapshot import Snapshot


class Owner(NamedTuple):
    """Whose settings rule a call.

    ``number`` was dialled: the call is its.  ``campaign`` is where the call is now, and ``settings``
    the number whose own settings come before that campaign's: None in a campaign that a key or a
    forward led to.  ``entered`` are the ids that forwards led to.
    """

    number: Number
    campaign: Campaign
    settings: Number | None
    entered: tuple[str, ...] = ()

    @property
    def routes(self) -> Routes:
        """The routes that hold."""
        return self.campaign.routes if self.settings is None else routes_of(self.settings, self.campaign)

    @property
    def prompts(self) -> CampaignPrompts:
        """The prompts that hold."""
        return self.campaign.prompts if self.settings is None else prompts_of(self.settings, self.campaign)


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


def owner_of(proceed: Proceed, snapshot: Snapshot) -> Owner | None:
    """Whose settings rule a call that is under way; None with a snapshot that is not its own."""
    number, campaign = snapshot.number_by_id(proceed.number_id), snapshot.campaign(proceed.campaign_id)
    if number is None or campaign is None:
        return None
    settings = number if proceed.settings_id == number.id else None
    if settings is None and proceed.settings_id is not None:
        settings = snapshot.number_by_id(proceed.settings_id)
    return Owner(number, campaign, settings, proceed.entered)


def paused(number: Number | None, campaign: Campaign, snapshot: Snapshot) -> str | None:
    """Which of campaign, number and its publisher is paused, if one is."""
    if campaign.state == "paused":
        return "campaign"
    if number is None or number.state == "paused":
        return None if number is None else "number"
    publisher = snapshot.publisher(number.publisher_id) if number.publisher_id is not None else None
    return "publisher" if publisher is not None and publisher.state == "paused" else None


def known_prompt(snapshot: Snapshot, prompt_id: str | None) -> str | None:
    """The prompt's id if it exists: a call never fails for want of a prompt."""
    return prompt_id if prompt_id is not None and snapshot.prompt(prompt_id) is not None else None


def sounds_of(owner: Owner, snapshot: Snapshot) -> Sounds:
    """What routes and prompts want recorded and heard; prompts that no longer exist are left out."""
    prompts = owner.prompts
    return Sounds(
        owner.routes.record,
        known_prompt(snapshot, prompts.consent_prompt_id),
        known_prompt(snapshot, prompts.ringback_prompt_id),
        known_prompt(snapshot, prompts.hold_prompt_id),
    )


def act(
    action: Action, outcome: Outcome, owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...]
) -> Admission:
    """The decision that ``action`` means.  A forward consumes no cap of the number."""
    if action.action == "message":
        prompt_id = known_prompt(snapshot, action.prompt_id)
        ids = owner.number.id, owner.campaign.id
        return Announce(prompt_id, outcome.built_in, outcome.announced, outcome.detail, steps, *ids)
    if action.action == "voicemail":
        return _voicemail(action, outcome, owner, snapshot, steps)
    if action.action == "forward" and action.target_id is not None:
        made = forward(action.target_id, outcome.forwarded, owner, steps)
        return replace(made, sounds=sounds_of(owner, snapshot))
    if action.action == "forward":
        return _lead(action, outcome, owner, snapshot, steps)
    return _refuse(outcome, owner, steps)


def _refuse(outcome: Outcome, owner: Owner, steps: tuple[Step, ...]) -> Refuse:
    ids = owner.number.id, owner.campaign.id
    answer = refusal(outcome.refused)
    return Refuse(answer.status, outcome.refused, outcome.detail, steps, *ids, answer.reason_header)


def _voicemail(
    action: Action, outcome: Outcome, owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...]
) -> Announce:
    """The action's own prompt, else the one that holds for voicemail, else the built-in one."""
    prompt_id = action.prompt_id or owner.prompts.voicemail_prompt_id
    return Announce(
        known_prompt(snapshot, prompt_id),
        "voicemail",
        outcome.left or outcome.announced,
        outcome.detail,
        steps,
        owner.number.id,
        owner.campaign.id,
        voicemail=True,
    )


def forward(
    target_id: str, disposition: Disposition | None, owner: Owner, steps: tuple[Step, ...]
) -> Proceed:
    """Goes to one target instead of the routes: no greeting, no claims of the number."""
    return Proceed(
        number_id=owner.number.id,
        campaign_id=owner.campaign.id,
        claims=(),
        greeting_prompt_id=None,
        forward_target_id=target_id,
        base_disposition=disposition,
        tags=owner.number.tags,
        steps=steps,
        settings_id=owner.settings.id if owner.settings is not None else None,
        own_routes=owner.settings is not None and is_own(owner.settings, "routes"),
        entered=owner.entered,
    )


def _lead(
    action: Action, outcome: Outcome, owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...]
) -> Admission:
    """A forward to a number or a campaign: the call goes on there, and stays the dialled number's."""
    where = f"number {action.number_id}" if action.number_id is not None else f"campaign {action.campaign_id}"
    led_to = _destination(action, owner, snapshot)
    if isinstance(led_to, str):
        return _refuse(outcome, owner, (*steps, Step("forward", "nowhere", f"{where} {led_to}")))
    steps = (*steps, Step("forward", "on", where))
    return enter(led_to, snapshot, steps, "the forward", outcome.forwarded)


def _destination(action: Action, owner: Owner, snapshot: Snapshot) -> Owner | str:
    """Where a forward leads, or why it leads nowhere.

    Circles are refused when they are saved; one that the server's own failsafe closes ends here.
    """
    where = action.number_id or action.campaign_id or ""
    if where in (owner.number.id, *owner.entered):
        return "was left before: the forwards lead in a circle"
    entered = (*owner.entered, where)
    if action.number_id is None:
        campaign = snapshot.campaign(where)
        return "is gone" if campaign is None else Owner(owner.number, campaign, None, entered)
    number = snapshot.number_by_id(where)
    campaign = snapshot.campaign(number.campaign_id or "") if number is not None else None
    if number is None or campaign is None:
        return "is not in use"
    return Owner(owner.number, campaign, number, entered)


def enter(
    owner: Owner, snapshot: Snapshot, steps: tuple[Step, ...], by: str, disposition: Disposition | None
) -> Admission:
    """The call goes on where a key or a forward (``by``) led it: with the state, the prompts and the
    routes there; hours and caps are not judged again (rule: Actions)."""
    what = paused(owner.settings, owner.campaign, snapshot)
    if what is not None:
        outcome = Outcome.of(f"{by} led to a paused {what}", "rejected_paused")
        return act(owner.campaign.on_paused, outcome, owner, snapshot, steps)
    return inside(owner, snapshot, steps, disposition, ())


def inside(
    owner: Owner,
    snapshot: Snapshot,
    steps: tuple[Step, ...],
    disposition: Disposition | None,
    claims: tuple[CapClaim, ...],
) -> Proceed:
    """The call is to hear the prompts that hold, and go where the routes say."""
    settings = owner.settings
    return Proceed(
        number_id=owner.number.id,
        campaign_id=owner.campaign.id,
        claims=claims,
        greeting_prompt_id=known_prompt(snapshot, owner.prompts.greeting_prompt_id),
        forward_target_id=None,
        base_disposition=disposition,
        tags=owner.number.tags,
        steps=steps,
        menu=owner.routes.menu,
        settings_id=settings.id if settings is not None else None,
        own_routes=settings is not None and is_own(settings, "routes"),
        entered=owner.entered,
        sounds=sounds_of(owner, snapshot),
    )


def onward(made: Admission, proceed: Proceed) -> Admission:
    """What comes after ``proceed`` keeps what that call has reserved, its tags and its name."""
    if not isinstance(made, Proceed):
        return made
    named = made.base_disposition or proceed.base_disposition
    return replace(
        made, claims=proceed.claims, tags=proceed.tags, writes=proceed.writes, base_disposition=named
    )
