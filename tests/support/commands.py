"""The call path's commands with fewer words."""

from datetime import UTC, datetime
from typing import Any, Literal

from edge.model.decision import CapClaim
from edge.model.ledger import Connect, Convert, Finish, HandBack, OpenCall, Release, Reserve

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = "2026-11-22"


def daily(
    cap_id: str, limit: int, counts_on: Literal["attempt", "connect"] = "connect", window: str = DAY
) -> CapClaim:
    return CapClaim(cap_id, f"owner-of-{cap_id}", window, limit, counts_on)


def soft(cap_id: str, limit: int, counts_on: Literal["connect", "convert"] = "convert") -> CapClaim:
    return CapClaim(cap_id, f"owner-of-{cap_id}", DAY, limit, counts_on, strict=False)


def at_once(cap_id: str, limit: int) -> CapClaim:
    return CapClaim(cap_id, f"owner-of-{cap_id}", "", limit, "concurrency")


def opened(call_id: str, caller: str | None = "+12025550123") -> OpenCall:
    return OpenCall(call_id, NOON, "trk_1", caller, "+18005550100", "num_1", "cmp_1")


def reserve(
    call_id: str, attempt: int, *claims: CapClaim, instead_of: tuple[str, int] | None = None
) -> Reserve:
    return Reserve(call_id, attempt, claims, NOON, instead_of)


def connect(call_id: str, attempt: int = 1) -> Connect:
    return Connect(call_id, attempt, "tgt_1", NOON)


def release(call_id: str, attempt: int = 1) -> Release:
    return Release(call_id, attempt, NOON)


def hand_back(call_id: str, attempt: int, to: tuple[str, int], *cap_ids: str) -> HandBack:
    return HandBack(call_id, attempt, *to, cap_ids, NOON)


def convert(call_id: str) -> Convert:
    return Convert(call_id, NOON)


def finish(call_id: str, disposition: str = "connected", **record: Any) -> Finish:
    """With a record that is made when it is asked for, as calls' are."""
    fields = {"id": call_id, "trunk_id": "trk_1", "caller": "+12025550123", "called": "+18005550100"}
    fields |= {"started_at": "2026-11-22T12:00:00.000Z", "disposition": disposition}
    told = {**fields, **record}
    return Finish(call_id, NOON, disposition, lambda: told)
