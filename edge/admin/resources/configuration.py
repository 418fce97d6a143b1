"""Trunks, campaigns, publishers, targets, groups and buyers: one set of five routes each."""

from typing import cast

from pydantic import BaseModel

from edge.admin.dispatch import expected_version
from edge.admin.ports import Kind, Ports
from edge.admin.present import created, one, page
from edge.admin.queries import BlockQuery, ObjectQuery, PageQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Stored
from edge.model.block import Block, BlockSpec
from edge.model.buyer import Buyer, BuyerSpec, Group, GroupSpec
from edge.model.config import Campaign, CampaignSpec, Target, TargetSpec, Trunk, TrunkSpec
from edge.model.peers import Reachability, Registration
from edge.model.publishers import Publisher, PublisherSpec
from edge.model.sip import RegisterSpec
from edge.services.listing import Page


class TargetRead(Target):
    """A target, and whether it answers OPTIONS (null while it is not asked)."""

    reachability: Reachability | None = None


class RegisterRead(RegisterSpec):
    """A registration as it may be read: the password is only said to be set."""


class TrunkRead(Trunk):
    """A trunk; whether its proxy answers OPTIONS (null while it is not asked); our registration with it."""

    register: RegisterRead | None = None
    reachability: Reachability | None = None
    registration: Registration | None = None


def _now(ports: Ports, item: Stored) -> Stored:
    """A target or trunk with what is known of it now."""
    if isinstance(item, Target):
        return TargetRead.model_construct(**vars(item), reachability=ports.peers.reachability(item.id))
    if isinstance(item, Trunk):
        register = None if item.register is None else RegisterRead.model_construct(**vars(item.register))
        return TrunkRead.model_construct(
            **{**vars(item), "register": register},
            reachability=ports.peers.reachability(item.id),
            registration=ports.peers.registration(item.id),
        )
    return item


def _reads(routes: Routes, kind: Kind, path: str, answer: type[Stored], query: type[PageQuery]) -> None:
    """The list of a kind, and one of it."""

    @routes.add("GET", path, f"List {kind}s", query=query, answer=answer, shape="list")
    async def listing(ports: Ports, exchange: Exchange) -> Reply:
        found = await ports.configuration.list(kind, cast(PageQuery, exchange.query).listing())
        items = [_now(ports, item) for item in found.items]
        return await page(Page(items, found.next_cursor), exchange)

    @routes.add("GET", f"{path}/{{id}}", f"Read a {kind}", answer=answer)
    async def read(ports: Ports, exchange: Exchange) -> Reply:
        return one(_now(ports, await ports.configuration.get(kind, exchange.parameters["id"])))


def _edits(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    """``PATCH`` and ``DELETE`` of a kind."""

    @routes.add("PATCH", f"{path}/{{id}}", f"Change a {kind}", body=spec, body_kind="patch", answer=answer)
    async def change(ports: Ports, exchange: Exchange) -> Reply:
        version = expected_version(exchange)
        changed = await ports.configuration.patch(kind, exchange.parameters["id"], exchange.body, version)
        return one(_now(ports, changed))

    @routes.add("DELETE", f"{path}/{{id}}", f"Delete a {kind}", shape="none", status=204)
    async def delete(ports: Ports, exchange: Exchange) -> Reply:
        await ports.configuration.delete(kind, exchange.parameters["id"], expected_version(exchange))
        return Reply(status=204)


def _creates(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    @routes.add("POST", path, f"Create a {kind}", body=spec, body_kind="json", answer=answer, status=201)
    async def create(ports: Ports, exchange: Exchange) -> Reply:
        return created(_now(ports, await ports.configuration.create(kind, exchange.body)), exchange.path)


def _resource(
    kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored], query: type[PageQuery]
) -> Routes:
    routes = Routes(path.removeprefix("/"))
    _reads(routes, kind, path, answer, query)
    _creates(routes, kind, path, spec, answer)
    _edits(routes, kind, path, spec, answer)
    return routes


TRUNKS = _resource("trunk", "/trunks", TrunkSpec, TrunkRead, ObjectQuery)
CAMPAIGNS = _resource("campaign", "/campaigns", CampaignSpec, Campaign, ObjectQuery)
BLOCKS = _resource("block", "/blocks", BlockSpec, Block, BlockQuery)
PUBLISHERS = _resource("publisher", "/publishers", PublisherSpec, Publisher, ObjectQuery)
TARGETS = _resource("target", "/targets", TargetSpec, TargetRead, ObjectQuery)
BUYERS = _resource("buyer", "/buyers", BuyerSpec, Buyer, ObjectQuery)
TARGET_GROUPS = _resource("group", "/target-groups", GroupSpec, Group, ObjectQuery)
