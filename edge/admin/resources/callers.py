"""Lists of callers: their numbers are uploaded and read in bulk."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import encode, page
from edge.admin.queries import PageQuery, PromptQuery
from edge.admin.resources.configuration import creates, patches, reads
from edge.admin.resources.numbers import WrongField, wrong
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.callers import CallerList, CallerListSpec
from edge.services.callers import told
from edge.services.listing import Page

CALLER_LISTS = Routes("caller-lists")
_PATH = "/caller-lists"

reads(CALLER_LISTS, "caller_list", _PATH, CallerList, PromptQuery)
creates(CALLER_LISTS, "caller_list", _PATH, CallerListSpec, CallerList)
patches(CALLER_LISTS, "caller_list", _PATH, CallerListSpec, CallerList)


class WriteQuery(BaseModel):
    """``mode`` says what becomes of the list's numbers; numbers without ``+`` are ``country``'s."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["add", "replace", "remove"] = "add"
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"


class WrittenRead(BaseModel):
    """How many numbers came and went, how many the list has now, and the rows that are no numbers."""

    added: int
    removed: int
    count: int
    refused: list[WrongField]


class ListedRead(BaseModel):
    """A number of a list."""

    number: str


class ListedQuery(PageQuery):
    """Pages of a list's numbers, in their order."""


@CALLER_LISTS.add("DELETE", _PATH + "/{id}", "Delete a caller_list", shape="none", status=204)
async def delete(ports: Ports, exchange: Exchange) -> Reply:
    await ports.callers.delete(exchange.parameters["id"], expected_version(exchange))
    return Reply(status=204)


@CALLER_LISTS.add(
    "POST",
    _PATH + "/{id}/numbers",
    "Put numbers on a list, or take them off, by CSV",
    query=WriteQuery,
    body_kind="csv",
    slow=True,
    answer=WrittenRead,
)
async def write(ports: Ports, exchange: Exchange) -> Reply:
    query: WriteQuery = exchange.query
    done = await ports.callers.write(exchange.parameters["id"], exchange.body, query.mode, query.country)
    refused = [wrong(each) for each in done.refused]
    shown = WrittenRead(added=done.added, removed=done.removed, count=done.count, refused=refused)
    return Reply(encode(shown))


@CALLER_LISTS.add(
    "GET",
    _PATH + "/{id}/numbers",
    "List the numbers of a list",
    query=ListedQuery,
    answer=ListedRead,
    shape="list",
)
async def numbers(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.callers.numbers(
        exchange.parameters["id"], exchange.query.cursor, exchange.query.limit
    )
    return await page(Page(told(found.items), found.next_cursor), exchange)
