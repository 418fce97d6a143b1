"""The audit: who changed what, before and after."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from edge.admin.ports import Ports
from edge.admin.present import page
from edge.admin.queries import Instant, PageQuery, Text
from edge.admin.routes import Exchange, Reply, Routes
from edge.services.listing import Page

AUDIT = Routes("audit")


class AuditQuery(PageQuery):
    """``by`` is a token's id, ``environment`` or ``server``; ``since`` and ``until`` bound ``at``."""

    object_id: Text | None = None
    kind: Text | None = None
    action: Text | None = None
    by: Text | None = None
    since: Instant | None = None
    until: Instant | None = None


class AuditRead(BaseModel):
    """One change of one thing, by whom: ``before`` is null when it is new, ``after`` when it is gone;
    secrets are only said to be set.  ``version`` is the set-up's after it, null for what is no part of it."""

    id: str
    at: datetime
    by: str
    action: str
    kind: str
    object_id: str
    name: str
    version: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@AUDIT.add(
    "GET",
    "/audit",
    "List who changed what",
    query=AuditQuery,
    answer=AuditRead,
    shape="list",
    access="admin",
)
async def listing(ports: Ports, exchange: Exchange) -> Reply:
    found = await ports.audit.list(exchange.query.listing())
    return await page(Page([AuditRead.model_validate(e) for e in found.items], found.next_cursor), exchange)
