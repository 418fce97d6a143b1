"""Trunks, campaigns, publishers, targets, groups and buyers: one set of five routes each."""

from typing import cast

from pydantic import BaseModel

from edge.admin.dispatch import expected_version
from edge.admin.ports import Kind, Ports
from edge.admin.present import created, one, page
from edge.admin.queries import ObjectQuery, PageQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Stored
from edge.model.buyer import Buyer, BuyerSpec, Group, GroupSpec
from edge.model.config import Campaign, CampaignSpec, Target, TargetSpec, Trunk, TrunkSpec
from edge.model.publishers import Publisher, PublisherSpec


def _reads(routes: Routes, kind: Kind, path: str, answer: type[Stored], query: type[PageQuery]) -> None:
    """The list of a kind, and one of it."""

    @routes.add("GET", path, f"List {kind}s", query=query, answer=answer, shape="list")
    async def listing(ports: Ports, exchange: Exchange) -> Reply:
        found = await ports.configuration.list(kind, cast(PageQuery, exchange.query).listing())
        return await page(found, exchange)

    @routes.add("GET", f"{path}/{{id}}", f"Read a {kind}", answer=answer)
    async def read(ports: Ports, exchange: Exchange) -> Reply:
        return one(await ports.configuration.get(kind, exchange.parameters["id"]))


def _edits(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    """``PATCH`` and ``DELETE`` of a kind."""

    @routes.add("PATCH", f"{path}/{{id}}", f"Change a {kind}", body=spec, body_kind="patch", answer=answer)
    async def change(ports: Ports, exchange: Exchange) -> Reply:
        version = expected_version(exchange)
        return one(await ports.configuration.patch(kind, exchange.parameters["id"], exchange.body, version))

    @routes.add("DELETE", f"{path}/{{id}}", f"Delete a {kind}", shape="none", status=204)
    async def delete(ports: Ports, exchange: Exchange) -> Reply:
        await ports.configuration.delete(kind, exchange.parameters["id"], expected_version(exchange))
        return Reply(status=204)


def _creates(routes: Routes, kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored]) -> None:
    @routes.add("POST", path, f"Create a {kind}", body=spec, body_kind="json", answer=answer, status=201)
    async def create(ports: Ports, exchange: Exchange) -> Reply:
        return created(await ports.configuration.create(kind, exchange.body), exchange.path)


def _resource(
    kind: Kind, path: str, spec: type[BaseModel], answer: type[Stored], query: type[PageQuery]
) -> Routes:
    routes = Routes(path.removeprefix("/"))
    _reads(routes, kind, path, answer, query)
    _creates(routes, kind, path, spec, answer)
    _edits(routes, kind, path, spec, answer)
    return routes


TRUNKS = _resource("trunk", "/trunks", TrunkSpec, Trunk, ObjectQuery)
CAMPAIGNS = _resource("campaign", "/campaigns", CampaignSpec, Campaign, ObjectQuery)
PUBLISHERS = _resource("publisher", "/publishers", PublisherSpec, Publisher, ObjectQuery)
TARGETS = _resource("target", "/targets", TargetSpec, Target, ObjectQuery)
BUYERS = _resource("buyer", "/buyers", BuyerSpec, Buyer, ObjectQuery)
TARGET_GROUPS = _resource("group", "/target-groups", GroupSpec, Group, ObjectQuery)
