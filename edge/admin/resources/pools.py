"""Pools beyond their set-up: their numbers, figures and advice; visits; pages with two snippets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import encode, many, one, page
from edge.admin.queries import Instant, PageQuery, Phone, Text
from edge.admin.resources.lists import add_list
from edge.admin.resources.numbers import Ids, ResultRead, result
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.services.listing import Page
from edge.services.pool_numbers import PoolNumber
from edge.services.visit_shown import shown_visit

POOL_PARTS = Routes("pools")
IMPRESSIONS = Routes("impressions")
DUPLICATES = Routes("campaigns")


class PoolNumberRead(BaseModel):
    """A number of a pool and how it stands now.

    ``state``: ``free`` (nobody has it), ``leased`` (kept for its visitor), ``lapsed`` (may go on, calls
    are still its last visitor's), ``call_done`` (its call is over; goes on before a miss), ``busy`` (a
    call lives).
    """

    id: str
    e164: str
    state: str
    impression_id: str | None
    generation: int
    last_activity_at: datetime | None
    lease_until: datetime | None
    linked_until: datetime | None


class PoolNumbersSpec(Record):
    """Numbers to put into the pool; ``dry_run`` only tells what would become of each."""

    ids: Annotated[Ids, Field(min_length=1)]
    dry_run: bool = False


class FiguresQuery(BaseModel):
    """Whole hours from ``since`` to before ``until``; the last day if left out."""

    model_config = ConfigDict(extra="forbid")

    since: Instant | None = None
    until: Instant | None = None


class ShareRead(BaseModel):
    """A rate with what it is made of."""

    numerator: int
    denominator: int


class PoolFiguresRead(BaseModel):
    """A pool's page: what happened in the time asked for, and how its numbers stand now."""

    pool_id: str
    since: datetime
    until: datetime
    impressions: int = Field(description="Visits that began.")
    hand_outs: int = Field(description="Numbers given to a visit that had none.")
    pool_misses: int = Field(description="Visits that were shown the primary number for want of a free one.")
    miss_rate: ShareRead = Field(description="Pool misses over impressions.")
    throttled: int = Field(description="Requests answered with the primary number: too many of an address.")
    crawlers: int = Field(description="Requests of crawlers, which get the primary number.")
    reissues: int = Field(description="Numbers that went on while calls still belonged to the visit before.")
    calls: int = Field(description="Calls that belong to a visit.")
    calls_per_impression: ShareRead = Field(description="Those calls over impressions.")
    ambiguous: int = Field(description="Calls whose number more than one visitor might have seen.")
    rejected_unlinked: int = Field(description="Calls to a number that no visitor held.")
    numbers: int = Field(description="How many numbers are handed out.")
    states: dict[str, int] = Field(description="How many of them are in which state now.")
    utilisation: ShareRead = Field(description="Numbers that can not be handed out now, over all.")
    utilisation_peak: ShareRead = Field(description="The most that were held at once, over all.")


class AdviceQuery(BaseModel):
    """``share`` of the misses that more numbers are to end; ``hold_s`` replays with another hold."""

    model_config = ConfigDict(extra="forbid")

    since: Instant | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 0.97
    hold_s: Annotated[int, Field(ge=0, le=1_209_600)] | None = None


class AdviceRead(BaseModel):
    """How large the pool should be, replayed from its own visits; ``in_words`` says it."""

    numbers: int = Field(description="How many numbers are handed out now.")
    recommended: int = Field(description="The fewest numbers that would have ended the share of misses.")
    visits: int = Field(description="Visits that were replayed.")
    misses: int = Field(description="Misses of the replay with the numbers that there are.")
    misses_then: int = Field(description="Misses of the replay with the numbers recommended.")
    peak: int = Field(description="Numbers held at once if no visit had gone without.")
    in_words: str


class ImpressionQuery(PageQuery):
    """Lists of visits; ``since`` and ``until`` bound ``created_at``."""

    sort: Literal["created_at", "-created_at"] | None = None
    pool_id: Text | None = None
    campaign_id: Text | None = None
    tag_id: Text | None = None
    publisher_id: Text | None = None
    number_id: Text | None = None
    e164: Phone | None = None
    visitor_id: Text | None = None
    missed: bool | None = None
    since: Instant | None = None
    until: Instant | None = None


class ViewRead(BaseModel):
    """What the browser said of itself on a page view; what it did not say is missing."""

    model_config = ConfigDict(extra="allow")

    page_url: str = ""


class ImpressionRead(BaseModel):
    """One visit of a visitor on one tag.

    ``state``: ``leased``, ``lapsed``, ``call_done``, ``superseded`` (its number went to another visit),
    ``archived`` (its link is over) or ``missed`` (it was shown the primary number).
    """

    id: str
    state: str
    pool_id: str
    campaign_id: str
    tag_id: str
    publisher_id: str | None
    visitor_id: str
    number_id: str | None
    e164: str | None
    generation: int
    missed: bool = Field(description="Whether a page of the visit was shown the primary number.")
    page_views: int
    calls: int
    created_at: str
    last_activity_at: str
    lease_until: str | None
    archive_at: str | None
    closed_at: str | None
    superseded_at: str | None
    first_view: ViewRead
    last_view: ViewRead
    url_tags: dict[str, Any] = Field(description="The parameters of its URLs, as calls get them.")
    data: dict[str, Any] = Field(description="What the page added.")


class DuplicateRead(BaseModel):
    """A page on which a second snippet ran, and did nothing."""

    page: str
    count: int
    first_seen: str
    last_seen: str


@POOL_PARTS.add(
    "DELETE", "/pools/{id}", "Delete a pool; its numbers return to stock", shape="none", status=204, slow=True
)
async def delete(ports: Ports, exchange: Exchange) -> Reply:
    await ports.pools.numbers.delete(exchange.parameters["id"], expected_version(exchange))
    return Reply(status=204)


@POOL_PARTS.add(
    "POST",
    "/pools/{id}/numbers",
    "Put numbers into a pool",
    body=PoolNumbersSpec,
    body_kind="json",
    answer=ResultRead,
    shape="list",
)
async def add(ports: Ports, exchange: Exchange) -> Reply:
    body: PoolNumbersSpec = exchange.body
    found = await ports.pools.numbers.add(exchange.parameters["id"], body.ids, body.dry_run)
    return await many([result(each) for each in found])


@POOL_PARTS.add(
    "DELETE",
    "/pools/{id}/numbers/{number_id}",
    "Take a number out of a pool: given to nobody any more, its last visitor's calls still linked",
    shape="none",
    status=204,
)
async def withdraw(ports: Ports, exchange: Exchange) -> Reply:
    where = exchange.parameters
    await ports.pools.numbers.withdraw(where["id"], where["number_id"], expected_version(exchange))
    return Reply(status=204)


@POOL_PARTS.add(
    "GET", "/pools/{id}/figures", "Tell how a pool fares", query=FiguresQuery, answer=PoolFiguresRead
)
async def figures(ports: Ports, exchange: Exchange) -> Reply:
    query: FiguresQuery = exchange.query
    pool_id = exchange.parameters["id"]
    seen = await ports.pools.view.figures(pool_id, query.since, query.until)
    counts, size = seen.counts, seen.size

    def count(event: str) -> int:
        return counts.get(event, 0)

    shown = PoolFiguresRead(
        pool_id=pool_id,
        since=seen.since,
        until=seen.until,
        pool_misses=count("misses"),
        calls=count("linked"),
        rejected_unlinked=count("unlinked"),
        miss_rate=ShareRead(numerator=count("misses"), denominator=count("impressions")),
        calls_per_impression=ShareRead(numerator=count("linked"), denominator=count("impressions")),
        numbers=size,
        states=dict(seen.now),
        utilisation=ShareRead(
            numerator=seen.now.get("leased", 0) + seen.now.get("busy", 0), denominator=size
        ),
        utilisation_peak=ShareRead(numerator=count("peak"), denominator=size),
        **{event: count(event) for event in _AS_COUNTED},
    )
    return one(shown)


_AS_COUNTED = ("impressions", "hand_outs", "throttled", "crawlers", "reissues", "ambiguous")


@POOL_PARTS.add(
    "GET", "/pools/{id}/advice", "Tell how large a pool should be", query=AdviceQuery, answer=AdviceRead
)
async def advice(ports: Ports, exchange: Exchange) -> Reply:
    query: AdviceQuery = exchange.query
    pool_id = exchange.parameters["id"]
    told = await ports.pools.view.advice(pool_id, query.since, query.share, query.hold_s)
    size = len(await ports.pools.numbers.list(pool_id))
    shown = AdviceRead(
        numbers=size,
        recommended=told.size,
        visits=told.visits,
        misses=told.misses,
        misses_then=told.misses_then,
        peak=told.peak,
        in_words=_in_words(size, told.size, told.misses, told.misses_then),
    )
    return one(shown)


def _in_words(size: int, wanted: int, misses: int, then: int) -> str:
    if not misses:
        return "No visit went without a number: the pool is large enough."
    more = wanted - size
    share = 100 * (misses - then) / misses
    return f"{more} more number{'s' * (more != 1)} would have ended {share:.0f} % of {misses} misses."


@IMPRESSIONS.add(
    "GET", "/impressions", "List visits", query=ImpressionQuery, answer=ImpressionRead, shape="list"
)
async def impressions(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.pools.view.impressions(exchange.query.listing())
    return await page(Page([_visit(ports, each) for each in found.items], found.next_cursor), exchange)


@IMPRESSIONS.add("GET", "/impressions/{id}", "Read a visit", answer=ImpressionRead)
async def impression(ports: Ports, exchange: Exchange) -> Reply:
    return Reply(encode(_visit(ports, await ports.pools.view.impression(exchange.parameters["id"]))))


add_list(
    DUPLICATES,
    "/campaigns/{id}/duplicate-snippets",
    "List pages on which a second snippet ran",
    DuplicateRead,
    lambda ports, campaign_id: ports.pools.view.duplicates(campaign_id),
)


def _number(each: PoolNumber) -> PoolNumberRead:
    standing = each.standing
    return PoolNumberRead(
        id=each.number.id,
        e164=each.number.e164,
        state=standing.state,
        impression_id=standing.impression_id,
        generation=standing.generation,
        last_activity_at=standing.last_activity_at,
        lease_until=standing.lease_until,
        linked_until=standing.linked_until,
    )


add_list(
    POOL_PARTS,
    "/pools/{id}/numbers",
    "List a pool's numbers and how they stand",
    PoolNumberRead,
    lambda ports, pool_id: ports.pools.numbers.list(pool_id),
    _number,
)


def _visit(ports: Ports, row: Mapping[str, Any]) -> ImpressionRead:
    return ImpressionRead.model_validate(
        shown_visit(row, ports.pools.setup.rules(row["pool_id"]), ports.pools.setup.now())
    )
