"""A buyer's own calls, targets, and where allowed its caps and hours (Rule: publishers and buyers)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from edge.admin.ports import Ports
from edge.admin.present import one, page
from edge.admin.queries import ExportQuery, Instant, PageQuery, Phone, Text
from edge.admin.resources import rules
from edge.admin.resources.calls import RecordingRead
from edge.admin.resources.rules import CapRead, HoursRead, InstantQuery, OwnerQuery
from edge.admin.resources.scoped_reads import Own, add_calls, add_itself
from edge.admin.routes import Exchange, Reply, Routes
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


_OWN = Own("buyer_id", _asking, _only_own, OwnBuyer, SoldCall, sold_call)
add_itself(BUYER, _OWN, "/buyers")
add_calls(BUYER, _OWN, SoldCallsQuery, SoldCallsExport)


@BUYER.add("GET", "/targets", "List targets", query=OwnTargetsQuery, answer=OwnTarget, shape="list")
async def targets(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    found = await ports.configuration.list("target", exchange.query.listing(), _OWN.within(buyer))
    shown = [OwnTarget.model_validate(item, from_attributes=True) for item in found.items]
    return await page(Page(shown, found.next_cursor), exchange)


@BUYER.add("GET", "/targets/{id}", "Read a target", answer=OwnTarget)
async def target(ports: Ports, exchange: Exchange) -> Reply:
    buyer = _asking(ports, exchange)
    found = await ports.configuration.get("target", exchange.parameters["id"], _OWN.within(buyer))
    return one(OwnTarget.model_validate(found, from_attributes=True))


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
