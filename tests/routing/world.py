"""Small configurations for the routing tests, and counts that can be set."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from edge.model.action import Action
from edge.model.buyer import Buyer, Group, GroupMember
from edge.model.config import Campaign, Hours, Number, Prompt, Routes, RouteTarget, Target, Trunk
from edge.model.decision import CallFacts
from edge.routing.snapshot import Snapshot

NEW_YORK = ZoneInfo("America/New_York")
STAMP: dict[str, Any] = {
    "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 1, 1, tzinfo=UTC),
    "version": 1,
}
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE: dict[str, Any] = dict.fromkeys(WEEK[:5], (("09:00", "17:00"),))
DIALLED = "+18005550100"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=NEW_YORK)
NIGHT = datetime(2026, 11, 20, 23, 0, tzinfo=NEW_YORK)


class Taken:
    """Counts as a dictionary of (cap id, window)."""

    def __init__(self, **taken: int) -> None:
        self.by_cap = taken

    def taken(self, cap_id: str, window: str) -> int:
        return self.by_cap.get(cap_id, 0)


def trunk(**fields: Any) -> Trunk:
    return Trunk(**{"id": "trk_1", "name": "carrier", "addresses": ("192.0.2.0/24",), **STAMP, **fields})


def number(**fields: Any) -> Number:
    base = {"id": "num_1", "e164": DIALLED, "campaign_id": "cmp_1", "state": "active"}
    return Number(**{**base, **STAMP, **fields})


def campaign(*targets: RouteTarget, routes: dict[str, Any] | None = None, **fields: Any) -> Campaign:
    plan = Routes(targets=targets, **(routes or {}))
    return Campaign(**{"id": "cmp_1", "name": "campaign", "routes": plan, **STAMP, **fields})


def target(target_id: str = "tgt_1", **fields: Any) -> Target:
    return Target(
        **{"id": target_id, "name": target_id, "address": "sip:sales@pbx.example", **STAMP, **fields}
    )


def group(*members: GroupMember, **fields: Any) -> Group:
    return Group(**{"id": "grp_1", "name": "group", "members": members, **STAMP, **fields})


def buyer(**fields: Any) -> Buyer:
    return Buyer(**{"id": "buy_1", "name": "buyer", **STAMP, **fields})


def route(target_id: str, priority: int = 1, weight: int = 1) -> RouteTarget:
    return RouteTarget(target_id=target_id, priority=priority, weight=weight)


def prompt(prompt_id: str) -> Prompt:
    return Prompt(id=prompt_id, name=prompt_id, duration_s=1, codecs=("PCMU",), sha256="0" * 64, **STAMP)


def office(after_hours: Action | None = None, **fields: Any) -> Hours:
    rest = {"after_hours": after_hours} if after_hours else {}
    return Hours(**{"timezone": "America/New_York", "weekly": OFFICE, **rest, **fields})


def facts(at: datetime = NOON, called: str = DIALLED, **fields: Any) -> CallFacts:
    base = {"call_id": "call_1", "trunk_id": "trk_1", "caller": "+13125550100"}
    return CallFacts(**{**base, "called": called, "arrived_at": at.astimezone(UTC), **fields})


def world(
    the_number: Number | None = None,
    the_campaign: Campaign | None = None,
    targets: Iterable[Target] = (),
    **more: Any,
) -> Snapshot:
    """One trunk, one number, one campaign, and the targets given."""
    return Snapshot.build(
        **{
            "trunks": [trunk()],
            "numbers": [the_number or number()],
            "campaigns": [the_campaign or campaign()],
            "targets": targets,
            **more,
        }
    )


def draws(*values: float) -> Callable[[], float]:
    """Chance that says these values in turn."""
    left = iter(values)
    return lambda: next(left)
