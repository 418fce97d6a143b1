"""The whole set-up as one document: what ``edge export``, ``diff`` and ``apply`` use."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

from edge.admin.ports import Ports
from edge.admin.present import Pieces, encode, in_pieces, page
from edge.admin.queries import PageQuery
from edge.admin.routes import Exchange, Reply, Routes
from edge.services.errors import FieldError, Invalid
from edge.services.listing import Page
from edge.services.setup.document import SECTIONS
from edge.services.setup.outcome import Change, Outcome

SETUP = Routes("setup")
_OFTEN = 50

_Base = Annotated[str, StringConstraints(max_length=100)]
_section: Any = (list[dict[str, Any]], Field(default=[], description="As the resource of that name."))
_sections: dict[str, Any] = dict.fromkeys(SECTIONS, _section)
SetupDocument: type[BaseModel] = create_model(
    "SetupDocument",
    __config__=ConfigDict(extra="forbid"),
    __doc__="The set-up: each object as its resource is written, with its id, without its defaults.",
    edge=(Literal[1], 1),
    base=(_Base | None, Field(default=None, description="Of the export that was edited; null: any.")),
    **_sections,
)


class PruneQuery(BaseModel):
    """``prune=true`` removes what the document does not name (never numbers)."""

    model_config = ConfigDict(extra="forbid")

    prune: bool = False


class ApplyQuery(PruneQuery):
    """``dry_run=true`` only tells what would change."""

    dry_run: bool = False


class RestoreQuery(BaseModel):
    """``dry_run=true`` only tells what would change."""

    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class FieldChange(BaseModel):
    """A field that is another after it; null: it is at its default.  A secret only says that it is set."""

    path: str
    before: Any
    after: Any


class ObjectChange(BaseModel):
    """What becomes of one object: ``create``, ``change`` (with ``fields``) or ``delete``."""

    action: str
    kind: str
    id: str
    name: str
    fields: list[FieldChange]


class SetupRead(BaseModel):
    """What was changed, or would be (``applied`` false); ``left`` objects are here that the document
    does not name.  ``version`` and ``base`` are the set-up's after it."""

    applied: bool
    version: int
    base: str
    left: int
    changes: list[ObjectChange]


class VersionRead(BaseModel):
    """An edit of the set-up: ``changes`` objects, listed by ``GET /audit``."""

    version: int
    at: datetime
    by: str
    changes: int


async def _told(found: Outcome) -> Reply:
    head = {"applied": found.applied, "version": found.version, "base": found.base, "left": found.left}
    changes = list(found.changes)
    del found
    reply = Reply(pieces=await in_pieces(head, "changes", changes, _changed))
    while changes:
        # Bit by bit, as they were written: calls do not wait for a hundred thousand of them to go.
        del changes[-_OFTEN:]
        await asyncio.sleep(0)
    return reply


def _changed(each: Change) -> bytes:
    fields = [field._asdict() for field in each.fields]
    return encode(
        {"action": each.action, "kind": each.kind, "id": each.id, "name": each.name, "fields": fields}
    )


@SETUP.add("GET", "/setup", "Read the whole set-up", answer=SetupDocument, access="operator", slow=True)
async def export(ports: Ports, _exchange: Exchange) -> Reply:
    document, base = await ports.setup.export()
    return Reply(pieces=Pieces(document), headers={"ETag": f'"{base}"'})


@SETUP.add(
    "PUT",
    "/setup",
    "Make the set-up what a document says",
    query=ApplyQuery,
    body=SetupDocument,
    body_kind="document",
    answer=SetupRead,
    slow=True,
)
async def apply(ports: Ports, exchange: Exchange) -> Reply:
    query: ApplyQuery = exchange.query
    return await _told(await ports.setup.apply(exchange.body, prune=query.prune, dry_run=query.dry_run))


@SETUP.add(
    "POST",
    "/setup/diff",
    "Tell what a document would change",
    query=PruneQuery,
    body=SetupDocument,
    body_kind="document",
    answer=SetupRead,
    slow=True,
)
async def diff(ports: Ports, exchange: Exchange) -> Reply:
    return await _told(await ports.setup.apply(exchange.body, prune=exchange.query.prune, dry_run=True))


@SETUP.add(
    "GET",
    "/setup/versions",
    "List the edits of the set-up",
    query=PageQuery,
    answer=VersionRead,
    shape="list",
    access="operator",
)
async def versions(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.setup.versions(exchange.query.listing())
    items = [VersionRead(**asdict(each)) for each in found.items]
    return await page(Page(items, found.next_cursor), exchange)


@SETUP.add(
    "POST",
    "/setup/versions/{n}/restore",
    "Take the set-up back to how it was after an edit",
    query=RestoreQuery,
    answer=SetupRead,
    slow=True,
)
async def restore(ports: Ports, exchange: Exchange) -> Reply:
    number = exchange.parameters["n"]
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise Invalid([FieldError("n", "is the number of a version, as setup/versions lists it")])
    return await _told(await ports.setup.restore(int(number), exchange.query.dry_run))
