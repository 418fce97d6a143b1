"""What a caller's past means for its call: lists, duplicates, the original buyer
(``docs/rules.md``, Caller lists, Duplicates)."""

from datetime import datetime, timedelta

from edge.model.callers import After, CallerPast, DuplicateRouting, Duplicates, PastCall
from edge.model.config import Target
from edge.model.decision import CallFacts, Proceed
from edge.routing.snapshot import Snapshot
from edge.routing.tiers import Tier


def needed(proceed: Proceed, tiers: tuple[Tier, ...], snapshot: Snapshot) -> bool:
    """Does the choice of this call's targets need the caller's past?"""
    askers = snapshot.askers
    if proceed.campaign_id in askers or proceed.settings_id in askers:
        return True
    return any(entry.target_id in askers for tier in tiers for entry in tier.entries)


def unlisted(target: Target, past: CallerPast) -> str | None:
    """Why the target's caller lists keep the call out, in words.

    When the lists can not be read the call is kept out: it may be one that must not be sent.
    """
    if not target.suppression_list_ids and not target.book_list_ids:
        return None
    if not past.readable:
        return "the caller lists can not be read"
    for list_id in target.suppression_list_ids:
        if list_id in past.lists:
            return f"the caller is on {list_id}, which is suppressed"
    if target.book_list_ids and past.lists.isdisjoint(target.book_list_ids):
        return "the caller is not in the target's book of business"
    return None


def duplicate(target: Target, past: CallerPast, facts: CallFacts) -> str | None:
    """Why the caller counts as a duplicate for the target, in words."""
    rule = target.duplicates
    if rule is None:
        return None
    for call in past.calls:
        if _counts(call, rule.after, rule.days, facts.arrived_at) and _same(rule, target, call):
            return f"{rule.after} on {call.at:%Y-%m-%d %H:%M} UTC, less than {rule.days} days ago"
    return None


def _same(rule: Duplicates, target: Target, call: PastCall) -> bool:
    if rule.scope == "buyer" and target.buyer_id is not None:
        return call.buyer_id == target.buyer_id
    return call.target_id == target.id


def _counts(call: PastCall, after: After, days: int, now: datetime) -> bool:
    """Half-open: exactly ``days`` later it counts no more."""
    if call.target_id is None or (after == "converted" and not call.converted):
        return False
    return now - call.at < timedelta(days=days)


def original(
    rule: DuplicateRouting | None, past: CallerPast, facts: CallFacts, campaign_id: str | None
) -> PastCall | None:
    """The newest call that decides where a caller of before goes; None: it goes the usual way."""
    if rule is None or rule.handling == "normal":
        return None
    return next(
        (
            call
            for call in past.calls
            if call.campaign_id == campaign_id and _counts(call, rule.after, rule.days, facts.arrived_at)
        ),
        None,
    )


def took(call: PastCall, target: Target | None) -> bool:
    """Was it this target, or another of its buyer, that took the call?"""
    if target is None:
        return False
    return call.target_id == target.id or (call.buyer_id is not None and call.buyer_id == target.buyer_id)


def repeats(past: CallerPast, number_id: str | None) -> bool:
    """Has the caller called this number before?"""
    return any(call.number_id == number_id for call in past.calls)
