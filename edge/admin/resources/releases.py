"""Numbers leave service and come back; what they cost until then."""

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import encode, many, one, page
from edge.admin.queries import NumberFilter, PageQuery, Text
from edge.admin.resources.numbers import Ids, NumberRead, chosen, result, with_effective
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.publishers import Money
from edge.model.release import Carrier
from edge.services.errors import FieldError, Invalid
from edge.services.listing import Page
from edge.services.release import Charge, Wanted

RELEASES = Routes("numbers")


class ReleaseSpec(Record):
    """How to release: days of cooling (the server's setting unless given), what is done at the
    carrier, and whether to release what is needed elsewhere."""

    cooling_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    carrier: Carrier | None = None
    force: bool = False


class CarrierSpec(Record):
    """What was done with the number at the carrier."""

    status: Carrier


class BulkRelease(ReleaseSpec):
    """A preview of ``ids`` or ``filter``; with the ``token`` of one, that is confirmed."""

    ids: Ids = ()
    filter: NumberFilter | None = None
    token: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class BulkReleaseRead(Record):
    """The preview (``items`` are the refusals, ``token`` confirms it), or the results of the numbers."""

    token: str | None = None
    count: int
    saving: tuple[Money, ...] = ()
    items: tuple[Any, ...]


class ChargeRead(Record):
    """A number's price and use.  ``calls`` are those of the last 30 days; of a released number those
    since its release: it is still being dialled."""

    id: str
    e164: str
    state: str
    campaign_id: str | None
    publisher_id: str | None
    monthly_cost: Money | None
    renews_on: date | None
    last_call_at: str | None
    calls: int
    cools_until: str | None


class ChargesQuery(PageQuery):
    """Which numbers; ordered by digits unless sorted otherwise."""

    sort: Literal["created_at", "-created_at", "e164", "-e164"] | None = None
    campaign_id: Text | None = None
    publisher_id: Text | None = None


def _wanted(spec: ReleaseSpec) -> Wanted:
    return Wanted(spec.cooling_days, spec.carrier, spec.force)


@RELEASES.add(
    "POST",
    "/numbers/{id}/release",
    "Release a number",
    body=ReleaseSpec,
    body_kind="json",
    answer=NumberRead,
    if_match=True,
)
async def release(ports: Ports, exchange: Exchange) -> Reply:
    number_id, version = exchange.parameters["id"], expected_version(exchange)
    made = await ports.releases.release(number_id, _wanted(exchange.body), version)
    return one(with_effective(ports, made))


@RELEASES.add("POST", "/numbers/{id}/restore", "Undo a release", answer=NumberRead, if_match=True)
async def restore(ports: Ports, exchange: Exchange) -> Reply:
    made = await ports.releases.restore(exchange.parameters["id"], expected_version(exchange))
    return one(with_effective(ports, made))


@RELEASES.add(
    "POST",
    "/numbers/{id}/carrier-status",
    "Say what was done at the carrier",
    body=CarrierSpec,
    body_kind="json",
    answer=NumberRead,
    if_match=True,
)
async def carrier_status(ports: Ports, exchange: Exchange) -> Reply:
    number_id, version = exchange.parameters["id"], expected_version(exchange)
    made = await ports.releases.mark(number_id, exchange.body.status, version)
    return one(with_effective(ports, made))


@RELEASES.add(
    "POST",
    "/numbers/bulk-release",
    "Preview a release of many, or confirm it",
    body=BulkRelease,
    body_kind="json",
    answer=BulkReleaseRead,
)
async def bulk_release(ports: Ports, exchange: Exchange) -> Reply:
    body: BulkRelease = exchange.body
    if body.token is not None:
        if body.model_fields_set != {"token"}:
            raise Invalid([FieldError("token", "a confirmation has nothing but the token of its preview")])
        done = await ports.releases.confirm(body.token)
        shown = tuple(result(each) for each in done)
        return Reply(encode(BulkReleaseRead(count=sum(r.result == "updated" for r in done), items=shown)))
    seen = await ports.releases.preview(body.ids, chosen(body.ids, body.filter), _wanted(body))
    refused = tuple(result(each) for each in seen.refused)
    return Reply(
        encode(BulkReleaseRead(token=seen.token, count=seen.count, saving=seen.saving, items=refused))
    )


@RELEASES.add(
    "GET",
    "/numbers/upcoming-charges",
    "List what numbers cost and how they are used",
    query=ChargesQuery,
    answer=ChargeRead,
    shape="list",
)
async def upcoming_charges(ports: Ports, exchange: Exchange) -> Reply:
    return await _charges(ports, exchange, "active")


@RELEASES.add(
    "GET",
    "/numbers/to-cancel",
    "List released numbers that are still billed",
    query=ChargesQuery,
    answer=ChargeRead,
    shape="list",
)
async def to_cancel(ports: Ports, exchange: Exchange) -> Reply:
    return await _charges(ports, exchange, "cooling")


class DialledQuery(BaseModel):
    """How far back, and how many rows."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=3650)] = 30
    limit: Annotated[int, Field(ge=1, le=500)] = 25


@RELEASES.add(
    "GET",
    "/numbers/still-dialled",
    "List numbers out of service that are still called",
    query=DialledQuery,
    answer=ChargeRead,
    shape="list",
)
async def still_dialled(ports: Ports, exchange: Exchange) -> Reply:
    query: DialledQuery = exchange.query
    return await many([_charge(each) for each in await ports.releases.still_dialled(query.days, query.limit)])


async def _charges(ports: Ports, exchange: Exchange, state: str) -> Reply:
    asked = exchange.query.listing()
    filters = {**asked.filters, "billed": state}
    found = await ports.releases.charges(replace(asked, filters=filters, sort=asked.sort or "e164"))
    return await page(Page([_charge(each) for each in found.items], found.next_cursor), exchange)


def _charge(found: Charge) -> ChargeRead:
    number = found.number
    cools_until = number.release.cools_until.isoformat() if number.release is not None else None
    return ChargeRead(
        id=number.id,
        e164=number.e164,
        state=str(number.state),
        campaign_id=number.campaign_id,
        publisher_id=number.publisher_id,
        monthly_cost=number.monthly_cost,
        renews_on=number.renews_on,
        last_call_at=found.tally.last_call_at,
        calls=found.tally.calls,
        cools_until=cools_until,
    )
