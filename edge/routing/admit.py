"""The first step of the decision: is this call served, and what happens first?

The gates stand in the order of ``docs/rules.md`` (Order of the decision); the first that says no
decides.  Each leaves a step in the decision log.  A new admission rule is one more gate and its
row in ``edge.routing.refusal``.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Final, NamedTuple

from edge.model.action import Action
from edge.model.config import Hours, Number
from edge.model.decision import Admission, CallFacts, CapClaim, Proceed, Refuse, Step
from edge.routing.actions import Outcome, Owner, act, inside, paused
from edge.routing.barring import declined
from edge.routing.caps import Counts, claims, describe, first_full, on_cap
from edge.routing.linking import owner as pool_owner
from edge.routing.linking import pool_of
from edge.routing.openness import outside, windows_of
from edge.routing.prepared import NOTHING_PREPARED, Prepared
from edge.routing.refusal import refusal
from edge.routing.schedule import Schedule
from edge.routing.snapshot import Snapshot

_MESSAGE: Final = Action(action="message")


class _Case(NamedTuple):
    """One call at the gates: what is known and what the steps before have said."""

    facts: CallFacts
    snapshot: Snapshot
    counts: Counts
    owner: Owner
    steps: list[Step]

    def note(self, step: str, result: str, reason: str = "") -> tuple[Step, ...]:
        self.steps.append(Step(step, result, reason))
        return tuple(self.steps)


def admit(facts: CallFacts, snapshot: Snapshot, counts: Counts) -> Admission:
    """Judges a call at its arrival (rule: Order of the decision).

    ``Proceed.claims`` are to be reserved before anything else happens; if one is full after all,
    ``over_cap`` says what the call gets instead.  ``counts`` is advice.
    """
    always = snapshot.admitted.get(facts.called)
    if always is not None and not snapshot.blocks:
        return always
    steps: list[Step] = []
    found = _known_number(facts, snapshot, steps)
    if not isinstance(found, Owner):
        return found
    case = _Case(facts, snapshot, counts, found, steps)
    for gate in GATES:
        admission = gate(case)
        if admission is not None:
            return admission
        if always is not None:
            return always  # only blocks, the first gate, could have said otherwise
    made = _proceed(case)
    return snapshot.admitted.keep(facts.called, made) if _holds_always(case) else made


def _known_number(facts: CallFacts, snapshot: Snapshot, steps: list[Step]) -> Owner | Admission:
    """A number of ours that is in use; the trunk's default number stands in for unknown ones."""
    number, said = snapshot.number(facts.called), "ours"
    if number is None:
        trunk = snapshot.trunk(facts.trunk_id)
        default_id = trunk.default_number_id if trunk is not None else None
        number = snapshot.number_by_id(default_id) if default_id is not None else None
        said = "unknown; the trunk's default number takes it"
    if number is None:
        return _unknown(steps, f"{facts.called or 'no number'} is not one of our numbers", None)
    if number.release is not None:
        return _released(steps, number)
    if number.campaign_id is None:
        pool = pool_of(number, facts, snapshot)
        if pool is not None:
            steps.append(Step("number", "known", f"ours, of pool {pool.name}"))
            return pool_owner(number, pool, facts, snapshot, steps)
    campaign = snapshot.campaign(number.campaign_id) if number.campaign_id is not None else None
    if campaign is None or number.state == "available":
        return _unknown(steps, f"{number.e164} is in stock: no campaign uses it", number.id)
    steps.append(Step("number", "known", said))
    return Owner(number, campaign, number)


def _released(steps: list[Step], number: Number) -> Refuse:
    reason = f"{number.e164} was released"
    steps.append(Step("number", "released", reason))
    return Refuse(refusal("rejected_released").status, "rejected_released", reason, tuple(steps), number.id)


def _unknown(steps: list[Step], reason: str, number_id: str | None) -> Refuse:
    steps.append(Step("number", "unknown", reason))
    answer = refusal("rejected_unknown_number")
    return Refuse(answer.status, "rejected_unknown_number", reason, tuple(steps), number_id)


def _paused(case: _Case) -> Admission | None:
    number, campaign = case.owner.number, case.owner.campaign
    what = paused(number, campaign, case.snapshot)
    if what is None:
        case.note("paused", "no")
        return None
    steps = case.note("paused", "yes", f"the {what} is paused")
    outcome = Outcome.of(f"{what} paused", "rejected_paused")
    return act(campaign.on_paused, outcome, case.owner, case.snapshot, steps)


def _blocked(case: _Case) -> Admission | None:
    """A caller that the account or the campaign does not serve, before anything else is judged."""
    number, campaign = case.owner.number, case.owner.campaign
    return declined(case.facts, case.snapshot.blocks, case.steps, number.id, campaign.id)


def _outside_window(case: _Case) -> Admission | None:
    """Both windows are judged: the number's and its campaign's (rule: Activity window)."""
    reason = outside(windows_of(case.owner.number, case.owner.campaign), case.facts.arrived_at)
    if reason is None:
        return None
    return _shut(case, "window_ended", case.note("window", "outside", reason))


def _shut(case: _Case, detail: str, steps: tuple[Step, ...]) -> Admission:
    outcome = Outcome(
        detail, "after_hours_message", "after_hours_reject", "after_hours_forward", "closed",
        "after_hours_voicemail",
    )  # fmt: skip
    return act(_after_hours(case.owner), outcome, case.owner, case.snapshot, steps)


def _closed(case: _Case) -> Admission | None:
    schedule = _schedule(case)
    if schedule is None:
        case.note("hours", "open", "always open")
        return None
    judgement = schedule.judge(case.facts.arrived_at)
    steps = case.note("hours", "open" if judgement.open else "closed", judgement.reason)
    if judgement.open:
        return None
    return _shut(case, "closed", steps)


def _over_cap(case: _Case) -> Admission | None:
    wanted = _arrival_claims(case)
    if not wanted:
        case.note("caps", "free", "no caps")
        return None
    full = first_full(wanted, case.counts)
    if full is None:
        case.note("caps", "free", f"{len(wanted)} to reserve")
        return None
    return _capped(case.owner, case.snapshot, case.steps, full.cap_id, describe(full, case.counts))


# Hours stand before caps, so that a closed number never reports "capped".
GATES: Final[tuple[Callable[[_Case], Admission | None], ...]] = (
    _blocked, _paused, _outside_window, _closed, _over_cap,
)  # fmt: skip


def over_cap(proceed: Proceed, snapshot: Snapshot, cap_id: str) -> Admission:
    """What a call gets whose reservation at arrival found ``cap_id`` full (rule: Caps).

    Raises ``ValueError`` when ``snapshot`` is not the one that admitted the call.
    """
    number = snapshot.number_by_id(proceed.number_id)
    campaign = snapshot.campaign(proceed.campaign_id)
    if number is None or campaign is None:
        raise ValueError("the snapshot is not the one that this call was admitted with")
    reason = f"{cap_id} was full when it was to be reserved"
    made = _capped(Owner(number, campaign, number), snapshot, list(proceed.steps), cap_id, reason)
    if not isinstance(made, Proceed):
        return made
    return replace(made, tags=proceed.tags, writes=proceed.writes)


def _capped(owner: Owner, snapshot: Snapshot, steps: list[Step], cap_id: str, reason: str) -> Admission:
    steps.append(Step("caps", "full", reason))
    owners = (owner.number.id, owner.campaign.id, owner.number.publisher_id or "")
    rules = tuple(rule for owner_id in owners for rule in snapshot.prepared(owner_id).rules)
    action = on_cap(rules, cap_id) or _after_hours(owner)
    return act(action, Outcome.of(reason, "number_cap"), owner, snapshot, tuple(steps))


def _hours(owner: Owner) -> Hours | None:
    """The number's hours win whole; without any of its own the campaign's hold."""
    return owner.campaign.hours if owner.number.hours is None else owner.number.hours


def _after_hours(owner: Owner) -> Action:
    hours = _hours(owner)
    return _MESSAGE if hours is None else hours.after_hours


def _schedule(case: _Case) -> Schedule | None:
    number, campaign = case.owner.number, case.owner.campaign
    owner_id = campaign.id if number.hours is None else number.id
    return case.snapshot.schedule(owner_id)


def _arrival_claims(case: _Case) -> tuple[CapClaim, ...]:
    """The slots of the number, its campaign and its publisher, to be reserved at arrival and kept."""
    own, arrived_at = case.snapshot.prepared(case.owner.number.id), case.facts.arrived_at
    wanted = claims(own.rules, _zone(own, case), arrived_at) if own.rules else ()
    for owner_id in (case.owner.campaign.id, case.owner.number.publisher_id):
        above = case.snapshot.prepared(owner_id) if owner_id is not None else NOTHING_PREPARED
        if above.rules:
            wanted += claims(above.rules, above.zone or UTC, arrived_at)
    return wanted


def _zone(own: Prepared, case: _Case) -> tzinfo:
    """A number without a zone of its own counts in its campaign's, whose hours it keeps as well."""
    return own.zone or case.snapshot.prepared(case.owner.campaign.id).zone or UTC


def _holds_always(case: _Case) -> bool:
    """Whether every call to this number is let in, unless its caller is blocked: nothing that was judged
    depends on the time, on counts, on a visit or, like a trunk's default number, on the trunk."""
    number, campaign = case.owner.number, case.owner.campaign
    return (
        number.e164 == case.facts.called
        and number.campaign_id is not None
        and all(window.active_from is None and window.active_until is None for window in (number, campaign))
        and _schedule(case) is None
        and not _has_caps(case)
    )


def _has_caps(case: _Case) -> bool:
    number, campaign = case.owner.number, case.owner.campaign
    owners = number.id, campaign.id, number.publisher_id or ""
    return any(case.snapshot.prepared(owner_id).rules for owner_id in owners)


def _proceed(case: _Case) -> Proceed:
    made = inside(case.owner, case.snapshot, (), None, _arrival_claims(case))
    steps = case.note("prompts", "none" if made.greeting_prompt_id is None else "greeting")
    return replace(made, steps=steps)
