"""What the calls room needs of the others, as protocols: the composition root brings them."""

from asyncio import Future
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from edge.calls.trace import Kept
from edge.model.attestation import Attested
from edge.model.ledger import Command
from edge.model.visits import Said
from edge.routing.snapshot import Snapshot
from edge.sip.bans import Reason
from edge.sip.events import Destination, OutgoingCall
from edge.sip.invite import Invite


class CallStore(Protocol):
    """The group-commit writer (``edge.store.writer``)."""

    @property
    def healthy(self) -> bool:
        """Whether the last commands could be written; while not, new calls get 503."""
        ...

    def submit(self, command: Command) -> "Future[Any]":
        """Queues a command; the future's answer means that it is durable (or ``Unavailable``)."""
        ...

    def post(self, command: Command) -> None:
        """Queues a command whose answer nobody waits for; a Finish is spooled if need be."""
        ...


class SaidOf(Protocol):
    """What publishers said of callers before their calls; false while nobody has said anything."""

    def __bool__(self) -> bool: ...

    def of(self, campaign_id: str | None, caller: str | None) -> Said | None:
        """What is known of a caller to a campaign."""
        ...


class NothingSaid:
    """Nobody has said anything."""

    def __bool__(self) -> bool:
        return False

    def of(self, campaign_id: str | None, caller: str | None) -> Said | None:
        """Nothing."""
        return None


class ConfigurationHolder(Protocol):
    """Where the newest snapshot is found."""

    @property
    def current(self) -> Snapshot: ...


class CapCounts(Protocol):
    """What is taken of a cap's window now (advice: the reservation is the judge)."""

    def taken(self, cap_id: str, window: str) -> int: ...


class Dialler(Protocol):
    """The SIP endpoint, as far as a call needs it to dial."""

    async def resolve(self, uri: str) -> list[Destination]: ...

    def avoid(self, destination: Destination, seconds: float = ...) -> None:
        """It failed: other addresses of the same name go first for a while."""
        ...

    def call(self, outgoing: OutgoingCall) -> Invite: ...

    def local_host(self, destination: Destination) -> str:
        """The address that the destination knows us by: the host of our From."""
        ...


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A request that we turned away, as an operator needs to read it.

    ``source`` is the address it came from, ``called`` the number wanted (may be empty),
    ``remedy`` what to change if it should have been served, ``times`` how many such there were.
    """

    source: str
    method: str
    called: str
    status: int
    reason: str
    remedy: str
    times: int = 1


class RefusedLog(Protocol):
    """Collects what was turned away (bounded and aggregated)."""

    def note(self, refused: RefusedCall) -> None: ...


class Challenges(RefusedLog, Protocol):
    """Collects, too, who was asked to log in and never did."""

    def asked(self, refused: RefusedCall) -> None:
        """A call counts as refused unless its source ``answered`` soon."""
        ...

    def answered(self, source: str) -> None:
        """A source has sent credentials: whether they are right is known by now."""
        ...


class SourceGuard(Protocol):
    """What becomes of sources that misbehave (``edge.sip.guard``)."""

    def banned(self, host: str, login: bytes = b"") -> bool:
        """Whether nothing of this address is to be answered, that comes with these credentials."""
        ...

    def offend(self, host: str, reason: Reason, *, certain: bool = False) -> None:
        """Notes an offence; too many ban the source.  ``certain``: nobody else can have sent it."""
        ...

    def proven(self, host: str) -> None:
        """Somebody there has logged in."""
        ...

    def is_dialled(self, host: str) -> bool:
        """Whether we sent a call or a request there within the hour: such as targets by name."""
        ...


class IdentityVerifier(Protocol):
    """Verifies signed identities (``edge.stir``)."""

    async def verify(self, identities: Sequence[str], callers: Sequence[str], called: str) -> Attested:
        """What the Identity headers of a call are worth; soon, and never raises."""
        ...


class MessageKeeper(Protocol):
    """Keeps the SIP messages of calls that are over (``edge.services.traces``)."""

    def keep(self, call_id: str, ended_at: datetime, kept: Kept) -> None:
        """Takes them, never waiting."""
        ...


class NothingKept:
    """Where nobody keeps messages."""

    def keep(self, call_id: str, ended_at: datetime, kept: Kept) -> None:
        """Lets them go."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds on calls: seconds, and calls at once.

    ``max_call_s`` ends any call; ``drain_s`` is how long a drain lets live calls go on;
    ``max_calls`` and ``max_cps`` are the whole server's admission limits (calls at once, new calls per
    second with a burst of one second); ``retry_after_s`` is what a refused
    caller's carrier is told.  ``voicemail_max_s`` and ``recording_max_s`` are how much is recorded.
    """

    max_call_s: float = 4 * 3600.0
    drain_s: float = 3600.0
    max_calls: int = 2000
    max_cps: float = 400.0
    retry_after_s: int = 10
    voicemail_max_s: float = 180.0
    recording_max_s: float = 7200.0
