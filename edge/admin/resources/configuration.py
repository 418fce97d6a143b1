"""Trunks, campaigns, publishers, targets, groups and buyers: one set of five routes each."""

from typing import cast

from pydantic import BaseModel, Field

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import created, one, page
from edge.admin.queries import BlockQuery, ObjectQuery, PageQuery, PoolQuery, PromptQuery, TagQuery
from edge.admin.resources.numbers import WrongField, wrong
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Stored
from edge.model.block import Block, BlockSpec
from edge.model.buyer import Buyer, BuyerSpec, Group, GroupSpec
from edge.model.calendars import HolidayCalendar, HolidayCalendarSpec
from edge.model.config import Campaign, CampaignSpec, Target, TargetSpec, Trunk, TrunkSpec
from edge.model.kinds import Kind
from edge.model.peers import Reachability, Registration
from edge.model.pool import CallTrackingTag, Pool, PoolSpec, TagSpec
from edge.model.publishers import Publisher, PublisherSpec
from edge.model.sip import RegisterSpec
from edge.services.listing import Page
from edge.services.warnings import warnings_of


class TargetRead(Target):
    """A target, whether it answers OPTIONS (null while it is not asked), and what is probably not meant."""

    reachability: Reachability | None = None
    warnings: tuple[WrongField, ...] = ()


class RegisterRead(RegisterSpec):
    """A registration as it may be read: the password is only said to be set."""


class OutboundRead(BaseModel):
    """What our calls through a trunk take now: ``calls`` at once, and ``minutes`` of this UTC day."""

    calls: int
    minutes: float


class TrunkRead(Trunk):
    """A trunk as it works, with what its preset says (all but its ``overrides``); whether its proxy answers
    OPTIONS (null while it is not asked); our registration with it."""

    register: RegisterRead | None = None
    reachability: Reachability | None = None
    registration: Registration | None = None
    outbound_use: OutboundRead | None = Field(default=None, description="Null while it has no limits.")


class PoolRead(Pool):
    """A pool, and what an operator should know of it."""

    warnings: tuple[str, ...] = Field(default=(), description="What is allowed and seldom meant.")


class CallTrackingTagRead(CallTrackingTag):
    """A call tracking tag, the line to paste into the page, and what an operator should know of it."""

    snippet: str = Field(default="", description="The line for the HEAD of the page.")
    warnings: tuple[str, ...] = Field(default=(), description="What is allowed and seldom meant.")


def _use(ports: Ports, trunk: Trunk) -> OutboundRead | None:
    if trunk.outbound is None:
        return None
    calls, minutes = ports.peers.used(trunk.id)
    return OutboundRead(calls=calls, minutes=round(minutes, 2))


def _now(ports: Ports, item: Stored) -> Stored:
    """A target or trunk with what is known of it now."""
    if isinstance(item, Target):
        meant = tuple(wrong(each) for each in warnings_of(item))
        return TargetRead.model_construct(
            **vars(item), reachability=ports.peers.reachability(item.id), warnings=meant
        )
    if isinstance(item, Trunk):
        item = ports.presets.effective(item)
        register = None if item.register is None else RegisterRead.model_construct(**vars(item.register))
        return TrunkRead.model_construct(
            **{**vars(item), "register": register},
            reachability=ports.peers.reachability(item.id),
            registration=ports.peers.registration(item.id),
            outbound_use=_use(ports, item),
        )
    if isinstance(item, Pool):
        return PoolRead.model_construct(**vars(item), warnings=tuple(ports.pools.setup.warnings(item)))
    if isinstance(item, CallTrackingTag):
        snippet, warnings = ports.pools.setup.snippet(item), tuple(ports.pools.setup.warnings(item))
        return CallTrackingTagRead.model_construct(**vars(item), snippet=snippet, warnings=warnings)
    return item


def reads(routes: Routes, kind: Kind, path: str, answer: type[Stored], query: type[PageQuery]) -> None:
    """The list of a kind, and one of it."""
    words = kind.replace("_", " ")

    @routes.add("GET", path, f"List {words}s", query=query, answer=answer, shape="list")
    async def listing(ports: Ports, exchange: Exchange) -> Reply:
        found = await ports.configuration.list(kind, cast(PageQuery, exchange.query).listing())
        items = [_now(ports, item) for item in found.items]
        return await page(Page(items, found.next_cursor), exchange)

    @routes.add("GET", f"{path}/{{id}}", f"Read a {words}", answer=answer)
    async def read(ports: Ports, exchange: Exchange) -> Reply:
        return one(_now(ports, await ports.configuration.get(kind, exchange.parameters["id"])))


def patches(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    """``PATCH`` of a kind."""
    words = kind.replace("_", " ")

    @routes.add("PATCH", f"{path}/{{id}}", f"Change a {words}", body=spec, body_kind="patch", answer=answer)
    async def change(ports: Ports, exchange: Exchange) -> Reply:
        version = expected_version(exchange)
        changed = await ports.configuration.patch(kind, exchange.parameters["id"], exchange.body, version)
        return one(_now(ports, changed))


def _deletes(routes: Routes, kind: Kind, path: str) -> None:
    words = kind.replace("_", " ")

    @routes.add("DELETE", f"{path}/{{id}}", f"Delete a {words}", shape="none", status=204)
    async def delete(ports: Ports, exchange: Exchange) -> Reply:
        await ports.configuration.delete(kind, exchange.parameters["id"], expected_version(exchange))
        return Reply(status=204)


def creates(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    """``POST`` of a kind."""
    words = kind.replace("_", " ")

    @routes.add("POST", path, f"Create a {words}", body=spec, body_kind="json", answer=answer, status=201)
    async def create(ports: Ports, exchange: Exchange) -> Reply:
        return created(_now(ports, await ports.configuration.create(kind, exchange.body)), exchange.path)


def resource(
    kind: Kind,
    path: str,
    spec: type[BaseModel],
    answer: type[Stored],
    query: type[PageQuery],
    *,
    deletes: bool = True,
) -> Routes:
    """The five routes of a kind; ``deletes``: one of them removes it, and nothing else goes with it."""
    routes = Routes(path.removeprefix("/"))
    reads(routes, kind, path, answer, query)
    creates(routes, kind, path, spec, answer)
    patches(routes, kind, path, spec, answer)
    if deletes:
        _deletes(routes, kind, path)
    return routes


TRUNKS = resource("trunk", "/trunks", TrunkSpec, TrunkRead, ObjectQuery)
CAMPAIGNS = resource("campaign", "/campaigns", CampaignSpec, Campaign, ObjectQuery)
BLOCKS = resource("block", "/blocks", BlockSpec, Block, BlockQuery)
PUBLISHERS = resource("publisher", "/publishers", PublisherSpec, Publisher, ObjectQuery)
HOLIDAY_CALENDARS = resource(
    "calendar", "/holiday-calendars", HolidayCalendarSpec, HolidayCalendar, PromptQuery
)
TARGETS = resource("target", "/targets", TargetSpec, TargetRead, ObjectQuery)
POOLS = resource("pool", "/pools", PoolSpec, PoolRead, PoolQuery, deletes=False)
TAGS = resource("call_tracking_tag", "/call-tracking-tags", TagSpec, CallTrackingTagRead, TagQuery)
BUYERS = resource("buyer", "/buyers", BuyerSpec, Buyer, ObjectQuery)
TARGET_GROUPS = resource("group", "/target-groups", GroupSpec, Group, ObjectQuery)
