"""A publisher's own numbers, tags and calls (Rule: publishers and buyers)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from edge.admin.dispatch import expected_version
from edge.admin.ports import Ports
from edge.admin.present import one, page
from edge.admin.queries import ExportQuery, Instant, PageQuery, Phone, SubIdText, TagFilter, Text
from edge.admin.resources.calls import RecordingRead
from edge.admin.resources.scoped_reads import Own, add_calls, add_itself, add_sound
from edge.admin.routes import Exchange, Reply, Routes
from edge.model.base import Record
from edge.model.config import NewNumber, Number
from edge.model.decision import Disposition
from edge.model.publishers import Publisher, PublisherPermissions, SubId
from edge.model.types import Reference, TagKey, TagValue, TagValues
from edge.services.errors import NotFound
from edge.services.identity import Identity
from edge.services.listing import Page

PUBLISHER = Routes("publisher")
Tags = Annotated[dict[TagKey, TagValue | TagValues], Field(max_length=100)]
_SHOWN_DIGITS = 4


class OwnNumber(BaseModel):
    """A number of the publisher; ``tags`` are those that it may see."""

    id: str
    e164: str
    kind: str | None
    country: str | None
    region: str | None
    area_code: str | None
    campaign_id: str | None
    publisher_id: str | None
    sub_id: str | None
    tags: dict[str, Any]
    state: str | None
    active_from: datetime | None
    active_until: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int


class OwnPublisher(BaseModel):
    """The publisher itself."""

    id: str
    name: str
    state: str
    timezone: str | None
    permissions: PublisherPermissions


class OwnCall(BaseModel):
    """A call of the publisher: ``caller`` may be its last four digits, ``recording`` and
    ``conversion_reason`` are there where it may see them."""

    id: str
    number_id: str | None
    campaign_id: str | None
    publisher_id: str | None
    sub_id: str | None
    caller: str | None
    called: str | None
    tags: dict[str, Any]
    started_at: str | None
    answered_at: str | None
    connected_at: str | None
    ended_at: str | None
    disposition: str | None
    hung_up_by: str | None
    recording: RecordingRead | None
    voicemail: RecordingRead | None
    conversion_reason: str | None


class OwnNumbersQuery(PageQuery):
    """A publisher's numbers."""

    sort: Literal["created_at", "-created_at", "updated_at", "-updated_at", "e164", "-e164"] | None = None
    e164: Phone | None = None
    campaign_id: Text | None = None
    kind: Literal["local", "toll_free", "mobile", "national"] | None = None
    country: Text | None = None
    region: Text | None = None
    area_code: Text | None = None
    publisher_id: Text | None = None
    sub_id: SubIdText | None = None
    state: Literal["active", "paused"] | None = None
    tag: TagFilter | None = None


class OwnCallsFilter(BaseModel):
    """A publisher's calls; ``caller`` where it may see callers whole, ``tag`` where it may see that key."""

    sort: Literal["started_at", "-started_at"] | None = None
    caller: Phone | None = None
    number: Phone | None = None
    number_id: Text | None = None
    campaign_id: Text | None = None
    publisher_id: Text | None = None
    sub_id: SubIdText | None = None
    tag: TagFilter | None = None
    disposition: Disposition | None = None
    since: Instant | None = None
    until: Instant | None = None


class OwnCallsQuery(OwnCallsFilter, PageQuery):
    """Lists of a publisher's calls."""


class OwnCallsExport(OwnCallsFilter, ExportQuery):
    """Exports of a publisher's calls."""


class WantedNumber(Record):
    """A number from stock, in a campaign in which the publisher has one already."""

    kind: Literal["local", "toll_free", "mobile", "national"]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    area_code: Annotated[str, StringConstraints(pattern=r"^\d{1,8}$")] | None = None
    campaign_id: Reference
    sub_id: SubId | None = None
    tags: Tags = Field(default_factory=dict)


class OwnTags(Record):
    """What a publisher may change of a number."""

    tags: Tags = Field(default_factory=dict)
    sub_id: SubId | None = None


def _asking(ports: Ports, exchange: Exchange) -> Publisher:
    assert isinstance(exchange.identity, Identity)
    return ports.scope.publisher(exchange.identity)


def _only_own(publisher: Publisher, query: Any) -> None:
    """404 for what names another publisher, or asks by what may not be seen."""
    allowed = publisher.permissions
    tag = getattr(query, "tag", None)
    asked = (
        query.publisher_id not in (None, publisher.id),
        getattr(query, "caller", None) is not None and not allowed.full_caller,
        tag is not None and tag.partition(":")[0].lower() not in allowed.see_tags,
    )
    if any(asked):
        raise NotFound("there is nothing of yours like this")


def number_shown(number: Number, publisher: Publisher) -> OwnNumber:
    """A number as its publisher sees it."""
    seen = publisher.permissions.see_tags
    fields = {name: getattr(number, name) for name in OwnNumber.model_fields if name != "tags"}
    return OwnNumber(**fields, tags={key: value for key, value in number.tags.items() if key in seen})


def call_shown(call: Mapping[str, Any], publisher: Publisher) -> OwnCall:
    """A call as its publisher sees it."""
    allowed = publisher.permissions
    fields = {name: call.get(name) for name in OwnCall.model_fields}
    fields["tags"] = {key: _tag(tag) for key, tag in call.get("tags", {}).items() if key in allowed.see_tags}
    if not allowed.full_caller:
        fields["caller"] = masked(fields["caller"])
    if not allowed.recordings:
        fields["recording"] = fields["voicemail"] = None
    if not allowed.conversion_reason:
        fields["conversion_reason"] = None
    return OwnCall.model_validate(fields)


def _tag(tag: Any) -> Any:
    """The value that holds; what lost against it is no business of a publisher's."""
    return tag.get("value") if isinstance(tag, Mapping) else tag


def masked(caller: str | None) -> str | None:
    """``+13125550142`` as ``*******0142``; a caller too short to hide anything in is all stars."""
    if caller is None:
        return None
    shown = caller[-_SHOWN_DIGITS:] if len(caller) > 2 * _SHOWN_DIGITS else ""
    return "*" * max(len(caller) - len(shown) - 1, 0) + shown


_OWN = Own("publisher_id", _asking, _only_own, OwnPublisher, OwnCall, call_shown)
add_itself(PUBLISHER, _OWN, "/publishers")
add_calls(PUBLISHER, _OWN, OwnCallsQuery, OwnCallsExport)
add_sound(PUBLISHER, _OWN, "voicemail", "Listen to the message a caller left")


@PUBLISHER.add("GET", "/numbers", "List numbers", query=OwnNumbersQuery, answer=OwnNumber, shape="list")
async def numbers(ports: Ports, exchange: Exchange) -> Reply:
    publisher = _asking(ports, exchange)
    _only_own(publisher, exchange.query)
    found = await ports.configuration.list("number", exchange.query.listing(), _OWN.within(publisher))
    shown = [number_shown(item, publisher) for item in found.items if isinstance(item, Number)]
    return await page(Page(shown, found.next_cursor), exchange)


@PUBLISHER.add("GET", "/numbers/{id}", "Read a number", answer=OwnNumber)
async def number(ports: Ports, exchange: Exchange) -> Reply:
    publisher = _asking(ports, exchange)
    found = await ports.configuration.get("number", exchange.parameters["id"], _OWN.within(publisher))
    assert isinstance(found, Number)
    return _versioned(found, publisher)


@PUBLISHER.add(
    "POST",
    "/numbers",
    "Take a number from stock",
    body=WantedNumber,
    body_kind="json",
    answer=OwnNumber,
    status=201,
)
async def create(ports: Ports, exchange: Exchange) -> Reply:
    publisher, wanted = _asking(ports, exchange), exchange.body
    fields = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    made = await ports.scope.create(publisher, NewNumber.model_validate(fields))
    return _versioned(made, publisher, 201, {"Location": f"{exchange.path}/{made.id}"})


@PUBLISHER.add(
    "PATCH", "/numbers/{id}", "Change a number's tags", body=OwnTags, body_kind="patch", answer=OwnNumber
)
async def change(ports: Ports, exchange: Exchange) -> Reply:
    publisher, version = _asking(ports, exchange), expected_version(exchange)
    made = await ports.scope.tag(publisher, exchange.parameters["id"], exchange.body, version)
    return _versioned(made, publisher)


def _versioned(
    found: Number, publisher: Publisher, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    made = one(number_shown(found, publisher), status)
    return Reply(made.body, status, headers={"ETag": f'"{found.version}"', **(headers or {})})
