"""Query parameters of lists: paging, sorting, and filters by field name."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from edge.admin.table import MOST_ROWS
from edge.model import types
from edge.model.base import Record
from edge.model.config import Role
from edge.model.instants import to_text
from edge.services.listing import ListQuery

Cursor = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
SubIdText = Annotated[str, StringConstraints(min_length=1, max_length=500)]
TagFilter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,64}:.{1,1000}$")]
_PAGING = {"limit", "cursor", "sort"}


def _plus(value: Any) -> Any:
    """A number or an instant whose ``+`` was not escaped in the query: there it means a space."""
    return value.replace(" ", "+") if isinstance(value, str) else value


def _rfc3339(value: Any) -> Any:
    text = _plus(value)
    if not isinstance(text, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d", text):
        raise ValueError("write an instant with its offset, such as 2026-11-22T09:00:00Z")
    return text


Phone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[+0-9A-Za-z_.-]+$"),
    BeforeValidator(_plus),
]

BlockPattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=40, pattern=r"^[+0-9A-Za-z:*]+$"),
    BeforeValidator(_plus),
]
Instant = Annotated[types.Instant, BeforeValidator(_rfc3339)]
Moment = Annotated[types.Moment, BeforeValidator(_rfc3339)]


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return to_text(value)
    return str(value)


class PageQuery(BaseModel):
    """``limit`` items a page and the ``cursor`` that the page before gave in its Link."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500)] = 25
    cursor: Cursor | None = None

    def listing(self) -> ListQuery:
        """The query in the services' words."""
        given = self.model_dump(exclude_none=True)
        filters = {name: _text(value) for name, value in given.items() if name not in _PAGING}
        return ListQuery(filters, given.get("sort"), self.cursor, self.limit)


class ExportQuery(BaseModel):
    """``limit`` rows at most."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = MOST_ROWS

    def listing(self) -> ListQuery:
        """The query in the services' words."""
        given = self.model_dump(exclude_none=True)
        filters = {name: _text(value) for name, value in given.items() if name not in _PAGING}
        return ListQuery(filters, given.get("sort"), None, self.limit)


class ObjectQuery(PageQuery):
    """Lists of configured objects."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"] | None = None
    name: Text | None = None
    external_id: Text | None = None
    state: Literal["active", "paused"] | None = None


class NumberFilter(Record):
    """Which numbers; ``tag`` is ``key:value``, ``search`` a part of the digits or the external id."""

    e164: Phone | None = None
    external_id: Text | None = None
    campaign_id: Text | None = None
    kind: Literal["local", "toll_free", "mobile", "national"] | None = None
    country: Text | None = None
    region: Text | None = None
    area_code: Text | None = None
    publisher_id: Text | None = None
    sub_id: SubIdText | None = None
    pool_id: Text | None = None
    state: Literal["available", "active", "paused", "cooling", "retired"] | None = None
    tag: TagFilter | None = None
    search: Text | None = None

    def filters(self) -> dict[str, str]:
        """The fields that are set, as texts."""
        given = self.model_dump(exclude_none=True, include=set(NumberFilter.model_fields))
        return {name: _text(value) for name, value in given.items()}


class NumberQuery(NumberFilter, PageQuery):
    """Lists of numbers."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at", "e164", "-e164"] | None = None


class BlockQuery(PageQuery):
    """Lists of blocks."""

    sort: Literal["created_at", "-created_at"] | None = None
    external_id: Text | None = None
    pattern: BlockPattern | None = None
    campaign_id: Text | None = None


class PoolQuery(PageQuery):
    """Lists of pools."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"] | None = None
    name: Text | None = None
    external_id: Text | None = None
    country: Text | None = None
    kind: Literal["local", "toll_free", "mobile", "national"] | None = None


class TagQuery(PageQuery):
    """Lists of call tracking tags."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"] | None = None
    name: Text | None = None
    external_id: Text | None = None
    campaign_id: Text | None = None
    pool_id: Text | None = None
    primary_number_id: Text | None = None


class PromptQuery(PageQuery):
    """Lists of prompts."""

    sort: Literal["created_at", "-created_at", "name", "-name"] | None = None
    name: Text | None = None
    external_id: Text | None = None


class TokenQuery(PageQuery):
    """Lists of tokens."""

    sort: Literal["created_at", "-created_at"] | None = None
    role: Role | None = None
