"""What the API asks of the rest of the server: small protocols that the services satisfy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from edge.admin.pool_ports import Enrichment, PoolPorts
from edge.model.bans import Banned
from edge.model.base import Stored
from edge.model.buyer import Buyer
from edge.model.calendars import HolidayCalendar
from edge.model.config import (
    NewNumber,
    Number,
    Prompt,
    Role,
    Token,
    Trunk,
)
from edge.model.inherited import Effective, Setting
from edge.model.kinds import Kind, Spec
from edge.model.peers import Reachability, Registration
from edge.model.preset import Preset
from edge.model.publishers import Publisher
from edge.model.release import Carrier
from edge.services.callers import Mode, Written
from edge.services.identity import Identity
from edge.services.inheritance import Deviation
from edge.services.insight import CapUse, HoursPreview
from edge.services.listing import ListQuery, Page
from edge.services.numbers import NumberResult
from edge.services.pcap import Message
from edge.services.readiness import Check
from edge.services.release import Charge, Preview, Wanted
from edge.services.scope import EVERYWHERE, Within
from edge.services.setup.outcome import Outcome, Version
from edge.services.simulation import Answer, Simulated


class Configuration(Protocol):
    """Reads and edits; every edit takes effect on the next call.

    Raises ``NotFound``, ``Invalid``, ``Conflict``, ``Stale`` and ``StoreDown`` of
    ``edge.services.errors``.
    """

    async def list(self, kind: Kind, query: ListQuery, within: Within = EVERYWHERE) -> Page[Stored]: ...
    async def get(self, kind: Kind, object_id: str, within: Within = EVERYWHERE) -> Stored: ...
    async def create(self, kind: Kind, spec: Spec) -> Stored: ...
    async def patch(
        self, kind: Kind, object_id: str, changes: Mapping[str, Any], expected_version: int | None
    ) -> Stored:
        """A JSON merge patch (RFC 7396) over what may be written; secrets left out are kept."""

    async def delete(self, kind: Kind, object_id: str, expected_version: int | None) -> None: ...


class Numbers(Protocol):
    """Numbers by the piece and in quantity (``edge.services.numbers``)."""

    async def create(self, new: NewNumber) -> Number: ...
    async def import_csv(self, text: str, dry_run: bool) -> Sequence[NumberResult]: ...
    async def bulk_update(
        self, ids: Sequence[str], filters: Mapping[str, str], changes: Mapping[str, Any], dry_run: bool
    ) -> Sequence[NumberResult]: ...


class Releases(Protocol):
    """Numbers leave service and come back (``edge.services.release``)."""

    async def release(self, number_id: str, wanted: Wanted, expected: int | None = None) -> Number: ...
    async def restore(self, number_id: str, expected: int | None = None) -> Number: ...
    async def mark(self, number_id: str, carrier: Carrier, expected: int | None = None) -> Number: ...
    async def preview(self, ids: Sequence[str], filters: Mapping[str, str], wanted: Wanted) -> Preview: ...
    async def confirm(self, token: str) -> Sequence[NumberResult]: ...
    async def charges(self, query: ListQuery) -> Page[Charge]: ...
    async def still_dialled(self, days: int, limit: int) -> Sequence[Charge]: ...


class Inheritance(Protocol):
    """The four settings of numbers, inherited or own (``edge.services.inheritance``)."""

    def effective(self, number: Number) -> Mapping[Setting, Effective]: ...
    async def put(self, number_id: str, setting: Setting, value: Any, expected: int | None) -> Number: ...
    async def unlock(self, number_id: str, setting: Setting, expected: int | None) -> Number: ...
    async def lock(self, number_id: str, setting: Setting, expected: int | None) -> Number: ...
    async def deviations(self, campaign_id: str) -> Sequence[Deviation]: ...


class Prompts(Protocol):
    """Uploaded audio; list, get and rename go through ``Configuration``."""

    async def upload(self, name: str, audio: bytes, external_id: str | None) -> Prompt:
        """Decodes and stores; raises ``Invalid`` when the bytes are no audio that we read."""

    async def speak(self, name: str, text: str, external_id: str | None) -> Prompt:
        """Speaks the text; raises ``Invalid`` where no espeak-ng is installed."""

    async def audio(self, prompt_id: str) -> bytes:
        """The prompt as a WAV file of telephone quality."""

    async def delete(self, prompt_id: str, expected_version: int | None) -> None: ...


class Blocks(Protocol):
    """Blocks by the file (``edge.services.blocks``)."""

    async def import_csv(self, text: str, dry_run: bool, country: str) -> Sequence[NumberResult]: ...


class Calendars(Protocol):
    """Public holidays for calendars (``edge.services.calendars``)."""

    async def import_holidays(
        self,
        calendar_id: str,
        country: str,
        subdivision: str | None,
        years: Sequence[int],
        expected: int | None,
    ) -> HolidayCalendar: ...


class Callers(Protocol):
    """The numbers of caller lists (``edge.services.callers``)."""

    async def write(self, list_id: str, text: str, mode: Mode, country: str) -> Written: ...
    async def numbers(self, list_id: str, after: str | None, limit: int) -> Page[str]: ...
    async def delete(self, list_id: str, expected: int | None) -> None: ...


class Tokens(Protocol):
    """API tokens: the text of one is told once, only its hash is kept."""

    async def authenticate(self, secret: str) -> Identity | None:
        """Constant-time; None when no token fits."""

    async def create(
        self, role: Role, name: str, publisher_id: str | None = None, buyer_id: str | None = None
    ) -> tuple[Token, str]: ...
    async def list(self, query: ListQuery) -> Page[Token]: ...
    async def get(self, token_id: str) -> Token: ...
    async def delete(self, token_id: str) -> None: ...


class Calls(Protocol):
    """Call records (JSON-ready mappings by the names of the ``call`` resource) and live calls."""

    async def list(self, query: ListQuery, within: Within = EVERYWHERE) -> Page[Mapping[str, Any]]: ...
    async def get(self, call_id: str, within: Within = EVERYWHERE) -> Mapping[str, Any]: ...
    async def live(self, within: Within = EVERYWHERE) -> Sequence[Mapping[str, Any]]: ...
    async def messages(self, call_id: str) -> Sequence[Message]:
        """The SIP messages of a call, whole, secrets removed; none when they are kept no more."""

    async def trace(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """The SIP messages of a call in order: ``at_s`` (seconds since its arrival), ``direction``
        (``in``/``out``), ``peer`` (``udp:host:port``) and ``message`` (the start line)."""

    async def recording(
        self, call_id: str, kind: Literal["voicemail", "recording"], within: Within = EVERYWHERE
    ) -> Path:
        """A WAV file; raises ``NotFound`` (there is none, or it failed) and ``Conflict`` while it lives."""

    async def hangup(self, call_id: str) -> None:
        """Ends a live call (``hung_up_by`` admin); raises ``NotFound``, ``Conflict`` if over."""


class Insight(Protocol):
    """Questions about the rules as they stand: caps and hours of any owner."""

    async def caps(self, owner_id: str) -> Sequence[CapUse]:
        """Raises ``NotFound``."""

    async def hours(self, owner_id: str, at: datetime | None) -> HoursPreview:
        """At an instant, or now; raises ``NotFound``.  An owner without hours is open."""


class Caps(Protocol):
    """One cap by its id.  Raises ``NotFound``, ``Invalid``, ``Conflict`` and ``StoreDown``."""

    async def ledger(self, cap_id: str, cursor: str | None, limit: int) -> Page[Mapping[str, Any]]:
        """Who holds or used what, since when, and the resets by hand; newest first."""

    async def reset(self, cap_id: str, by: str) -> CapUse:
        """Nothing of the present window is used any more; idempotent."""


class Simulation(Protocol):
    """What would happen to a call; changes nothing."""

    async def simulate(self, call: Simulated) -> Answer: ...


class Peers(Protocol):
    """What is known now of targets and trunks."""

    def reachability(self, peer_id: str) -> Reachability | None:
        """Whether it answers OPTIONS; None while it is not asked."""

    def registration(self, trunk_id: str) -> Registration | None:
        """Our registration with a trunk's registrar; None while it has none."""

    def used(self, trunk_id: str) -> tuple[int, float]:
        """Calls of ours through a trunk with limits now, and its minutes of today."""


class CarrierPresets(Protocol):
    """What is known of common carriers."""

    def all(self) -> Sequence[Preset]: ...
    def get(self, name: str) -> Preset | None: ...
    def effective(self, trunk: Trunk) -> Trunk:
        """The trunk with what its preset says."""
        ...


class Refused(Protocol):
    """A source whose calls we did not serve; ``count`` times between the two instants."""

    @property
    def source(self) -> str: ...
    @property
    def called(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def first_seen(self) -> datetime: ...
    @property
    def last_seen(self) -> datetime: ...


class RefusedSources(Protocol):
    """What we did not serve, newest first, bounded."""

    def recent(self, limit: int) -> Sequence[Refused]: ...


class Bans(Protocol):
    """Sources that SIP does not hear for a while."""

    def active(self, limit: int) -> Sequence[Banned]:
        """The newest bans that hold."""

    async def lift(self, source: str | None) -> None:
        """Ends the ban of a source, or all bans (None); raises ``NotFound``."""


class Audit(Protocol):
    """Who changed what, newest first."""

    async def list(self, query: ListQuery) -> Page[Mapping[str, Any]]: ...


class Setup(Protocol):
    """The whole set-up as a document (``edge.services.setup``)."""

    async def export(self) -> tuple[list[bytes], str]: ...
    async def apply(self, raw: bytes, *, prune: bool = False, dry_run: bool = False) -> Outcome: ...
    async def versions(self, query: ListQuery) -> Page[Version]: ...
    async def restore(self, version: int, dry_run: bool = False) -> Outcome: ...


class Scope(Protocol):
    """What belongs to the publisher or buyer whose token asks (``edge.services.scope``)."""

    def publisher(self, identity: Identity) -> Publisher: ...
    def buyer(self, identity: Identity) -> Buyer: ...
    def owned(self, buyer: Buyer, owner_id: str) -> str: ...
    async def create(self, publisher: Publisher, new: NewNumber) -> Number: ...
    async def tag(
        self, publisher: Publisher, number_id: str, changes: Mapping[str, Any], expected: int | None
    ) -> Number: ...


class Health(Protocol):
    """Whether new calls may come, and the way to stop them."""

    async def checks(self) -> Sequence[Check]: ...
    def drain(self, max_s: float | None) -> int:
        """No new calls from now; live ones end after ``max_s`` seconds (None: the setting's).
        Answers how many live."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure for ``/metrics``: ``labels`` few and of closed sets."""

    name: str
    kind: Literal["counter", "gauge"]
    description: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Figures(Protocol):
    """The counters of the whole server: SIP stack, media workers, calls, store."""

    def samples(self) -> Iterable[Sample]: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything the applications are built from."""

    configuration: Configuration
    numbers: Numbers
    inheritance: Inheritance
    releases: Releases
    prompts: Prompts
    callers: Callers
    blocks: Blocks
    calendars: Calendars
    tokens: Tokens
    calls: Calls
    insight: Insight
    caps: Caps
    simulation: Simulation
    refused: RefusedSources
    bans: Bans
    health: Health
    figures: Figures
    peers: Peers
    presets: CarrierPresets
    audit: Audit
    setup: Setup
    scope: Scope
    pools: PoolPorts
    enrichment: Enrichment
    trusted_proxies: tuple[str, ...] = ()
    public_url: str = ""
