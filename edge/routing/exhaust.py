"""When no target took the call: its disposition, and what the caller gets instead."""

from collections.abc import Sequence
from typing import Final

from edge.model.action import Action
from edge.model.decision import Admission, Attempt, CandidateLine, Disposition, Proceed, Reason, Refuse, Step
from edge.routing.actions import Outcome, act, onward, owner_of
from edge.routing.hunt import NOT_ACCEPTABLE
from edge.routing.refusal import refusal
from edge.routing.snapshot import Snapshot

# What a call is called when every target was passed over for this same reason.
_ALL: Final[dict[Reason, Disposition]] = {
    "closed": "no_target_all_closed",
    "capped": "no_target_all_capped",
    "cap_taken": "no_target_all_capped",
    "tag_mismatch": "no_target_all_filtered",
    "caller_list": "no_target_all_filtered",
    "duplicate": "no_target_duplicates",
    "paused": "no_target_none_configured",
    "not_reached": "no_target_none_configured",
}


def disposition_of(lines: Sequence[CandidateLine], attempts: Sequence[Attempt]) -> Disposition:
    """The disposition of a call that no target answered (rule: Dispositions).

    What was dialled decides; if nothing was, the reasons of those passed over do.
    """
    dialled = [a for a in attempts if a.outcome != "cap_taken"]
    if not dialled:
        return _none_dialled(lines, attempts)
    if all(a.outcome == "busy" for a in dialled):
        return "busy"
    if all(a.status in NOT_ACCEPTABLE for a in dialled):
        return "rejected_no_codec"
    return "no_answer" if any(a.outcome == "no_answer" for a in dialled) else "target_failed"


def _none_dialled(lines: Sequence[CandidateLine], attempts: Sequence[Attempt]) -> Disposition:
    lost = {a.target_id for a in attempts}
    kinds = {_kind(line) for line in lines if line.target_id not in lost}
    if lost:
        kinds.add("no_target_all_capped")
    if not kinds:
        return "no_target_none_configured"
    return kinds.pop() if len(kinds) == 1 else "no_target_mixed"


def _kind(line: CandidateLine) -> Disposition:
    never_tried = line.result == "eligible"
    return "no_target_mixed" if never_tried else _ALL.get(line.reason, "no_target_mixed")


def exhausted(
    proceed: Proceed, snapshot: Snapshot, lines: Sequence[CandidateLine], attempts: Sequence[Attempt]
) -> Admission:
    """What the caller gets when no candidate is left: overflow, failsafe or a refusal.

    The campaign's overflow comes first.  Its failsafe, then the server's, stand in only when
    nothing was dialled.  A target that a forward led to and that failed in turn ends the call; a number
    or campaign that one led to has an overflow of its own.
    ``lines`` are those of the call's log, marked with what became of each candidate.
    """
    disposition = disposition_of(lines, attempts)
    detail = _detail(lines, attempts)
    owner, named = owner_of(proceed, snapshot), None
    if owner is not None and proceed.forward_target_id is None:
        dialled = any(a.outcome != "cap_taken" for a in attempts)
        named = _last_resort(owner.routes.overflow, owner.campaign.failsafe or snapshot.failsafe, dialled)
    if named is None or owner is None:
        return _refused(proceed, disposition, detail, attempts)
    name, action = named
    steps = (*proceed.steps, Step("targets", disposition, detail), Step(name, action.action))
    outcome = Outcome(f"{detail}; {name}: {action.action}", disposition, disposition, None, "unavailable")
    return onward(act(action, outcome, owner, snapshot, steps), proceed)


def failsafe(proceed: Proceed, snapshot: Snapshot) -> Admission:
    """What the caller gets when routing itself failed (rule: Failsafe)."""
    owner = owner_of(proceed, snapshot)
    action = owner.campaign.failsafe or snapshot.failsafe if owner is not None else None
    steps = (*proceed.steps, Step("failsafe", action.action if action else "none", "routing failed"))
    if action is None or owner is None:
        return _refused(proceed, "error_internal", "routing failed")
    outcome = Outcome("routing failed", "error_internal", "error_internal", None, "unavailable")
    return onward(act(action, outcome, owner, snapshot, steps), proceed)


def _last_resort(
    overflow: Action | None, failsafe_action: Action | None, dialled: bool
) -> tuple[str, Action] | None:
    if overflow is not None:
        return "overflow", overflow
    return None if dialled or failsafe_action is None else ("failsafe", failsafe_action)


def _refused(
    proceed: Proceed, disposition: Disposition, detail: str, attempts: Sequence[Attempt] = ()
) -> Refuse:
    """The refusal; it brings the Reason of the target that refused last (rule: Reasons)."""
    answer = refusal(disposition)
    said = attempts[-1].sip_reason if attempts else None
    steps = (*proceed.steps, Step("targets", disposition, detail))
    return Refuse(
        answer.status,
        disposition,
        detail,
        steps,
        proceed.number_id,
        proceed.campaign_id,
        answer.reason_header or said,
    )


def _detail(lines: Sequence[CandidateLine], attempts: Sequence[Attempt]) -> str:
    """``target: reason`` of every target, dialled ones first; bounded by the route's own length."""
    tried = {a.target_id: f"{a.outcome} {a.status}" if a.status > 0 else a.outcome for a in attempts}
    passed = {line.target_id: line.reason for line in lines if line.target_id not in tried}
    return ", ".join(f"{target_id}: {why}" for target_id, why in (tried | passed).items()) or "no targets"
