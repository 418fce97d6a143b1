"""The second and third step of the decision: which targets, in which order, and once more before
each dial whether the next one still may be dialled.

Chance comes in as ``draw``, a function that answers numbers in ``[0, 1)``.
"""

from collections.abc import Callable, Container
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from edge.model.buyer import Buyer, Group
from edge.model.callers import NO_PAST, CallerPast, PastCall
from edge.model.config import Target
from edge.model.decision import CallFacts, Candidate, CandidateLine, CapClaim, Choice, Proceed, Reason
from edge.routing.caps import Counts, claims, describe, first_full
from edge.routing.filters import Condition, mismatch
from edge.routing.inheritance import routes_in
from edge.routing.known import Known
from edge.routing.past import duplicate, original, took, unlisted
from edge.routing.prepared import NOTHING_PREPARED, Prepared
from edge.routing.snapshot import Snapshot
from edge.routing.tiers import Entry, Tier, of_group

Draw = Callable[[], float]


class Skip(NamedTuple):
    """A target that is not dialled: the reason of the closed set, and the detail in words."""

    reason: Reason
    detail: str


class _Case(NamedTuple):
    """``proceed`` is None at the recheck: what a call's tags and its caller's past say was judged when it
    was routed.  ``before`` is the call whose target, or its buyer, this one is kept from."""

    facts: CallFacts
    snapshot: Snapshot
    counts: Counts
    now: datetime
    down: Container[str] = ()
    proceed: Proceed | None = None
    past: CallerPast = NO_PAST
    before: PastCall | None = None


def choose(  # noqa: PLR0917 - the decision's inputs, each of another kind
    proceed: Proceed,
    facts: CallFacts,
    snapshot: Snapshot,
    counts: Counts,
    now: datetime,
    draw: Draw,
    *,
    down: Container[str] = (),
    past: CallerPast = NO_PAST,
) -> Choice:
    """Every target that may be dialled now, best first, and a line for each that was considered.

    Lower priority first; within a tier a draw without replacement, each share = weight / sum of
    the eligible weights; weight 0 is never dialled (rule: Order of targets).  ``down`` holds the ids
    of targets that do not answer OPTIONS (rule: Finding a target).  ``past`` is that of the caller, needed
    where ``edge.routing.past.needed`` says so.
    """
    only = proceed.forward_target_id or proceed.menu_target_id
    own = proceed.settings_id if proceed.own_routes else None
    route = only, proceed.menu_group_id, own or proceed.campaign_id
    always = snapshot.chosen.get(route)
    if always is not None and past is NO_PAST and not _any_down(always, down):
        return always
    case = _Case(facts, snapshot, counts, now, down, proceed, past)
    tiers = tiers_of(proceed, snapshot)
    if past.calls:
        tiers, case = _by_past(tiers, case, proceed)
    candidates: list[Candidate] = []
    lines: list[CandidateLine] = []
    for tier in tiers:
        eligible = _eligible(tier, case, lines)
        total = sum(entry.weight for entry in eligible)
        for target_id, weight, group_id, _ in _drawn(eligible, draw):
            odds = weight / total
            candidates.append(Candidate(target_id, tier.priority, odds, group_id))
            lines.append(CandidateLine(target_id, tier.priority, odds, "eligible", "not_reached", group_id))
    made = Choice(tuple(candidates), tuple(lines))
    if past is NO_PAST and len(candidates) == len(tiers) and _hold_always(tiers, snapshot):
        return snapshot.chosen.keep(route, made)
    return made


def _any_down(choice: Choice, down: Container[str]) -> bool:
    # Not with any(), which is one function more for each target.
    for candidate in choice.candidates:  # noqa: SIM110
        if candidate.target_id in down:
            return True
    return False


def _hold_always(tiers: tuple[Tier, ...], snapshot: Snapshot) -> bool:
    """Whether every tier is one target that takes any call at any time, as long as it is not down."""
    return all(
        len(tier.entries) == 1 and tier.entries[0].weight > 0 and _takes_any(tier.entries[0], snapshot)
        for tier in tiers
    )


def _takes_any(entry: Entry, snapshot: Snapshot) -> bool:
    target = snapshot.target(entry.target_id)
    return (
        target is not None
        and target.state == "active"
        and target.buyer_id is None
        and entry.group_id is None
        and not entry.conditions
        and snapshot.prepared(target.id) is NOTHING_PREPARED
        and target.id not in snapshot.askers
    )


def tiers_of(proceed: Proceed, snapshot: Snapshot) -> tuple[Tier, ...]:
    """The tiers of a call: those of its one target or group, or of the route that holds."""
    only = proceed.forward_target_id or proceed.menu_target_id
    if only is not None:
        return (Tier(1, (Entry(only, 1),)),)
    if proceed.menu_group_id is not None:
        return of_group(proceed.menu_group_id, snapshot.group)
    own = proceed.settings_id if proceed.own_routes else None
    return snapshot.tiers(own or proceed.campaign_id)


def _by_past(tiers: tuple[Tier, ...], case: _Case, proceed: Proceed) -> tuple[tuple[Tier, ...], _Case]:
    """Whoever took the caller's call before comes first, or not at all (rule: Duplicates)."""
    rule, snapshot = routes_in(proceed, case.snapshot).duplicates, case.snapshot
    number = snapshot.number_by_id(proceed.number_id)
    found = original(rule, case.past, case.facts, number.campaign_id if number is not None else None)
    if rule is None or found is None:
        return tiers, case
    if rule.handling == "away_from_original":
        return tiers, case._replace(before=found)
    first, rest = [], []
    for tier in tiers:
        theirs = tuple(e for e in tier.entries if took(found, snapshot.target(e.target_id)))
        others = tuple(e for e in tier.entries if e not in theirs)
        first += [Tier(tier.priority, theirs)] if theirs else []
        rest += [Tier(tier.priority, others)] if others else []
    return (*first, *rest), case


def _eligible(tier: Tier, case: _Case, lines: list[CandidateLine]) -> list[Entry]:
    """The tier's targets that may be dialled; the others leave their line."""
    eligible = []
    for entry in tier.entries:
        judged = _judge(entry, case)
        reason = judged.reason if isinstance(judged, Skip) else "not_reached" if entry.weight == 0 else None
        if reason is None:
            eligible.append(entry)
        else:
            line = CandidateLine(entry.target_id, tier.priority, 0.0, "skipped", reason, entry.group_id)
            lines.append(line)
    return eligible


def _drawn(entries: list[Entry], draw: Draw) -> list[Entry]:
    """The entries in a random order, by weight, without replacement; one entry needs no draw."""
    if len(entries) < 2:
        return entries
    left, ordered = entries.copy(), []
    while len(left) > 1:
        ordered.append(left.pop(_pick(left, draw())))
    return ordered + left


def _pick(entries: list[Entry], point: float) -> int:
    """The place of the entry whose stretch of the summed weights holds ``point`` (0..1)."""
    mark = point * sum(entry.weight for entry in entries)
    for place, entry in enumerate(entries):
        mark -= entry.weight
        if mark < 0:
            return place
    return len(entries) - 1


def recheck(
    candidate: Candidate,
    facts: CallFacts,
    snapshot: Snapshot,
    counts: Counts,
    now: datetime,
    *,
    down: Container[str] = (),
) -> Skip | tuple[CapClaim, ...]:
    """Right before a dial: why the target is not dialled after all, or the slots to reserve.

    Hours are judged at ``now``, cap windows at the call's arrival (rules: Business hours, Caps).
    """
    target_id, group_id = candidate.target_id, candidate.group_id
    if group_id is None and target_id in snapshot.undemanding and target_id not in down:
        return ()
    return _judge(Entry(target_id, 1, group_id), _Case(facts, snapshot, counts, now, down))


def concurrency(candidate: Candidate, facts: CallFacts, snapshot: Snapshot) -> tuple[CapClaim, ...]:
    """The slots that a conversation with a target holds while it lasts, whether they are free or not."""
    target = snapshot.target(candidate.target_id)
    if target is None:
        return ()
    wanted: list[CapClaim] = []
    for owner in (target, *_above(target, candidate.group_id, snapshot)):
        own = snapshot.prepared(owner.id)
        wanted += claims(own.rules, own.zone or UTC, facts.arrived_at)
    return tuple(claim for claim in wanted if claim.counts_on == "concurrency")


def mark(lines: list[CandidateLine], target_id: str, result: str, reason: Reason) -> None:
    """Says in the call's decision log what became of a candidate: dialled, or skipped after all."""
    for place, line in enumerate(lines):
        if line.target_id == target_id and line.result == "eligible":
            lines[place] = replace(line, result=result, reason=reason)
            return


def _judge(entry: Entry, case: _Case) -> Skip | tuple[CapClaim, ...]:
    target = case.snapshot.target(entry.target_id)
    if target is None:
        return Skip("down", "the target no longer exists")
    if target.state == "paused":
        return Skip("paused", "the target is paused")
    if target.id in case.down:
        return Skip("down", "the target does not answer OPTIONS")
    if case.before is None and _takes_any(entry, case.snapshot):
        case.snapshot.undemanding.keep(target.id, value=True)
        return ()
    above = _above(target, entry.group_id, case.snapshot)
    for owner in above:
        if owner.state == "paused":
            return Skip("paused", f"{owner.id} is paused")
    own = case.snapshot.prepared(target.id)
    return (
        _filtered(entry.conditions + own.conditions, case)
        or (_by_caller(target, case) if case.proceed is not None else None)
        or _closed(target.id, own, case)
        or _wanted(own, above, case)
    )


def _by_caller(target: Target, case: _Case) -> Skip | None:
    """Does the target want this caller: by its lists, and by the calls it has had before?"""
    if case.before is not None and took(case.before, target):
        return Skip("duplicate", "the caller goes away from whoever took its call before")
    if target.id not in case.snapshot.askers:
        return None
    listed = unlisted(target, case.past)
    if listed is not None:
        return Skip("caller_list", listed)
    again = duplicate(target, case.past, case.facts)
    return None if again is None else Skip("duplicate", again)


def _filtered(conditions: tuple[Condition, ...], case: _Case) -> Skip | None:
    """Does the call pass the filters of the target, and those of its place in the route?"""
    if not conditions or case.proceed is None:
        return None
    known = Known(case.facts, case.snapshot, case.proceed.number_id, case.past)
    failed = mismatch(conditions, known, case.proceed.tags)
    return None if failed is None else Skip("tag_mismatch", f"not {failed.words}")


def _above(target: Target, group_id: str | None, snapshot: Snapshot) -> tuple[Group | Buyer, ...]:
    """The group that brought the target and its buyer, on which a call counts as well."""
    if group_id is None and target.buyer_id is None:
        return ()
    group = snapshot.group(group_id) if group_id is not None else None
    buyer = snapshot.buyer(target.buyer_id) if target.buyer_id is not None else None
    return tuple(owner for owner in (group, buyer) if owner is not None)


def _closed(target_id: str, own: Prepared, case: _Case) -> Skip | None:
    schedule = None if own.schedule is None else case.snapshot.schedule(target_id)
    if schedule is None or schedule.is_open(case.now):
        return None
    return Skip("closed", schedule.judge(case.now).reason)


def _wanted(own: Prepared, above: tuple[Group | Buyer, ...], case: _Case) -> Skip | tuple[CapClaim, ...]:
    """The slots of the target, its group and its buyer: all of them, or none (rule: Caps)."""
    wanted = _claims(own, case)
    for owner in above:
        wanted += _claims(case.snapshot.prepared(owner.id), case)
    if not wanted:
        return ()
    full = first_full(wanted, case.counts)
    return wanted if full is None else Skip("capped", describe(full, case.counts))


def _claims(owner: Prepared, case: _Case) -> tuple[CapClaim, ...]:
    return claims(owner.rules, owner.zone or UTC, case.facts.arrived_at) if owner.rules else ()
