"""The server itself: sources that it did not serve, and draining it."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.admin.ports import Ports
from edge.admin.present import encode, many
from edge.admin.routes import Exchange, Reply, Routes

REFUSED = Routes("sip")
DRAIN = Routes("drain")


class RefusedQuery(BaseModel):
    """``limit`` rows, the newest first."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500)] = 25


class RefusedRead(BaseModel):
    """A source that was not served, how often, why, and what would change that."""

    source: str
    called: str
    reason: str
    remedy: str
    count: int
    first_seen: datetime
    last_seen: datetime


class BanRead(BaseModel):
    """A source that is not heard until then, why, how many bans it has had and what it sent meanwhile;
    ``datagrams_only``: somebody else may have sent these in its name, so it is heard over TCP and TLS, and,
    while a trunk may log in from anywhere, by a few datagrams."""

    source: str
    reason: str
    since: datetime
    until: datetime
    times: int
    dropped: int
    datagrams_only: bool


class LiftQuery(BaseModel):
    """``source`` as the list has it, or an address of it; without it every ban is lifted."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class DrainSpec(BaseModel):
    """``max_s`` is how long live calls may go on; the server's setting if left out."""

    model_config = ConfigDict(extra="forbid")

    max_s: Annotated[float, Field(ge=0, le=86_400)] | None = None


class Draining(BaseModel):
    """No new call is taken; ``live`` calls are still going on."""

    state: str = "draining"
    live: int


@REFUSED.add(
    "GET", "/sip/refused", "List refused sources", query=RefusedQuery, answer=RefusedRead, shape="list"
)
async def refused(ports: Ports, exchange: Exchange) -> Reply:
    rows = ports.refused.recent(exchange.query.limit)
    return await many([RefusedRead.model_validate(row, from_attributes=True) for row in rows])


@REFUSED.add("GET", "/sip/bans", "List banned sources", query=RefusedQuery, answer=BanRead, shape="list")
async def bans(ports: Ports, exchange: Exchange) -> Reply:
    rows = ports.bans.active(exchange.query.limit)
    return await many([BanRead.model_validate(row, from_attributes=True) for row in rows])


@REFUSED.add("DELETE", "/sip/bans", "Lift a ban, or all", query=LiftQuery, shape="none", status=204)
async def lift(ports: Ports, exchange: Exchange) -> Reply:
    await ports.bans.lift(exchange.query.source)
    return Reply(status=204)


@DRAIN.add(
    "POST",
    "/drain",
    "Take no new calls and let live ones finish",
    body=DrainSpec,
    body_kind="json",
    answer=Draining,
    status=202,
    access="admin",
)
async def drain(ports: Ports, exchange: Exchange) -> Reply:
    return Reply(encode(Draining(live=ports.health.drain(exchange.body.max_s))), 202)
