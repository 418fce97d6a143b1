"""What counts as success of a call, and who is told of it: a campaign's conversions and webhooks."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from edge.model.base import Record
from edge.model.filter import Filters
from edge.model.publishers import Money
from edge.model.types import HeaderName, HeaderValue, TagKey

Seconds = Annotated[int, Field(ge=0, le=86_400)]
Url = Annotated[
    str, StringConstraints(min_length=8, max_length=2000, pattern=r"^https?://[^\s<>\"\x00-\x1f]+$")
]


class TagAmount(Record):
    """The amount that a tag of the call names."""

    tag: TagKey


class Conversion(Record):
    """One criterion of success: after ``after_s`` seconds connected (``connected``) or in all
    (``duration``), at a ``key``, or when the buyer posts it back; only for calls that pass ``filters``."""

    type: Literal["connected", "duration", "key", "postback"]
    after_s: Seconds = 0
    side: Literal["buyer", "publisher", "both"] = "both"
    amount: Money | TagAmount | None = None
    dedupe_s: Annotated[int, Field(ge=0, le=31_622_400)] = 0
    filters: Filters = ()

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if self.after_s and self.type not in ("connected", "duration"):
            raise ValueError("after_s belongs to the types 'connected' and 'duration' only")
        return self


class Webhook(Record):
    """A request that is sent at an ``event`` of a call that passes ``filters``."""

    event: Literal[
        "call.started", "call.routing", "call.selected", "call.answered", "call.timer", "call.converted",
        "call.payout", "call.ended", "call.finalized", "call.rejected", "call.error", "recording.ready",
        "recording.failed", "voicemail.left",
    ]  # fmt: skip
    url: Url
    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)] = Field(default_factory=dict)
    body: Annotated[str, StringConstraints(max_length=10_000)] | None = None
    after_s: Seconds = 0
    filters: Filters = ()

    @model_validator(mode="after")
    def _timed(self) -> Self:
        if self.after_s and self.event != "call.timer":
            raise ValueError("after_s belongs to the event 'call.timer' only")
        return self


Conversions = Annotated[tuple[Conversion, ...], Field(max_length=50)]
Webhooks = Annotated[tuple[Webhook, ...], Field(max_length=50)]
