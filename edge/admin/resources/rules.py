"""The rules as they stand now: what is taken of each cap, and whether an owner is open."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from edge.admin.ports import Ports
from edge.admin.present import encode, many
from edge.admin.queries import Instant, Text
from edge.admin.routes import Exchange, Reply, Routes
from edge.services.insight import CapUse

CAPS = Routes("caps")
HOURS = Routes("hours")


class OwnerQuery(BaseModel):
    """``owner`` is the id of a number, target, group, buyer or campaign."""

    model_config = ConfigDict(extra="forbid")

    owner: Text


class InstantQuery(OwnerQuery):
    """``at`` is an instant with its offset, now if left out."""

    at: Instant | None = None


class CapRead(BaseModel):
    """A cap and its current window: ``headroom`` is what may still come, null without a limit."""

    id: str
    owner_id: str
    window: str
    key: str
    limit: int | None
    counts_on: str
    used: int
    reserved: int
    headroom: int | None


class HoursRead(BaseModel):
    """Open or not, why, and the next change (null when none is in sight)."""

    open: bool
    reason: str
    timezone: str
    next_change: datetime | None


def _headroom(cap: CapUse) -> int | None:
    return None if cap.limit is None else max(0, cap.limit - cap.used - cap.reserved)


def _cap(cap: CapUse) -> CapRead:
    return CapRead(
        id=cap.id,
        owner_id=cap.owner_id,
        window=cap.window,
        key=cap.key,
        limit=cap.limit,
        counts_on=cap.counts_on,
        used=cap.used,
        reserved=cap.reserved,
        headroom=_headroom(cap),
    )


@CAPS.add("GET", "/caps", "List an owner's caps and use", query=OwnerQuery, answer=CapRead, shape="list")
async def caps(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.insight.caps(exchange.query.owner)
    return await many([_cap(cap) for cap in found])


@HOURS.add(
    "GET",
    "/hours/preview",
    "Tell whether an owner is open",
    query=InstantQuery,
    answer=HoursRead,
)
async def hours(ports: Ports, exchange: Exchange) -> Reply:
    seen = await ports.insight.hours(exchange.query.owner, exchange.query.at)
    shown = HoursRead(
        open=seen.open, reason=seen.reason, timezone=seen.timezone, next_change=seen.next_change
    )
    return Reply(encode(shown))
