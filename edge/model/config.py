"""The configuration that operators edit: trunks, numbers, campaigns, targets, prompts.

One definition serves the API (validation and OpenAPI), the store (JSON) and the snapshot that the
routing functions read.  ``XSpec`` is what may be written, ``X`` what is stored and read back.
Durations are seconds and end in ``_s``; phone numbers are E.164 with ``+``.  Rules:
``docs/rules.md``.
"""

import itertools
import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from edge.model.action import Action
from edge.model.base import Record, Stored
from edge.model.buyer import Priority, Weight
from edge.model.callers import CallersWanted, DuplicateRouting
from edge.model.cap import Caps
from edge.model.filter import Filters
from edge.model.menu import Menu
from edge.model.outcomes import Conversions, Webhooks
from edge.model.pool import Origins, Withdrawal
from edge.model.prompts import CampaignPrompts, Whispered
from edge.model.publishers import ActiveWindow, NumberFacts
from edge.model.release import Release
from edge.model.sip import SipSettings
from edge.model.trunk import Trunk as Trunk  # noqa: PLC0414 - found here as well
from edge.model.trunk import TrunkSpec as TrunkSpec  # noqa: PLC0414
from edge.model.types import (
    E164,
    Blocks,
    Count,
    Dialled,
    ExternalId,
    HeaderName,
    HeaderValue,
    Name,
    Password,
    Reference,
    TagKey,
    TagValue,
    TagValues,
    Username,
    Weekday,
    Zone,
    check_e164,
    minutes,
)


class Holiday(Record):
    """A local date with hours of its own: no ``open`` blocks = closed all day."""

    date: date
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    yearly: bool = False
    open: Blocks = ()


def _check_blocks(blocks: tuple[tuple[str, str], ...], where: str) -> None:
    spans = []
    for start, end in blocks:
        a, b = minutes(start), minutes(end)
        if a in (b, 1440):
            raise ValueError(f"{where}: a block must open before it closes, not {start}-{end}")
        spans.append((a, b if b > a else b + 1440))
    spans.sort()
    for (_, shuts), (opens, _) in itertools.pairwise(spans):
        if opens < shuts:
            raise ValueError(f"{where}: blocks overlap")


def check_holidays(holidays: tuple[Holiday, ...], where: str) -> None:
    """Raises ``ValueError`` for a date that is listed twice, or blocks that make no sense."""
    for holiday in holidays:
        _check_blocks(holiday.open, f"{where} {holiday.date}")
    if len({h.date for h in holidays}) != len(holidays):
        raise ValueError(f"{where}: a date is listed twice")


class Hours(Record):
    """Business hours: weekly blocks ``[open, close)`` of wall time in an IANA zone.

    A block whose end is not after its start runs past midnight and belongs to its starting day.
    Inactive hours are kept and mean always open.  The holidays of ``holiday_calendar_id`` hold as
    well, where ``holidays`` say nothing of a date.  Rule: business hours.
    """

    active: bool = True
    timezone: Annotated[Zone | None, Field(validate_default=True)] = None
    weekly: dict[Weekday, Blocks] = Field(default_factory=dict)
    holiday_calendar_id: Reference | None = None
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=500)] = ()
    after_hours: Action = Action(action="message")

    @field_validator("timezone")
    @classmethod
    def _known_where_it_counts(cls, zone: str | None, info: ValidationInfo) -> str | None:
        if zone is None and info.data.get("active"):
            raise ValueError("timezone is required while hours are active, such as Europe/Berlin")
        return zone

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for day, blocks in self.weekly.items():
            _check_blocks(blocks, f"weekly.{day}")
        check_holidays(self.holidays, "holidays")
        return self


NumberState = Literal["available", "active", "paused", "cooling", "retired"]


class NumberFields(NumberFacts):
    """What may be written of a number beside its digits (Rule: numbers)."""

    external_id: ExternalId | None = None
    kind: Literal["local", "toll_free", "mobile", "national"] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    campaign_id: Reference | None = None
    tags: Annotated[dict[TagKey, TagValue | TagValues], Field(max_length=100)] = Field(default_factory=dict)
    timezone: Zone | None = None
    hours: Hours | None = None
    caps: Caps = ()
    state: NumberState | None = None


class NumberSpec(NumberFields):
    """A number (DID) that we own.  An active number lives in exactly one campaign."""

    e164: Dialled


class NewNumber(NumberFields):
    """A new number, or one from stock: without ``e164`` the longest-unused available one that fits
    ``kind``, ``country`` and ``area_code`` is taken."""

    e164: Dialled | None = None


class RouteTarget(Record):
    """A target's or a group's place in a route: lower ``priority`` first, then by ``weight`` within it."""

    target_id: Reference | None = None
    group_id: Reference | None = None
    priority: Priority = 1
    weight: Weight = 1
    filters: Filters = ()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.target_id is None) == (self.group_id is None):
            raise ValueError("name either target_id or group_id")
        return self


class Routes(Record):
    """Where a campaign's calls go.

    With a ``menu`` the caller's key says where, and ``targets`` are for whoever pressed none.
    ``overflow`` is what happens when no target took the call.  ``record`` says from where on a call
    is recorded: its answer (``start``) or the bridge (``connect``).  ``duplicates`` says where callers
    of before go.
    """

    record: Literal["off", "connect", "start"] = "off"
    menu: Menu | None = None
    targets: Annotated[tuple[RouteTarget, ...], Field(max_length=500)] = ()
    max_attempts: Annotated[int, Field(ge=1, le=50)] = 5
    overflow: Action | None = None
    duplicates: DuplicateRouting | None = None


class OwnRoutes(Record):
    """A number's own routes; ``locked``: they lie dormant and the campaign's hold."""

    locked: bool = False
    value: Routes


class OwnPrompts(Record):
    """A number's own prompts; dormant while ``locked``."""

    locked: bool = False
    value: CampaignPrompts


class OwnConversions(Record):
    """A number's own conversions; dormant while ``locked``."""

    locked: bool = False
    value: Conversions


class OwnWebhooks(Record):
    """A number's own webhooks; dormant while ``locked``."""

    locked: bool = False
    value: Webhooks


class OwnSettings(Record):
    """What a number has of its own of the four settings that it else inherits, each whole
    (Rule: inherited settings).  None: never unlocked."""

    routes: OwnRoutes | None = None
    prompts: OwnPrompts | None = None
    conversions: OwnConversions | None = None
    webhooks: OwnWebhooks | None = None


# One for all numbers that have none, which are most.
NOTHING_OWN = OwnSettings()


class Number(Stored, NumberSpec):
    """A stored number; kind, country and state are filled in, ``settings`` written by their own paths."""

    settings: OwnSettings = NOTHING_OWN
    release: Release | None = None
    withdrawn: Withdrawal | None = None


class CampaignSpec(ActiveWindow):
    """The parent of numbers: their routes, prompts and default hours."""

    name: Name
    external_id: ExternalId | None = None
    state: Literal["active", "paused"] = "active"
    on_paused: Action = Action(action="reject")
    failsafe: Action | None = None
    timezone: Zone | None = None
    hours: Hours | None = None
    caps: Caps = ()
    routes: Routes = Routes()
    prompts: CampaignPrompts = CampaignPrompts()
    conversions: Conversions = ()
    webhooks: Webhooks = ()
    allowed_origins: Origins = ()


class Campaign(Stored, CampaignSpec):
    """A stored campaign."""


CallerId = E164 | Literal["number", "anonymous"]


class TargetSpec(Whispered, CallersWanted):
    """Where a call may be bridged to: a buyer's SIP address, or a phone number through trunks.

    ``address`` is ``sip:user@host[:port][;transport=tcp]``, ``sips:user@host`` (TLS) or E.164; a phone
    number needs ``trunk_ids`` (tried in order) with a ``proxy``.  ``caller_id`` is what it is shown: a
    number, ``number`` (the one that was dialled) or ``anonymous``; null is the caller's own.
    ``send_digits`` are pressed to it when it has answered (``w`` is half a second), ``max_cps`` is how many
    calls a second it is sent, ``timer_offset_s`` how long its PBX answers before a person does.
    """

    name: Name
    external_id: ExternalId | None = None
    address: Annotated[str, StringConstraints(min_length=3, max_length=500)]
    buyer_id: Reference | None = None
    trunk_ids: Annotated[tuple[Reference, ...], Field(max_length=20)] = ()
    username: Username | None = None
    password: Password | None = None
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=50)] = Field(default_factory=dict)
    caller_id: CallerId | None = None
    send_digits: Annotated[str, StringConstraints(pattern=r"^[0-9A-D*#w]{1,64}$")] | None = None
    timer_offset_s: Annotated[float, Field(ge=0, le=600)] = 0
    timezone: Zone = "UTC"
    hours: Hours | None = None
    caps: Caps = ()
    max_calls: Count | None = None
    max_cps: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    filters: Filters = ()
    ring_timeout_s: Annotated[float, Field(ge=1, le=300)] = 30
    sip: SipSettings = SipSettings()
    state: Literal["active", "paused"] = "active"

    @model_validator(mode="after")
    def _dialable(self) -> Self:
        if self.address.startswith("+"):
            check_e164(self.address)
            if not self.trunk_ids:
                raise ValueError("a phone-number address needs trunk_ids to be dialled through")
        elif not re.fullmatch(r"sips?:[^\s<>\"\x00-\x1f]+", self.address):
            raise ValueError("address must be sip:user@host or an E.164 number")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self


class Target(Stored, TargetSpec):
    """A stored target."""


class Prompt(Stored):
    """Audio that callers hear, transcoded once when it was uploaded.

    ``duration_s`` is the length; ``codecs`` the encodings that are ready; ``sha256`` the hash of
    the uploaded bytes; ``built_in`` prompts come with the product.
    """

    name: Name
    external_id: ExternalId | None = None
    duration_s: float
    codecs: tuple[str, ...]
    sha256: str
    text: str | None = None
    built_in: bool = False


Role = Literal["admin", "operator", "report_only", "publisher", "buyer"]


class Token(Stored):
    """An API token: only its hash is stored.  One of a publisher or a buyer names it, and reaches no
    further (Rule: publishers and buyers)."""

    name: str = ""
    role: Role
    publisher_id: str | None = None
    buyer_id: str | None = None
    last_used_at: str | None = None
