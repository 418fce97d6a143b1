"""What of the caller's INVITE is passed on to a target: headers and parts of its body that the target's
settings allow, diversions, the signed identity.  Pure; nothing is written that could become a header of its
own."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from edge.calls.dialplan import OURS, Line
from edge.calls.identity import Identity, is_hidden, wanted_privacy
from edge.model.decision import CallFacts
from edge.routing.e164 import normalise, user_part, written
from edge.sip.attached import Attached
from edge.sip.errors import SipParseError
from edge.sip.grammar import canonical
from edge.sip.headers import parse_name_addr, writable
from edge.sip.message import Request
from edge.sip.uri import escape_user

MAX_OCTETS: Final = 8192
"""So much is passed on of one call's headers, names and values together."""
MAX_VALUES: Final = 20
MAX_CALL_ID: Final = 256
"""Characters of a caller's Call-ID that is kept or told of; a longer one is not."""
_SAID_OTHERWISE: Final = frozenset(
    ("p-asserted-identity", "p-preferred-identity", "remote-party-id", "privacy", "diversion", "history-info",
     "identity", "date", "reason", "record-route", "path", "server", "warning", "timestamp", "accept",
     "accept-encoding", "accept-language", "expires", "event", "replaces", "refer-to", "referred-by", "rseq",
     "rack", "max-breadth", "p-access-network-info", "p-charging-vector")
)  # fmt: skip
"""Headers that settings of their own decide about, or that are between the caller's side and us."""

_HIDE_HISTORY: Final = frozenset(("history", "header", "session"))
"""RFC 7044 section 10.1: what a request asks for of which no entry goes to those who are not trusted."""

Lines = list[tuple[str, str]]


def may_allow(name: str) -> bool:
    """Whether ``header_allow`` may name this header."""
    return name.lower() not in OURS and name.lower() not in _SAID_OTHERWISE


class Onward(NamedTuple):
    """A call on its way to one line: ``shown`` is the number that its From carries, ``our_host`` what the
    peer knows us by."""

    facts: CallFacts
    line: Line
    identity: Identity
    shown: str | None
    our_host: str


def passed_on(request: Request, onward: Onward) -> Lines:
    """The headers of the caller's INVITE that go on."""
    sip = onward.line.sip
    headers: Lines = []
    if sip.header_allow:
        headers += _allowed(request, sip.header_allow)
    if sip.diversion != "none":
        headers += _diversions(request, onward)
    if sip.history_info != "none":
        headers += _history(request, onward.line)
    if sip.call_id == "correlate" and len(request.call_id) <= MAX_CALL_ID:
        headers = [header for header in headers if header[0].lower() != "x-call-id"]
        headers.append(("X-Call-ID", writable(request.call_id)))
    if "Identity" in request.headers and not is_hidden(onward.identity, sip):
        headers += _signed(request, onward)
    return headers


def attached(request: Request, onward: Onward) -> tuple[Attached, ...]:
    """What stood beside the description in the caller's INVITE and goes on; where the caller withholds its
    number nothing does, for it may stand there as well."""
    sip = onward.line.sip
    if not request.attached or is_hidden(onward.identity, sip):
        return ()
    return tuple(part for part in request.attached if part.kind in sip.body_allow)


def kept_call_id(request: Request, line: Line) -> str:
    """The caller's Call-ID where the peer is to have the same; empty: it gets one of its own.

    The two dialogs do not meet: each is found by our tag in it, which is given once, and a request by the
    tags of both sides.
    """
    kept = line.sip.call_id == "keep" and len(request.call_id) <= MAX_CALL_ID
    return request.call_id if kept and writable(request.call_id) == request.call_id else ""


@lru_cache(maxsize=256)
def _names(allow: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The whole names, and in lower case the beginnings."""
    whole = tuple(canonical(name) for name in allow if name[-1] != "*" and may_allow(name))
    return whole, tuple(name[:-1].lower() for name in allow if name[-1] == "*")


def _allowed(request: Request, allow: tuple[str, ...]) -> Lines:
    whole, beginnings = _names(allow)
    if not beginnings:
        found = [(name, value) for name in whole for value in request.headers.all(name)]
        return _bounded(iter(found)) if found else []
    names = {name.lower() for name in whole}
    return _bounded(
        (name, value)
        for name, value in request.headers
        if name.lower() in names or (name.lower().startswith(beginnings) and may_allow(name))
    )


def _bounded(lines: Iterator[tuple[str, str]]) -> Lines:
    kept: Lines = []
    octets = 0
    for name, value in lines:
        octets += len(name) + len(value)
        if octets > MAX_OCTETS or len(kept) >= 2 * MAX_VALUES:
            break
        kept.append((name, writable(value)))
    return kept


def _diversions(request: Request, onward: Onward) -> Lines:
    """Diversion (RFC 5806), the latest first: with ``make`` the number that was dialled diverts to here."""
    sip, called = onward.line.sip, onward.facts.called
    values = request.headers.values("Diversion")[:MAX_VALUES]
    if not sip.trusted:
        values = [value for value in values if _is_open(value)]
    if sip.diversion == "make" and called:
        host, is_number = sip.from_host or onward.our_host, called[0] == "+"
        shown = written(called, sip.number_format, onward.line.country) if is_number else called
        values.insert(0, f"<sip:{escape_user(shown)}@{host}>;reason=unconditional;counter=1")
    return _bounded(("Diversion", value) for value in values)


def _is_open(value: str) -> bool:
    """Whether a Diversion may be shown to anybody."""
    if "privacy" not in value.lower():
        return True
    wish = _param(value, "privacy")
    return wish is not None and wish.lower() in ("", "off")


def _param(value: str, name: str) -> str | None:
    """A parameter of an address, empty without one; None where it can not be read."""
    try:
        return parse_name_addr(value).params.get(name) or ""
    except SipParseError:
        return None


def _history(request: Request, line: Line) -> Lines:
    """History-Info (RFC 7044): with ``make`` the way from the number that was dialled to here is added."""
    values = request.headers.values("History-Info")[:MAX_VALUES]
    if not line.sip.trusted and (
        not wanted_privacy(request.headers).isdisjoint(_HIDE_HISTORY)
        or any("privacy=history" in value.lower() for value in values)
    ):
        values = []
    if line.sip.history_info == "make":
        if not values:
            values = [f"<{request.uri.partition('?')[0]}>;index=1"]
        last = _index(values[-1])
        values.append(f"<{line.uri}>;index={last}.1;mp={last}")
    return _bounded(("History-Info", value) for value in values)


def _index(value: str) -> str:
    found = _param(value, "index")
    return found if found and all(part.isdecimal() for part in found.split(".")) else "1"


def _signed(request: Request, onward: Onward) -> Lines:
    """Identity and Date (RFC 8224), which are worth something only while who calls whom is the same."""
    facts, line = onward.facts, onward.line
    if onward.shown is None or onward.shown != facts.caller:
        return []
    if normalise(user_part(line.uri), line.country) != facts.called:
        return []
    values = [("Identity", value) for value in request.headers.all("Identity")[:MAX_VALUES]]
    return _bounded(iter([*values, *(("Date", value) for value in request.headers.all("Date")[:1])]))
