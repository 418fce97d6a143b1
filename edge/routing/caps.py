"""Caps: which window a call falls into, and the slots that it wants (``docs/rules.md``, Caps).

A cap's windows are calendar windows in its owner's zone; a call belongs to the window that holds
its *arrival*, whatever happens later.  Nothing here counts: the ledger does.
"""

from datetime import datetime, tzinfo
from typing import Final, NamedTuple, Protocol

from edge.model.action import Action
from edge.model.cap import Cap
from edge.model.config import Hours
from edge.model.decision import CapClaim
from edge.model.types import WEEKDAYS, minutes

UNLIMITED: Final = 1 << 62
"""The limit of a cap without one."""


class Counts(Protocol):
    """What is taken now of a cap's window: used plus reserved."""

    def taken(self, cap_id: str, window: str) -> int:
        """Slots taken of ``cap_id`` in ``window`` (``""`` for concurrency)."""
        ...


class CapRule(NamedTuple):
    """A cap of one owner, ready to be claimed.  ``fixed`` is the claim that depends on no date."""

    cap_id: str
    owner_id: str
    cap: Cap
    limit: int
    fixed: CapClaim | None

    def claim(self, window: str) -> CapClaim:
        """One slot of it in a window."""
        cap = self.cap
        if cap.window == "concurrency":
            return CapClaim(self.cap_id, self.owner_id, window, self.limit, "concurrency")
        return CapClaim(
            self.cap_id, self.owner_id, window, self.limit, cap.counts_on, cap.is_strict, cap.warning
        )


def cap_rules(owner_id: str, caps: tuple[Cap, ...], max_calls: int | None = None) -> tuple[CapRule, ...]:
    """The owner's caps; ``max_calls`` is a concurrency cap of its own id.

    An unlimited one is counted like all others, so that a limit that comes later finds what is used.
    """
    wanted = [_rule(owner_id, cap) for cap in caps]
    if max_calls is not None:
        cap = Cap(id=f"max_calls:{owner_id}", window="concurrency", limit=max_calls)
        wanted.append(_rule(owner_id, cap))
    return tuple(wanted)


def _rule(owner_id: str, cap: Cap) -> CapRule:
    cap_id = cap.id or f"{owner_id}/{cap.window}/{cap.counts_on}"
    limit = UNLIMITED if cap.limit is None else cap.limit
    rule = CapRule(cap_id, owner_id, cap, limit, None)
    fixed = _UNDATED.get(cap.window) if cap.from_ is None else None
    return rule if fixed is None else rule._replace(fixed=rule.claim(fixed))


_UNDATED: Final = {"concurrency": "", "lifetime": "lifetime"}


def window_of(cap: Cap, local: datetime) -> str:
    """The name of the cap's window around an instant in the owner's zone, as ``CapClaim.window``.

    A wall time that comes twice is one window (rule: Caps).
    """
    text = local.isoformat()
    match cap.window:
        case "hour":
            return text[:13]
        case "month":
            return text[:7]
        case "day":
            return text[:10]
        case "block":
            return f"{text[:10]}T{cap.from_}"
    return _UNDATED[cap.window]


def applies(cap: Cap, local: datetime) -> bool:
    """Does a call that arrives now fall under the cap: within its block, on one of its days?"""
    if cap.from_ is None or cap.to is None:
        return True
    minute = local.hour * 60 + local.minute
    on_day = not cap.days or WEEKDAYS[local.weekday()] in cap.days
    return on_day and minutes(cap.from_) <= minute < minutes(cap.to)


def claims(rules: tuple[CapRule, ...], zone: tzinfo, arrived_at: datetime) -> tuple[CapClaim, ...]:
    """One claim for every rule that applies, in the window of ``arrived_at`` (aware) in ``zone``."""
    if not rules:
        return ()
    local = None
    wanted = []
    for rule in rules:
        if rule.fixed is not None:
            wanted.append(rule.fixed)
            continue
        local = local or arrived_at.astimezone(zone)
        if applies(rule.cap, local):
            wanted.append(rule.claim(window_of(rule.cap, local)))
    return tuple(wanted)


def first_full(claims: tuple[CapClaim, ...], counts: Counts) -> CapClaim | None:
    """The first claim that finds no slot free by ``counts``, which is advice: the ledger judges."""
    for claim in claims:
        if counts.taken(claim.cap_id, claim.window) >= claim.limit:
            return claim
    return None


def describe(claim: CapClaim, counts: Counts) -> str:
    """A full cap in words, for the decision log."""
    taken = counts.taken(claim.cap_id, claim.window)
    where = f"in {claim.window}" if claim.window else "at once"
    return f"{claim.cap_id}: {taken} of {claim.limit} calls {where}"


def zone_of(timezone: str | None, hours: Hours | None) -> str | None:
    """The zone of an owner's windows: its own, else that of its hours, else None."""
    if timezone is not None:
        return timezone
    return hours.timezone if hours is not None else None


def zone_missing(caps: tuple[Cap, ...], *zones: str | None) -> bool:
    """Does a calendar window lack a zone?  The owner is then refused when it is saved (422)."""
    dated = (cap for cap in caps if cap.window not in _UNDATED or cap.from_ is not None)
    return any(dated) and not any(zones)


def on_cap(rules: tuple[CapRule, ...], cap_id: str) -> Action | None:
    """The action that the full cap itself names, if it does."""
    for rule in rules:
        if rule.cap_id == cap_id:
            return rule.cap.on_cap
    return None
