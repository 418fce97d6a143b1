"""SIP messages: requests and responses as header lists, bytes-preserving (RFC 3261 section 7).

Text is decoded as UTF-8 with ``surrogateescape``, so that any bytes survive a round trip.
"""

from functools import cached_property, lru_cache
from typing import Final

from edge.sip.attached import Attached
from edge.sip.errors import SipParseError
from edge.sip.grammar import (
    CACHED,
    MAX_PARAMS,
    NAME_ADDR,
    decimal,
    first_element,
    parse_params,
    split_name_addr,
)
from edge.sip.header_lines import Headers
from edge.sip.status import phrase
from edge.sip.uri import Uri, parse_uri
from edge.sip.via import Via, parse_via

__all__ = ["Headers", "Message", "Request", "Response", "SipParseError", "Via", "respond"]


class Message:
    """What requests and responses share.

    ``attached`` is what stood beside the description in an INVITE's body, which ``bodies`` has taken out;
    ``foreign`` says of a request in a dialog that it came from somewhere that is not known to be the peer's.
    The cached fields are parsed at most once: change ``headers`` before they are read, or make a
    new message.  The parser has refused messages in which they are malformed; a malformed one raises
    SipParseError in a message of our own making, and ``via`` and ``from_tag`` in a response: there only
    the ``branch`` was looked at.
    """

    __slots__ = ("__dict__", "body", "headers")
    headers: Headers
    body: bytes
    attached: tuple[Attached, ...] = ()
    foreign: bool = False

    @cached_property
    def via(self) -> Via:
        """The topmost Via."""
        via = parse_via(_required(self.headers, "Via"))
        if via is None:
            raise SipParseError("malformed Via", 0)
        return via

    @cached_property
    def call_id(self) -> str:
        """The Call-ID, compared byte by byte."""
        return _required(self.headers, "Call-ID")

    @cached_property
    def cseq(self) -> int:
        """The CSeq's sequence number."""
        return parse_cseq(_required(self.headers, "CSeq"))[0]

    @cached_property
    def cseq_method(self) -> str:
        """The CSeq's method."""
        return parse_cseq(_required(self.headers, "CSeq"))[1]

    @cached_property
    def from_tag(self) -> str | None:
        """The From tag; ``None`` where the peer sent none (RFC 2543)."""
        return parse_tag("From", _required(self.headers, "From"))

    @cached_property
    def to_tag(self) -> str | None:
        """The To tag, ``None`` outside a dialog."""
        return parse_tag("To", _required(self.headers, "To"))


def _print(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [f"{name}: {value}\r\n" for name, value in headers if name != "Content-Length"]
    text = f"{start}\r\n{''.join(lines)}Content-Length: {len(body)}\r\n\r\n"
    expected = len(lines) + 3
    if text.count("\n") != expected or text.count("\r") != expected:
        raise ValueError("CR or LF within a header")
    return text.encode("utf-8", "surrogateescape") + body


class Request(Message):
    """A request.  Its cached fields are parsed at most once (see ``Message``).

    Malformed required headers (RFC 3261 section 8.1.1) were refused by the parser already.
    """

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body

    @cached_property
    def target(self) -> Uri:
        """The Request-URI in parts."""
        return parse_uri(self.uri)

    @cached_property
    def max_forwards(self) -> int | None:
        """Max-Forwards, ``None`` where the peer sent none (RFC 2543)."""
        return parse_max_forwards(self.headers.get("Max-Forwards"))

    def to_bytes(self) -> bytes:
        """The message as sent; Content-Length is always written from the body.

        Raises ValueError if a CR or LF hides in a name or value: nothing that reaches us may
        become a header of its own.
        """
        return _print(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)

    def note_source(self, host: str, port: int) -> None:
        """Writes ``received`` and ``rport`` into the top Via (RFC 3261 18.2.1, RFC 3581 section 4).

        ``received`` always, as interoperability wants it; ``rport`` only where it was asked for.
        """
        line, stamped = self.headers.get("Via") or "", self.via.stamped(host, port)
        if "," in line:
            stamped += first_element(line)[1]
        self.headers.set_first("Via", stamped)

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri}>"


class Response(Message):
    """A response; ``cseq`` and ``cseq_method``, ``via``, ``call_id``, tags as for a request."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    @cached_property
    def branch(self) -> str:
        """The top Via's branch: that of the request which it answers."""
        return self.via.branch

    def to_bytes(self) -> bytes:
        """The message as sent; as ``Request.to_bytes``."""
        return _print(f"SIP/2.0 {self.status} {self.reason}", self.headers, self.body)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


class ReadRequest(Request):
    """A request that was parsed: what ``Request`` reads when asked is there."""

    __slots__ = (
        "call_id", "cseq", "cseq_method", "from_tag", "max_forwards", "target", "to_tag", "via",
    )  # fmt: skip
    call_id: str
    cseq: int
    cseq_method: str
    from_tag: str | None
    max_forwards: int | None
    target: Uri
    to_tag: str | None
    via: Via


class ReadResponse(Response):
    """A response that was parsed; of its Via and From nothing but the branch concerns us."""

    __slots__ = ("branch", "call_id", "cseq", "cseq_method", "to_tag")
    branch: str
    call_id: str
    cseq: int
    cseq_method: str
    to_tag: str | None


def _required(headers: Headers, name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise SipParseError(f"no {name} header")
    return value


@lru_cache(CACHED)
def parse_cseq(value: str) -> tuple[int, str]:
    """A CSeq's number and method; raises SipParseError (number below 2**32, section 8.1.1.5)."""
    parts = value.split()
    number = decimal(parts[0], 2**32) if len(parts) == 2 else None
    if number is None:
        raise SipParseError("malformed CSeq")
    return number, parts[1]


_HOPS: Final = {str(hops): hops for hops in range(256)}


def parse_max_forwards(value: str | None) -> int | None:
    """A Max-Forwards value of 0 to 255; raises SipParseError."""
    if value is None:
        return None
    number = _HOPS.get(value)
    if number is None:
        number = decimal(value, 256)
    if number is None:
        raise SipParseError("Max-Forwards is no number from 0 to 255")
    return number


@lru_cache(CACHED)
def parse_tag(name: str, value: str) -> str | None:
    """The tag of a From or To value (``name`` is for the error); raises SipParseError."""
    match = NAME_ADDR.fullmatch(value)  # nearly always; else it may be an address without <>
    parts = split_name_addr(value) if match is None else match.groups()
    if parts is None:
        raise SipParseError(f"malformed {name}")
    _, _, tag, rest = parts
    if not rest:
        return tag
    params = parse_params(rest)
    if params is None or ("tag" in params and (tag is not None or params["tag"] is None)):
        raise SipParseError(f"malformed parameters of {name}")
    if tag is None and len(params) == MAX_PARAMS and "tag" not in params:  # the answer has one more
        raise SipParseError(f"too many parameters of {name}")
    return params.get("tag") if tag is None else tag


# What a response copies (section 8.2.6.2) besides the Via list: the first line of each.
_COPIED: Final = frozenset(("From", "To", "Call-ID", "CSeq"))


def respond(request: Request, status: int, reason: str | None = None, to_tag: str | None = None) -> Response:
    """A response to ``request``: Via list, From, To (with ``to_tag`` if it had none), Call-ID, CSeq copied.

    100 also copies Timestamp (section 8.2.6.1).  Works on the partly parsed request of a
    SipParseError too: what is missing there is missing here.
    """
    items: list[tuple[str, str]] = []
    seen: set[str] = set()
    for item in request.headers:
        name = item[0]
        if name == "Via":
            items.append(item)
        elif name in _COPIED and name not in seen:
            seen.add(name)
            items.append(_tagged(item, to_tag) if name == "To" and to_tag else item)
        elif name == "Timestamp" and status == 100:
            items.append(item)
    return Response(status, phrase(status) if reason is None else reason, Headers(items))


def _tagged(item: tuple[str, str], tag: str) -> tuple[str, str]:
    try:
        if parse_tag("To", item[1]) is not None:
            return item
    except SipParseError:
        return item
    return ("To", f"{item[1]};tag={tag}")
