"""Publishers (sources of calls), and what a number says of its place in their business.

Amounts are integers in minor units with a currency; instants are UTC.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from edge.model.base import Record, Stored
from edge.model.cap import Caps
from edge.model.types import ExternalId, Instant, Moment, Name, Reference, TagKey, Zone

SubId = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Place = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class Money(Record):
    """An amount in minor units (cents) of a currency (ISO 4217)."""

    minor: Annotated[int, Field(ge=-1_000_000_000_000, le=1_000_000_000_000)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class PublisherPermissions(Record):
    """What the tokens of a publisher may see and do beyond its numbers and calls.

    ``full_caller`` shows callers whole instead of their last four digits; ``create_numbers`` is how
    many numbers it may have before it can take no more from stock; ``see_tags`` are the keys of
    tags that it is shown, which ``edit_tags`` lets it write on its numbers.
    """

    recordings: bool = False
    full_caller: bool = False
    create_numbers: Annotated[int, Field(ge=0, le=100_000)] = 0
    edit_tags: bool = False
    see_tags: Annotated[tuple[TagKey, ...], Field(max_length=100)] = ()
    conversion_reason: bool = False


class PublisherSpec(Record):
    """A source of calls: a partner, an affiliate, a medium.  Paused acts as its numbers paused; its caps
    count the calls of all its numbers, in windows of its ``timezone``."""

    name: Name
    external_id: ExternalId | None = None
    state: Literal["active", "paused"] = "active"
    timezone: Zone | None = None
    caps: Caps = ()
    permissions: PublisherPermissions = PublisherPermissions()


class Publisher(Stored, PublisherSpec):
    """A stored publisher."""


class ActiveWindow(Record):
    """``[active_from, active_until)``: outside it the after-hours action (Rule: activity window)."""

    active_from: Moment | None = None
    active_until: Instant | None = None

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.active_from and self.active_until and self.active_from >= self.active_until:
            raise ValueError("active_until must be after active_from")
        return self


class NumberFacts(ActiveWindow):
    """What a number says of itself beside its settings.

    ``sub_id`` and the tag of that name are one value; ``renews_on`` is when the carrier charges
    ``monthly_cost`` next.
    """

    publisher_id: Reference | None = None
    pool_id: Reference | None = Field(
        default=None,
        description="The pool that gives this number out to visitors; it then has no campaign or publisher.",
    )
    sub_id: SubId | None = None
    region: Place | None = None
    area_code: Annotated[str, StringConstraints(pattern=r"^\d{1,8}$")] | None = None
    monthly_cost: Money | None = None
    renews_on: date | None = None
