"""What the stack tells the owner of an INVITE dialog usage, and the types both sides share.

One immutable record an event; those that every call has are tuples, which are made in a third of the
time.  An owner never sees a retransmission, a crossing or a race: those are rows of the tables in
``transaction`` and ``invite``.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from edge.sip.attached import Attached
from edge.sip.message import Headers, Request

if TYPE_CHECKING:
    from edge.sip.invite import Invite

Transport = Literal["udp", "tcp", "tls"]


def default_port(transport: str) -> int:
    """The port of a URI or Via that names none (RFC 3261 section 19.1.2)."""
    return 5061 if transport == "tls" else 5060


class Destination(NamedTuple):
    """Where a request goes, resolved: an IP literal, a port and a transport.

    ``name`` is whom the peer must prove to be over TLS: the domain (or address) that was dialled.
    """

    transport: Transport
    host: str
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Where a message came from, and so where the answer goes (RFC 5626's word).

    ``local`` names the listener (``("127.0.0.1", 5060)``); ``connection`` is 0 for UDP, else the
    stream's number, never used twice.  ``name`` is whom the peer has proven to be (TLS, by us).
    """

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Digest credentials of ours toward a peer; ``realm`` None answers any realm of that peer."""

    username: str
    password: str = field(repr=False)
    realm: str | None = None


class OutgoingCall(NamedTuple):
    """An INVITE of ours: everything the stack can not know.

    ``headers`` are added as they are (CR, LF and NUL are refused); From/To are name-addrs without
    tags; ``route`` is the preloaded route set.  ``stream_if_big``: an INVITE that is too big for a datagram
    goes by TCP, if the destination takes a connection (18.1.1).  ``allow_refer``: the target may transfer
    the call, and let another phone of its own take it; ``peer_id`` is who that is.
    ``no_provisional_s`` is how long to wait for any answer before the destination counts as unreachable.
    ``call_id`` empty: one of its own.  ``attached`` goes beside the description, in a body of several parts.
    """

    request_uri: str
    destination: Destination
    from_: str
    to: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    max_forwards: int = 70
    credentials: Credentials | None = None
    route: tuple[str, ...] = ()
    no_provisional_s: float = 5.0
    stream_if_big: bool = False
    allow_refer: bool = False
    contact_user: str = "edge"
    call_id: str = ""
    peer_id: str = ""
    attached: tuple[Attached, ...] = ()


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request of ours outside any dialog.  An empty ``call_id`` takes a new one.

    Repeated with credentials it takes the ``cseq`` after its own, at most twice a realm.  ``stream_if_big``
    as of a call.
    """

    method: Literal["OPTIONS", "REGISTER"]
    request_uri: str
    destination: Destination
    from_: str
    to: str
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    call_id: str = ""
    cseq: int = 1
    contact_user: str = "edge"
    stream_if_big: bool = False


# -- events of a call of ours to a target (client) ------------------------------------------------


class Progress(NamedTuple):
    """A provisional answer above 100.  ``sdp`` is early media's description, empty if none."""

    status: int
    reason: str
    sdp: bytes


class Answered(NamedTuple):
    """The target's 200.  The owner must ``ack()``: at once if we offered, with an answer if it did."""

    sdp: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Refused:
    """The call is not to be: final status ≥ 300, or 408 / 503 made here.

    ``cause`` says which: ``status`` (the peer answered), ``timeout`` (it never did),
    ``unreachable`` (transport error, or nothing within ``no_provisional_s``).
    """

    status: int
    reason: str
    cause: Literal["status", "timeout", "unreachable"]
    headers: Headers
    retry_after_s: int | None = None


class Transfer(Protocol):
    """A REFER that waits for its owner's word, and later for how it ended (``refer.Transfer``)."""

    def take(self) -> bool:
        """The owner looks at it; False if it has waited for too long, and been refused."""
        ...

    def accept(self) -> None:
        """202: it is being tried."""
        ...

    def refuse(self, status: int) -> None:
        """The call goes on as before."""
        ...

    def end(self, status: int, *, leave: bool) -> None:
        """The peer is told the final status; then, if asked, the call with it is hung up."""
        ...


@dataclass(frozen=True, slots=True)
class Referred:
    """The target wants the caller connected to ``uri`` (REFER).

    ``replaces`` is the dialog there that the new call shall replace (RFC 3891), ``referred_by`` what the
    target says of itself (RFC 3892), both as header values.
    """

    uri: str
    replaces: str | None
    referred_by: str | None
    transfer: Transfer


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another phone of the target takes this dialog's place (RFC 3891): ``invite`` is its call to us.

    The owner answers it and hangs the old dialog up, or rejects it; 480 goes out if it does neither.
    """

    invite: "Invite"


# -- events of a call to us (server) ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up before our final answer (487 has been sent): by CANCEL, unless its INVITE
    ``expired``."""

    reason: str | None
    expired: bool = False


class Acked(NamedTuple):
    """The ACK to our 200; ``sdp`` is the answer to a late offer, else empty.  ``unanswered``: it should have
    answered the offer in our 200 to a re-INVITE."""

    sdp: bytes
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class EarlyAnswer:
    """The answer to a late offer that came before ours: with the PRACK to a 18x that held our offer."""

    sdp: bytes


# -- events of both ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offered:
    """A re-INVITE of the peer (or UPDATE, or PRACK): answer with ``accept_offer`` or ``refuse_offer``.

    ``sdp`` is empty when the peer wants our offer (a late offer).
    """

    sdp: bytes
    method: Literal["INVITE", "UPDATE", "PRACK"]


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """Our re-INVITE (or UPDATE) was accepted.  Already ACKed if we offered; else ``ack(answer)`` is due."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """Our re-INVITE (or UPDATE) was refused: everything is as before it (RFC 3261 section 14.1)."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Our refresh (RFC 4028), which offered nothing new, was answered: where the peer may have moved."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO within the dialog (already answered 200): DTMF of peers without RFC 4733."""

    content_type: str
    body: bytes


class Ended(NamedTuple):
    """The dialog is over: BYE came (``peer``), or it broke (``no_ack``, ``timeout``, ``gone`` = 481)."""

    cause: Literal["peer", "no_ack", "timeout", "gone"]
    reason: str | None


InviteEvent = (
    Progress
    | Answered
    | Refused
    | Cancelled
    | Acked
    | EarlyAnswer
    | Offered
    | OfferAnswered
    | OfferRefused
    | Refreshed
    | Info
    | Referred
    | Replaced
    | Ended
)


# -- who may talk to us -----------------------------------------------------------------------------


class Allow(NamedTuple):
    """The request is of a known peer; ``peer_id`` is its trunk (or target) id."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The request is of no known peer, or over its limit.

    ``status`` 0 is silence; anything else is answered statelessly with these ``headers``
    (401 with its challenges, 403, 503 with Retry-After).
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()


class AccessPolicy(Protocol):
    """Judges every request outside a dialog before any state is made for it, and who moves within one."""

    @property
    def answers_strangers(self) -> bool:
        """Whether who is unknown gets an answer, and so may learn that there is somebody."""
        ...

    def judge(self, request: Request, flow: Flow) -> Allow | Deny: ...

    def moved(self, request: Request, flow: Flow, peer_id: str) -> Deny | None:
        """The peer of a call wants to be reached at another place, from where nobody is known: what it has to
        prove first; None if it has, or can not."""
        ...
