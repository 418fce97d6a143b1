"""Bytes to messages (RFC 3261 sections 7, 18.3, 25; limits against hostile peers).

``parse`` reads one datagram, or one message that the framer cut out of a stream.  It reads the
start line, splits the headers and parses only what every message needs: top Via, From and To tags,
Call-ID, CSeq, Max-Forwards.  Everything else is parsed by who asks for it.  Work grows linearly
with the size of the message.
"""

import re
from typing import Final, NamedTuple

from edge.sip.grammar import KNOWN_NAMES, canonical, decimal, is_token
from edge.sip.message import (
    Headers,
    ReadRequest,
    ReadResponse,
    Request,
    Response,
    SipParseError,
    parse_cseq,
    parse_max_forwards,
    parse_tag,
)
from edge.sip.status import PHRASES
from edge.sip.uri import parse_uri
from edge.sip.via import parse_via

MAX_HEADERS: Final = 256
MAX_LINES: Final = 1024
"""Lines that the headers may be folded into: to unfold many more takes as long as to read ten messages."""
MAX_VALUE: Final = 8192
MAX_COMMAS: Final = 1000
"""In all headers together: each may begin another value of a list, and a text of nothing else takes as long
to split as a hundred messages to read."""
_FEW: Final = 2048
"""Characters of headers in which nobody counts them."""
MAX_VIAS: Final = 70
MAX_CONTACTS: Final = 20

_LISTS: Final = {"Via": MAX_VIAS, "Contact": MAX_CONTACTS}
_SINGLE: Final = frozenset(
    ("Call-ID", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Type", "CSeq", "Date",
     "Event", "Expires", "From", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "RAck", "Refer-To",
     "Replaces", "RSeq", "Session-Expires", "Subject", "To")
)  # fmt: skip
_ANSWERED_FROM: Final = frozenset(("Via", "From", "To", "Call-ID", "CSeq", "Timestamp"))
_METHODS: Final = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "PRACK", "UPDATE"))
_STATUSES: Final = {str(status): status for status in PHRASES}
_FOLD: Final = re.compile(r"\r\n[ \t]++")
_VERSION: Final = re.compile(r"SIP/\d{1,3}+\.\d{1,3}+", re.ASCII | re.IGNORECASE)


class Head(NamedTuple):
    """A message's start line and headers, split but not yet judged."""

    start: str
    text: str
    headers: Headers


def parse(data: bytes) -> Request | Response:
    """The message in a datagram.

    Bytes after the body that Content-Length declares are cut off (section 18.3).  Raises
    SipParseError, and nothing else, for what is no SIP message; its status is 0 where silence is
    due, its ``request`` is enough to answer to otherwise.
    """
    if data[:1] == b"\r":
        data = data.lstrip(b"\r\n")  # section 7.5
    head, blank, body = data.partition(b"\r\n\r\n")
    start, _, text = head.decode("utf-8", "surrogateescape").partition("\r\n")
    try:
        if not blank:
            raise SipParseError("no empty line after the headers")
        headers = _split_headers(text)
        if start[:8] == "SIP/2.0 ":
            return _response(start, headers, body)
        return _request(start, headers, body)
    except SipParseError as error:
        raise _refusal(error, start, text) from None


def split_head(head: bytes) -> Head:
    """Everything before the empty line, split into its lines; raises SipParseError as ``parse``."""
    start, _, text = head.decode("utf-8", "surrogateescape").partition("\r\n")
    try:
        return Head(start, text, _split_headers(text))
    except SipParseError as error:
        raise _refusal(error, start, text) from None


def build(head: Head, body: bytes) -> Request | Response:
    """The message of a head and its body; raises SipParseError as ``parse``."""
    try:
        if head.start[:8] == "SIP/2.0 ":
            return _response(head.start, head.headers, body)
        return _request(head.start, head.headers, body)
    except SipParseError as error:
        raise _refusal(error, head.start, head.text) from None


def refusal(error: SipParseError, head: bytes) -> SipParseError:
    """``error`` completed for a head that could not be split: see ``_refusal``."""
    start, _, text = head.decode("utf-8", "surrogateescape").partition("\r\n")
    return _refusal(error, start, text)


class _Names(dict[str, str]):
    """Canonical names by the spellings that are met, and by any other token."""

    def __missing__(self, name: str) -> str:
        stripped = name.rstrip(" \t")  # section 7.3.1: white space is allowed before the colon
        if not is_token(stripped):
            raise SipParseError("a header line without a name")
        return canonical(stripped)


_NAMES: Final = _Names(KNOWN_NAMES)


def _split_headers(text: str) -> Headers:
    lines = text.split("\r\n")
    rest = "".join(lines)
    if "\n" in rest or "\r" in rest:
        raise SipParseError("CR or LF within a line")
    if len(lines) > MAX_HEADERS:
        if len(lines) - text.count("\r\n ") - text.count("\r\n\t") > MAX_HEADERS:
            raise SipParseError(f"more than {MAX_HEADERS} headers", close=True)
        if len(lines) > MAX_LINES:
            raise SipParseError(f"headers folded into more than {MAX_LINES} lines", 513, close=True)
        lines = _unfold(text)
    try:
        headers = _named(lines)
    except SipParseError:
        unfolded = _unfold(text)
        if len(unfolded) == len(lines):
            raise
        headers = _named(unfolded)
    if len(text) > _FEW:
        if text.count(",") > MAX_COMMAS:
            raise SipParseError(f"more than {MAX_COMMAS} values in lists", close=True)
        if len(text) > MAX_VALUE:
            _check_lengths(headers)
    return headers


def _unfold(text: str) -> list[str]:
    return _FOLD.sub(" ", text).split("\r\n")


# Lines that come with every call of a peer, by what they say.  Those with chance in them are never the
# same again in another call: none is kept.
_REPEATED: Final = frozenset(
    ("Accept", "Allow", "Contact", "Content-Length", "Content-Type", "CSeq", "Max-Forwards", "Server",
     "Supported", "User-Agent")
)  # fmt: skip
_MAX_REMEMBERED: Final = 512
_MAX_LINE: Final = 160
_remembered: dict[str, tuple[str, str]] = {}


def _named(lines: list[str]) -> Headers:
    """Lines as headers.  A folded one's second half has no name: it is refused."""
    by_name: dict[str, str] = {}
    for line in lines:
        known = _remembered.get(line)
        if known is not None:
            by_name[known[0]] = known[1]
            continue
        spelt, colon, value = line.partition(":")
        if not colon:
            raise SipParseError("a header line without a name")
        name = _NAMES[spelt]
        by_name[name] = value = value.strip(" \t")
        if name in _REPEATED and len(line) <= _MAX_LINE:
            _remember(line, name, value)
    if len(by_name) == len(lines):
        return Headers(None, by_name)
    parts = [line.partition(":") for line in lines]
    return Headers([(_NAMES[name], value.strip(" \t")) for name, _, value in parts])


def _remember(line: str, name: str, value: str) -> None:
    """Keeps what a line says.  A full table begins anew: what repeats is soon back in it."""
    if len(_remembered) >= _MAX_REMEMBERED:
        _remembered.clear()
    _remembered[line] = (name, value)


def _check_lengths(headers: Headers) -> None:
    if any(len(value) > MAX_VALUE for _, value in headers):
        raise SipParseError(f"a header value of more than {MAX_VALUE} characters", 513, close=True)


def _request(start: str, headers: Headers, body: bytes) -> Request:
    method, _, tail = start.partition(" ")
    uri, _, version = tail.rpartition(" ")
    if version != "SIP/2.0":
        _check_version(version)
    if method not in _METHODS and not is_token(method):
        raise SipParseError("malformed method")
    if len(uri) > MAX_VALUE:
        raise SipParseError(f"a Request-URI of more than {MAX_VALUE} characters", 414, close=True)
    request = ReadRequest(method, uri, headers)
    request.target = parse_uri(uri)
    first = _read(request, body)
    via = parse_via(first["Via"])
    if via is None:
        raise SipParseError("malformed Via")
    request.via = via
    request.from_tag = parse_tag("From", first["From"])
    request.max_forwards = parse_max_forwards(first.get("Max-Forwards"))
    if request.cseq_method != method:
        raise SipParseError("the CSeq's method is not the request's")
    return request


def _check_version(version: str) -> None:
    if version.upper() == "SIP/2.0":
        return
    if _VERSION.fullmatch(version):
        raise SipParseError("SIP version not supported", 505)
    raise SipParseError("malformed request line")


def _response(start: str, headers: Headers, body: bytes) -> Response:
    digits, space, reason = start[8:].partition(" ")
    status = _STATUSES.get(digits) or decimal(digits, 700)
    if status is None or status < 100 or not (space or digits == start[8:]):
        raise SipParseError("malformed status line")
    if "\n" in reason or "\r" in reason:
        raise SipParseError("CR or LF within the status line")
    response = ReadResponse(status, reason, headers)
    via = _read(response, body)["Via"]
    branch = via.partition(";branch=")[2].partition(";")[0]
    response.branch = branch if is_token(branch) and "," not in via else _branch(via)
    return response


def _branch(via: str) -> str:
    """The branch of a Via in which other values, quotes or white space surround it."""
    parsed = parse_via(via)
    if parsed is None:
        raise SipParseError("malformed Via")
    return parsed.branch


def _read(message: ReadRequest | ReadResponse, body: bytes) -> dict[str, str]:
    """Fills in what both kinds of messages are asked for (section 8.1.1): Call-ID, CSeq, To tag, body.

    Answers each header's first value by name; raises SipParseError also for what comes too often.
    """
    headers = message.headers
    first = headers.by_name
    if first is None:
        _check_repeated(headers)
        first = dict(reversed(headers.items))
    elif "," in first.get("Via", "") or "," in first.get("Contact", ""):
        _check_counts(headers)
    try:
        _, _, cseq, recipient = first["Via"], first["From"], first["CSeq"], first["To"]
        message.call_id = call_id = first["Call-ID"]
    except KeyError as missing:
        raise SipParseError(f"no {missing.args[0]} header") from None
    if not call_id or " " in call_id:
        raise SipParseError("malformed Call-ID")
    message.cseq, message.cseq_method = parse_cseq(cseq)
    message.to_tag = parse_tag("To", recipient)
    declared = first.get("Content-Length")
    message.body = body if declared == str(len(body)) else _cut(body, declared)
    return first


def _check_repeated(headers: Headers) -> None:
    """Refuses a second line of a header that has one value (section 7.3.1), and too long lists."""
    seen: set[str] = set()
    for name, _ in headers:
        if name in seen and name in _SINGLE:
            raise SipParseError(f"more than one {name} header")
        seen.add(name)
    _check_counts(headers)


def _check_counts(headers: Headers) -> None:
    for name, limit in _LISTS.items():
        if len(headers.values(name)) > limit:
            raise SipParseError(f"more than {limit} {name} values", close=True)


def _cut(body: bytes, declared: str | None) -> bytes:
    """The body by its declared length (section 18.3); without one, all there is."""
    if declared is None:
        return body
    length = decimal(declared, 2**31)
    if length is None:
        raise SipParseError("malformed Content-Length")
    if length > len(body):
        raise SipParseError("the body is shorter than its Content-Length")
    return body[:length]


def _refusal(error: SipParseError, start: str, rest: str) -> SipParseError:
    """``error`` with what is needed to answer it, or with status 0 where silence is due.

    Silence: to responses, to ACK, and to whatever has no top Via that can be read.
    """
    method, _, tail = start.partition(" ")
    if start[:4].upper() == "SIP/" or method == "ACK":
        return SipParseError(error.reason, 0, close=error.close)
    request = Request(method, tail.rpartition(" ")[0], Headers(_salvage(rest)))
    try:
        _ = request.via
    except SipParseError:
        return SipParseError(error.reason, 0, close=error.close)
    return SipParseError(error.reason, error.status, close=error.close, request=request)


def _salvage(text: str) -> list[tuple[str, str]]:
    """The lines that an answer is made from, out of a message that is otherwise refused."""
    items: list[tuple[str, str]] = []
    first = "\r\n".join(text.split("\r\n", MAX_LINES)[:MAX_LINES])
    for line in _unfold(first)[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        key = canonical(name.rstrip(" \t"))
        if colon and key in _ANSWERED_FROM and "\n" not in value and "\r" not in value:
            items.append((key, value.strip(" \t")))
    return items
