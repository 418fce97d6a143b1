"""Number pools and call tracking tags: which numbers visitors are given, and where (Rule: number pools)."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from edge.model.base import Record, Stored
from edge.model.types import Dialled, ExternalId, Name, Reference

_PAST = datetime(2000, 1, 1, tzinfo=UTC)
Kind = Literal["local", "toll_free", "mobile", "national"]


def _as_browsers_say(origin: str) -> str:
    """Without the port that goes without saying (RFC 6454, section 6.1)."""
    return origin.removesuffix(":443" if origin.startswith("https") else ":80")


Origin = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]{1,253}$", to_lower=True, max_length=300),
    AfterValidator(_as_browsers_say),
]
Origins = Annotated[
    tuple[Origin, ...],
    Field(
        max_length=100,
        description="The sites whose pages may use the campaign's snippet, such as https://www.example.com. "
        "Empty: any.",
    ),
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class UnlinkedAction(Record):
    """What a caller gets whose pool number no visitor holds.

    ``reject`` refuses before an answer, ``message`` answers, plays ``prompt_id`` (or the built-in one) and
    hangs up, ``route_as_primary`` treats the call as one to the primary number of the pool's fallback tag.
    """

    action: Literal["reject", "message", "route_as_primary"] = Field(
        default="reject",
        description="reject refuses before the answer, message plays a prompt, route_as_primary sends the "
        "call where the fallback tag's primary number goes.",
    )
    prompt_id: Reference | None = Field(
        default=None, description="The prompt of the action message; empty plays the built-in one."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.prompt_id is not None and self.action != "message":
            raise ValueError("prompt_id belongs to the action 'message' only")
        return self


class PoolSpec(Record):
    """A group of numbers that are given out to visitors, one each."""

    name: Name = Field(description="What the pool is called in lists and reports.")
    external_id: ExternalId | None = Field(
        default=None, description="Your own id of the pool, if you keep one."
    )
    country: Country = Field(
        default="US", description="The country of all its numbers, as two letters (ISO 3166)."
    )
    kind: Kind = Field(
        default="toll_free", description="The kind of all its numbers: local numbers or toll-free ones."
    )
    idle_limit_s: Annotated[int, Field(ge=1, le=604_800)] = Field(
        default=300,
        description="How many seconds a visitor may leave the page untouched. A number stays with its "
        "visitor for at least this long after the last use of the page, plus the closed browser delay.",
    )
    closed_browser_delay_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=60,
        description="How many seconds more a number is kept after its visitor may have closed the page.",
    )
    recycle: Literal["lease_or_call_end", "lease_only"] = Field(
        default="lease_or_call_end",
        description="lease_or_call_end also lets a number go on once its visitor's answered call is over, "
        "if no other number is left; lease_only always keeps it for the whole time.",
    )
    post_call_hold_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=0, description="How many seconds after the call a number is kept before it may go on."
    )
    early_close: bool = Field(
        default=False,
        description="Whether a page that says it was closed keeps its number for the closed browser delay "
        "only. For pools that are too small; it breaks the promise of the whole time.",
    )
    caller_affinity_h: Annotated[int, Field(ge=0, le=720)] = Field(
        default=0,
        description="For how many hours a caller who dials the same number again counts for the visit of the "
        "earlier call, even when the number has gone to another visitor. 0: the last visitor, strictly.",
    )
    area_code_match: Literal["off", "replaced", "visitor"] = Field(
        default="off",
        description="Prefer numbers with the area code of the number that is replaced, or of the visitor "
        "(as the page tells it in area_code), then those of its region.",
    )
    on_unlinked: UnlinkedAction = Field(
        default=UnlinkedAction(),
        description="What callers get who dial a number of the pool that no visitor holds.",
    )
    fallback_tag_id: Reference | None = Field(
        default=None,
        description="The call tracking tag whose primary number takes unlinked calls with route_as_primary.",
    )

    @property
    def hold_s(self) -> int:
        """The minimum hold H: idle limit plus closed browser delay."""
        return self.idle_limit_s + self.closed_browser_delay_s

    @model_validator(mode="after")
    def _falls_back(self) -> Self:
        if self.on_unlinked.action == "route_as_primary" and self.fallback_tag_id is None:
            raise ValueError("fallback_tag_id is required while on_unlinked is route_as_primary")
        return self


class Pool(Stored, PoolSpec):
    """A stored pool."""


def former_pool(pool_id: str) -> Pool:
    """A pool that was deleted, as its numbers' last visitors still need it: its callers without a visit are
    refused."""
    return Pool(id=pool_id, name="a pool that is deleted", version=1, created_at=_PAST, updated_at=_PAST)


class TagSpec(Record):
    """Shows a number, or numbers of a pool, on the pages of a campaign."""

    name: Name = Field(description="A label to know the tag by.")
    external_id: ExternalId | None = Field(
        default=None, description="Your own id of the tag, if you keep one."
    )
    campaign_id: Reference = Field(description="The campaign whose snippet serves this tag.")
    primary_number_id: Reference = Field(
        description="The number that the pool hangs on. It is shown while no pool number is free, and its "
        "campaign, publisher, tags, hours, caps and settings hold for the pool's calls."
    )
    number_to_replace: Dialled = Field(
        description="The number that the snippet looks for on the page, in whatever pattern it is written. "
        "Best the primary number: a page whose script fails then still shows a line that works."
    )
    capture_user_data: bool = Field(
        default=False, description="Whether each visitor gets a number of the pool, and is tracked by it."
    )
    pool_id: Reference | None = Field(
        default=None, description="The pool whose numbers visitors get; needed to capture user data."
    )

    @model_validator(mode="after")
    def _has_its_pool(self) -> Self:
        if self.capture_user_data and self.pool_id is None:
            raise ValueError(
                "capture_user_data needs pool_id: name the pool that visitors' numbers come from"
            )
        return self


class CallTrackingTag(Stored, TagSpec):
    """A stored call tracking tag."""


class Withdrawal(Record):
    """A number that was taken out of a pool: until when calls to it belong to its last visitor."""

    pool_id: str
    until: AwareDatetime

    def over(self, now: datetime) -> bool:
        """Half-open: at exactly ``until`` it is over."""
        return now >= self.until
