"""A buyer's own calls, targets, and where allowed its caps and hours (Rule: publishers and buyers)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel

from edge.admin.ports import Ports
from edge.admin.present import many, one, page
from edge.admin.queries import ExportQuery, Instant, PageQuery, Phone, Text
from edge.admin.resources import rules
from edge.admin.resources.calls import CSV_FILE, RecordingRead
from edge.admin.resources.rules import CapRead, HoursRead, InstantQuery, OwnerQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.admin.table import pages
from edge.model.buyer import Buyer, BuyerPermissions
from edge.services.errors import NotFound
from edge.services.identity import Identity
from edge.services.listing import Page

BUYER = Routes("buyer")


class OwnBuyer(BaseModel):
    """The buyer itself."""

    id: str
    name: str
    state: str
    timezone: str | None
    permissions: BuyerPermissions


class OwnTarget(BaseModel):
    """A target of the buyer."""

    id: str
    name: str
    buyer_id: str | None
    state: str
    timezone: str


class SoldCall(BaseModel):
    """A call that a target of the buyer took; not where it came from."""

    id: str
    target_id: str | None
    buyer_id: str | None
    caller: str | None
    started_at: str | None
    connected_at: str | None
    ended_at: str | None
    disposition: str | None
    hung_up_by: str | None
    recording: RecordingRead | None


class SoldCallsFilter(BaseModel):
    """A buyer's calls."""

    sort: Literal["started_at", "-started_at"] | None = None
    caller: Phone | None = None
    target_id: Text | None = None
    buyer_id: Text | None = None
    since: Instant | None = None
    until: Instant | None = None


class SoldCallsQuery(SoldCallsFilter, PageQuery):
    """Lists of a buyer's calls."""


class SoldCallsExport(SoldCallsFilter, ExportQuery):
    """Exports of a buyer's calls."""


class OwnTargetsQuery(PageQuery):
    """A buyer's targets."""

    sort: Literal["created_at", "-created_at", "name", "-name"] | None = None
    name: Text | None = None
    state: Literal["active", "paused"] | None = None


class OwnListQuery(PageQuery):
    """A list of one."""


def _within(buyer: Buyer) -> Mapping[str, str]:
    return {"buyer_id": buyer.id}


def _asking(ports: Ports, exchange: Exchange) -> Buyer:
    assert isinstance(exchange.identity, Identity)
    return ports.scope.buyer(exchange.identity)


def _only_own(buyer: Buyer, query: Any) -> None:
    """404 for what names another buyer."""
    if query.buyer_id not in (None, buyer.id):
        raise NotFound("there is nothing of yours like this")


def sold_call(call: Mapping[str, Any], buyer: Buyer) -> SoldCall:
    """A call as its buyer sees it."""
    fields = {name: call.get(name) for name in SoldCall.model_fields}
    if not buyer.permissions.recordings:
        fields["recording"] = None
    return SoldCall.model_validate(fields)


@BUYER.add("GET", "/buyers", "Read oneself", query=OwnListQuery, answer=OwnBuyer, shape="list")
async def buyers(ports: Ports, exchange: Exchange) -> Reply:
    return await many([OwnBuyer.model_validate(_asking(ports, exchange), from_attributes=True)])


@BUYER.add("GET", "/buyers/{id}", "Read oneself", answer=OwnBuyer)
async def buyer_read(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    if exchange.parameters["id"] != buyer.id:
        raise NotFound("there is no such buyer")
    return one(OwnBuyer.model_validate(buyer, from_attributes=True))


@BUYER.add("GET", "/targets", "List targets", query=OwnTargetsQuery, answer=OwnTarget, shape="list")
async def targets(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    found = await ports.configuration.list("target", exchange.query.listing(), _within(buyer))
    shown = [OwnTarget.model_validate(item, from_attributes=True) for item in found.items]
    return await page(Page(shown, found.next_cursor), exchange)


@BUYER.add("GET", "/targets/{id}", "Read a target", answer=OwnTarget)
async def target(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    found = await ports.configuration.get("target", exchange.parameters["id"], _within(buyer))
    return one(OwnTarget.model_validate(found, from_attributes=True))


@BUYER.add("GET", "/calls", "List calls", query=SoldCallsQuery, answer=SoldCall, shape="list")
async def calls(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    _only_own(buyer, exchange.query)
    found = await ports.calls.list(exchange.query.listing(), _within(buyer))
    return await page(Page([sold_call(call, buyer) for call in found.items], found.next_cursor), exchange)


@BUYER.add("GET", "/calls/export", "Export calls as CSV", query=SoldCallsExport, shape="csv", slow=True)
async def export(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    _only_own(buyer, exchange.query)
    found = await pages(
        exchange.query.listing(),
        partial(ports.calls.list, within=_within(buyer)),
        [name for name in SoldCall.model_fields if name != "recording"],
        lambda call: sold_call(call, buyer).model_dump(),
    )
    return Reply(content_type="text/csv", headers=CSV_FILE, pieces=found)


@BUYER.add("GET", "/calls/live", "List the calls that live now", answer=SoldCall, shape="list")
async def live(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    return await many([sold_call(call, buyer) for call in await ports.calls.live(_within(buyer))])


@BUYER.add("GET", "/calls/{id}", "Read a call's record", answer=SoldCall)
async def call(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    return one(sold_call(await ports.calls.get(exchange.parameters["id"], _within(buyer)), buyer))


@BUYER.add("GET", "/calls/{id}/recording", "Listen to a recorded call", shape="binary")
async def recording(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    if not buyer.permissions.recordings:
        raise NotFound("there is no such call")
    file = await ports.calls.recording(exchange.parameters["id"], "recording", _within(buyer))
    return Reply(file=file, headers={"Content-Type": "audio/wav", "Cache-Control": "private, no-store"})


@BUYER.add("GET", "/caps", "List caps and use", query=OwnerQuery, answer=CapRead, shape="list")
async def caps(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    _allowed(ports, buyer, exchange.query.owner, buyer.permissions.caps)
    return await rules.caps(ports, exchange)


@BUYER.add("GET", "/hours/preview", "Tell whether it is open", query=InstantQuery, answer=HoursRead)
async def hours(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    _allowed(ports, buyer, exchange.query.owner, buyer.permissions.hours)
    return await rules.hours(ports, exchange)


def _allowed(ports: Ports, buyer: Buyer, owner_id: str, permitted: bool) -> None:
    if not permitted:
        raise NotFound("there is nothing of yours like this")
    ports.scope.owned(buyer, owner_id)
