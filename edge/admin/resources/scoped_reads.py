"""What publishers and buyers read alike: themselves, and the calls that are theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from edge.admin.ports import Ports
from edge.admin.present import many, one, page
from edge.admin.queries import PageQuery
from edge.admin.resources.calls import CSV_FILE
from edge.admin.routes import Exchange, Reply, Routes
from edge.admin.table import pages
from edge.model.buyer import Buyer
from edge.model.publishers import Publisher
from edge.services.errors import NotFound
from edge.services.listing import Page

Who = TypeVar("Who", Publisher, Buyer)
_SOUNDS = ("recording", "voicemail")


class OwnListQuery(PageQuery):
    """A list of one."""


@dataclass(frozen=True, slots=True)
class Own(Generic[Who]):
    """How an owner sees what is its own.

    ``key`` names it there; ``asking`` tells who asks, ``only_own`` raises ``NotFound`` for a query about
    others; ``itself`` and ``call`` are what is shown of it and of a call, ``shown`` makes the latter.
    """

    key: Literal["publisher_id", "buyer_id"]
    asking: Callable[[Ports, Exchange], Who]
    only_own: Callable[[Who, Any], None]
    itself: type[BaseModel]
    call: type[BaseModel]
    shown: Callable[[Mapping[str, Any], Who], BaseModel]

    def within(self, owner: Who) -> Mapping[str, str]:
        """What bounds a query to it."""
        return {self.key: owner.id}


def add_itself(routes: Routes, own: Own[Who], path: str) -> None:
    """The owner, as a list of one and by its id."""

    @routes.add("GET", path, "Read oneself", query=OwnListQuery, answer=own.itself, shape="list")
    async def listed(ports: Ports, exchange: Exchange) -> Reply:
        return await many([own.itself.model_validate(own.asking(ports, exchange), from_attributes=True)])

    @routes.add("GET", f"{path}/{{id}}", "Read oneself", answer=own.itself)
    async def read(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        if exchange.parameters["id"] != owner.id:
            raise NotFound(f"there is no such {own.key.removesuffix('_id')}")
        return one(own.itself.model_validate(owner, from_attributes=True))


def add_calls(routes: Routes, own: Own[Who], query: type[BaseModel], exported: type[BaseModel]) -> None:
    """The owner's calls: a list, an export, those that live, each by its id, and its recording."""
    columns = [name for name in own.call.model_fields if name not in _SOUNDS]

    @routes.add("GET", "/calls", "List calls", query=query, answer=own.call, shape="list")
    async def calls(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        own.only_own(owner, exchange.query)
        found = await ports.calls.list(exchange.query.listing(), own.within(owner))
        return await page(Page([own.shown(call, owner) for call in found.items], found.next_cursor), exchange)

    @routes.add("GET", "/calls/export", "Export calls as CSV", query=exported, shape="csv", slow=True)
    async def export(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        own.only_own(owner, exchange.query)
        asked = partial(ports.calls.list, within=own.within(owner))
        found = await pages(
            exchange.query.listing(), asked, columns, lambda call: own.shown(call, owner).model_dump()
        )
        return Reply(content_type="text/csv", headers=CSV_FILE, pieces=found)

    @routes.add("GET", "/calls/live", "List the calls that live now", answer=own.call, shape="list")
    async def live(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        return await many([own.shown(call, owner) for call in await ports.calls.live(own.within(owner))])

    @routes.add("GET", "/calls/{id}", "Read a call's record", answer=own.call)
    async def call(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        return one(own.shown(await ports.calls.get(exchange.parameters["id"], own.within(owner)), owner))

    add_sound(routes, own, "recording", "Listen to a recorded call")


def add_sound(routes: Routes, own: Own[Who], kind: Literal["recording", "voicemail"], summary: str) -> None:
    """What was recorded of a call, for owners that may hear it."""

    @routes.add("GET", f"/calls/{{id}}/{kind}", summary, shape="binary")
    async def sound(ports: Ports, exchange: Exchange) -> Reply:
        owner = own.asking(ports, exchange)
        if not owner.permissions.recordings:
            raise NotFound("there is no such call")
        file = await ports.calls.recording(exchange.parameters["id"], kind, own.within(owner))
        return Reply(file=file, headers={"Content-Type": "audio/wav", "Cache-Control": "private, no-store"})
