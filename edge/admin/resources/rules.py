"""The rules as they stand now: what is taken of each cap, and whether an owner is open."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from edge.admin.ports import Ports
from edge.admin.present import encode, many, page
from edge.admin.queries import Moment, PageQuery, Text
from edge.admin.routes import Exchange, Reply, Routes
from edge.services.insight import CapUse
from edge.services.listing import Page

CAPS = Routes("caps")
HOURS = Routes("hours")


class OwnerQuery(BaseModel):
    """``owner`` is the id of a number, target, group, buyer, campaign or publisher."""

    model_config = ConfigDict(extra="forbid")

    owner: Text


class InstantQuery(OwnerQuery):
    """``at`` is an instant with its offset, now if left out."""

    at: Moment | None = None


class CapRead(BaseModel):
    """A cap and its current window: ``headroom`` is what may still come, null without a limit;
    ``overshoot`` what came beyond the limit, where nothing is reserved or the limit was lowered."""

    id: str
    owner_id: str
    window: str
    key: str
    limit: int | None
    counts_on: str
    strict: bool
    used: int
    reserved: int
    headroom: int | None
    overshoot: int


class HoldingRead(BaseModel):
    """A line of a cap's ledger: a call's slot and its ``state`` (``reserved``; ``watched``, in flight
    where nothing is reserved; ``awaiting`` a conversion; ``used``; ``cleared`` by a reset), or a
    ``reset`` by hand, which took ``count`` away.  ``attempt`` 0 is the call's arrival."""

    id: str
    cap_id: str
    key: str
    state: str
    since: datetime
    count: int
    call_id: str | None
    attempt: int | None
    counts_on: str | None
    by: str | None


class LedgerQuery(PageQuery):
    """Pages of a cap's ledger."""


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
        strict=cap.strict,
        used=cap.used,
        reserved=cap.reserved,
        headroom=_headroom(cap),
        overshoot=0 if cap.limit is None else max(0, cap.used - cap.limit),
    )


@CAPS.add("GET", "/caps", "List an owner's caps and use", query=OwnerQuery, answer=CapRead, shape="list")
async def caps(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.insight.caps(exchange.query.owner)
    return await many([_cap(cap) for cap in found])


@CAPS.add(
    "GET",
    "/caps/{id}/ledger",
    "Tell who holds or used a cap's slots, since when",
    query=LedgerQuery,
    answer=HoldingRead,
    shape="list",
)
async def ledger(ports: Ports, exchange: Exchange) -> Reply:
    query = exchange.query
    found = await ports.caps.ledger(exchange.parameters["id"], query.cursor, query.limit)
    items = [HoldingRead.model_validate(item) for item in found.items]
    return await page(Page(items, found.next_cursor), exchange)


@CAPS.add("POST", "/caps/{id}/reset", "Set what is used of a cap's window to zero", answer=CapRead)
async def reset(ports: Ports, exchange: Exchange) -> Reply:
    by = exchange.identity.token_id if exchange.identity is not None else ""
    return Reply(encode(_cap(await ports.caps.reset(exchange.parameters["id"], by))))


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
