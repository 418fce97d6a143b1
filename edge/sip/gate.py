"""What a request must be before anything is done for it (RFC 3261 section 8.2), and stateless answers."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from edge.sip.bodies import Carried, nothing, only_description
from edge.sip.core import ALLOW, Objection
from edge.sip.dialog import MAX_ROUTES
from edge.sip.events import Flow
from edge.sip.expiry import MIN_SE, too_small
from edge.sip.layer import METHODS
from edge.sip.message import Headers, Request
from edge.sip.printing import Lines
from edge.sip.timers import T1
from edge.sip.uri import SCHEMES
from edge.sip.via import Via

KNOWN_ELSEWHERE: Final = frozenset(("REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "REFER", "PUBLISH"))
_ALLOWED: Final = frozenset(METHODS)
_TIMED: Final = frozenset(("INVITE", "UPDATE"))
_WITH_SDP: Final = frozenset(("INVITE", "UPDATE", "PRACK"))
_EXTENSIONS: Final = frozenset(("100rel", "timer", "replaces"))
_REFLECTORS: Final = frozenset((0, 7, 19, 53))
"""UDP ports that answer whatever comes: a reply to them could go round in circles, or at a third party."""

MAX_KEEPALIVE: Final = 64
"""Bytes of a datagram that says nothing."""
MAX_LINES: Final = 512
"""Of a session description."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one stack holds at most; beyond it a new call gets 503 with Retry-After, and beyond twice the
    transactions whatever comes within a call, but its BYE.

    A bridged call leaves three transactions for 32 s and one for 5 s, some 4 kB in all: these limits
    are reached near 1,000 calls a second.  ``asked`` requests of the peer of one dialog within 64*T1 are
    served, twice as many at first: what one peer repeats within a call must leave room for others' calls.
    """

    transactions: int = 100_000
    usages: int = 20_000
    asked: int = 500


def objection(request: Request, *, refer: bool = False, carried: Carried = nothing) -> Objection | None:
    """Why a request is not served, in any dialog or none; None: it is.

    ``refer``: its dialog takes REFER.  ``carried`` parts of its body need not be understood.
    """
    if request.method not in _ALLOWED and not (refer and request.method == "REFER"):  # 8.2.1
        return Objection(405 if request.method in KNOWN_ELSEWHERE else 501, (ALLOW,))
    headers = request.headers
    if "Require" in headers:  # 8.2.2.3
        unknown = [name for name in headers.values("Require") if name.strip().lower() not in _EXTENSIONS]
        if unknown:
            return Objection(420, (("Unsupported", ", ".join(unknown)),))
    if request.method in _TIMED and "Session-Expires" in headers and too_small(request):
        return Objection(422, (("Min-SE", str(MIN_SE)),))
    if request.body and request.method in _WITH_SDP:
        refused = only_description(request, carried)  # 8.2.3
        if refused is not None:
            return refused
        if request.body.count(b"\n") > MAX_LINES:
            return Objection(400, closes=True)
    return None


def stranger_objection(request: Request) -> Objection | None:
    """Further demands on a request outside a dialog."""
    if request.uri.partition(":")[0].lower() not in SCHEMES:  # 8.2.2.1
        return Objection(416)
    # RFC 7332: a back-to-back user agent must not go on with it; OPTIONS ends here (RFC 4475 3.3.11).
    if request.max_forwards == 0 and request.method != "OPTIONS":
        return Objection(483)
    if request.method != "INVITE" and "Replaces" in request.headers:  # RFC 3891 section 3
        return Objection(400)
    if request.method == "INVITE":
        return _invite_objection(request.headers)
    # 12.2.2: it is of a dialog that we do not know
    return None if request.method == "OPTIONS" else Objection(481)


def _invite_objection(headers: Headers) -> Objection | None:
    if "Accept" in headers and not _accepts_sdp(headers.values("Accept")):
        return Objection(406)  # 8.2.3, 21.4.7
    if "Record-Route" in headers and len(headers.values("Record-Route")) > MAX_ROUTES:
        return Objection(400, closes=True)
    return None


def overloaded(seconds: float) -> Objection:
    """503, with when to come back."""
    return Objection(503, (("Retry-After", str(int(seconds))),))


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Where the answers to a request go (18.2.2, RFC 3581): ``maddr`` is ignored."""
    if flow.transport != "udp" or "rport" in request.via.params:
        return flow
    port = request.via.port or 5060
    if port == flow.remote[1]:
        return flow
    return Flow(flow.transport, flow.local, (flow.remote[0], port), flow.connection)


def may_answer(via: Via, flow: Flow) -> bool:
    """False where an answer could hit someone who never asked (amplification); ``via`` is the topmost."""
    if flow.transport == "udp" and (flow.remote[1] in _REFLECTORS or (via.port or 5060) in _REFLECTORS):
        return False
    return via.host == flow.remote[0] or not _reaches_many(via.host)


def keeps_alive(data: bytes) -> bool:
    """Whether a datagram only keeps a way through a NAT open: line breaks, zeros, or STUN (RFC 5389
    section 6, RFC 3489 section 11.1).  It is passed over, and nobody's fault."""
    if len(data) >= 20 and data[0] < 4 and len(data) == 20 + int.from_bytes(data[2:4], "big"):
        return True
    return len(data) <= MAX_KEEPALIVE and not data.strip(b"\r\n\x00 ")


def no_bigger(headers: Lines, spare: int) -> Lines | None:
    """``headers`` cut to ``spare`` bytes, the longest first; None if not even none fit.

    Of challenges the shortest is that of MD5, the algorithm that every phone knows.
    """
    while headers and sum(map(_length, headers)) > spare:
        longest = max(headers, key=_length)
        headers = tuple(header for header in headers if header is not longest)
    return headers if spare >= 0 else None


def _length(header: tuple[str, str]) -> int:
    return len(header[0]) + len(header[1]) + 4


def _accepts_sdp(accepted: list[str]) -> bool:
    ranges = {part.partition(";")[0].strip().lower() for part in accepted}
    return bool(ranges & {"application/sdp", "application/*", "*/*"})


def _reaches_many(host: str) -> bool:
    if host[:2] not in _MANY:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_multicast or host == "255.255.255.255"


_MANY: Final = frozenset(("22", "23", "25", "ff", "FF", "fF", "Ff"))
RETRY_AFTER: Final = (10 * T1, 60 * T1)
"""Seconds: the range of Retry-After when we are full."""
