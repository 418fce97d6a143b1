"""Configuration objects as rows: the columns that lists use, the whole as JSON, and what it refers to."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from edge.model.base import Stored
from edge.model.block import Block
from edge.model.buyer import Buyer, Group
from edge.model.calendars import HolidayCalendar
from edge.model.callers import CallerList
from edge.model.config import NOTHING_OWN, Campaign, Number, Prompt, Target, Trunk
from edge.model.instants import from_text, to_text
from edge.model.kinds import Kind, Object
from edge.model.pool import CallTrackingTag, Pool
from edge.model.publishers import Publisher
from edge.model.secrets import in_clear
from edge.store import tables
from edge.store.errors import Reference


class Shape(NamedTuple):
    """Where a kind is stored and what it is read back as; ``prefix`` begins its ids."""

    table: sa.Table
    model: (
        type[Trunk]
        | type[Number]
        | type[Campaign]
        | type[Target]
        | type[Buyer]
        | type[Group]
        | type[Prompt]
        | type[Publisher]
        | type[Block]
        | type[Pool]
        | type[CallTrackingTag]
        | type[HolidayCalendar]
        | type[CallerList]
    )
    prefix: str


SHAPES: dict[Kind, Shape] = {
    "trunk": Shape(tables.trunks, Trunk, "trk"),
    "number": Shape(tables.numbers, Number, "num"),
    "campaign": Shape(tables.campaigns, Campaign, "cmp"),
    "target": Shape(tables.targets, Target, "tgt"),
    "buyer": Shape(tables.buyers, Buyer, "buy"),
    "group": Shape(tables.target_groups, Group, "grp"),
    "prompt": Shape(tables.prompts, Prompt, "prm"),
    "calendar": Shape(tables.holiday_calendars, HolidayCalendar, "cal"),
    "caller_list": Shape(tables.caller_lists, CallerList, "lst"),
    "block": Shape(tables.blocks, Block, "blk"),
    "publisher": Shape(tables.publishers, Publisher, "pub"),
    "pool": Shape(tables.pools, Pool, "pool"),
    "call_tracking_tag": Shape(tables.call_tracking_tags, CallTrackingTag, "ctt"),
}
COMMON = tuple(Stored.model_fields)
# What a field's name says about the kind of object that it names.
_NAMES: dict[str, Kind] = {
    "campaign_id": "campaign",
    "publisher_id": "publisher",
    "target_id": "target",
    "group_id": "group",
    "buyer_id": "buyer",
    "trunk_ids": "trunk",
    "peer_trunk_ids": "trunk",
    "default_number_id": "number",
    "number_id": "number",
    "primary_number_id": "number",
    "pool_id": "pool",
    "fallback_tag_id": "call_tracking_tag",
    "holiday_calendar_id": "calendar",
    "suppression_list_ids": "caller_list",
    "book_list_ids": "caller_list",
    "prompt_id": "prompt",
    "greeting_prompt_id": "prompt",
    "invalid_prompt_id": "prompt",
    "voicemail_prompt_id": "prompt",
    "consent_prompt_id": "prompt",
    "ringback_prompt_id": "prompt",
    "hold_prompt_id": "prompt",
    "whisper_prompt_id": "prompt",
}
_CALLED = ("name", "e164", "pattern")
# Maps whose keys the operator chooses.
_FREE = ("tags", "headers")
# What tells only whose an object was: that may be gone.
_PAST = ("release", "withdrawn")


def to_row(kind: Kind, item: Object) -> dict[str, Any]:
    """The row of an object; secrets are in its body in clear (the file is readable by us alone)."""
    body = in_clear(item, item.model_dump(mode="json", exclude=set(COMMON)))
    if isinstance(item, Number) and item.settings == NOTHING_OWN:
        del body["settings"]
    row: dict[str, Any] = {"id": item.id, "version": item.version, "name": name_of(item)}
    row |= {"created_at": to_text(item.created_at), "updated_at": to_text(item.updated_at), "body": body}
    columns = SHAPES[kind].table.c.keys()
    return {**{column: body[column] for column in columns if column in body}, **row}


def name_of(item: Object) -> str:
    """What an object is called in lists: its name, digits or pattern."""
    return next((str(value) for name in _CALLED if (value := getattr(item, name, None))), "")


def from_row(kind: Kind, row: Any) -> Object:
    """The object of a row."""
    common = {"id": row.id, "version": row.version}
    common |= {"created_at": from_text(row.created_at), "updated_at": from_text(row.updated_at)}
    return SHAPES[kind].model.model_validate({**row.body, **common})


def references(item: Object) -> list[Reference]:
    """Every field of the object that names another object."""
    body = item.model_dump(mode="json", exclude=set(COMMON))
    return [
        Reference(path, kind, value)
        for key, part in body.items()
        if key not in _FREE and key not in _PAST
        for path, kind, value in _named(key, key, part)
    ]


def _named(path: str, name: str, value: Any) -> Iterator[tuple[str, Kind, str]]:
    if isinstance(value, str) and name in _NAMES:
        yield path, _NAMES[name], value
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in _FREE:
                continue
            yield from _named(f"{path}.{key}", key, part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _named(f"{path}[{index}]", name, part)
