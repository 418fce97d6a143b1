"""SIP messages: requests and responses as header lists, bytes-preserving (RFC 3261 section 7).

Text is decoded as UTF-8 with ``surrogateescape``, so that any bytes survive a round trip.
"""

from collections.abc import Iterator


class SipParseError(ValueError):
    """A message that is not SIP.  The one error the parsers raise.

    ``status`` is the answer to give (400, 413, 416, 505, 513 …), or 0 when none may be given
    (a response, or no usable top Via).  ``close`` says a stream can not be resynchronised.
    ``request`` carries the partly parsed request to answer to, if there is enough of it.
    """

    def __init__(self, reason: str, status: int = 400, *, close: bool = False, request: "Request | None" = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.close = close
        self.request = request


class Headers:
    """Ordered (name, value) pairs; names in canonical long form (``Via``, ``Call-ID``).

    Names compare case-insensitively and compact forms are expanded when parsed.  A header that
    arrived folded is one line; values that arrived comma-separated stay as they arrived:
    ``values`` splits them where the grammar allows (never inside quotes or <>).
    """

    items: list[tuple[str, str]]

    def __init__(self, items: list[tuple[str, str]] | None = None) -> None: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The first line's whole value."""
    def all(self, name: str) -> list[str]:
        """Every line's value, unsplit, in order."""
    def values(self, name: str) -> list[str]:
        """Every comma-separated element of every line, in order."""
    def add(self, name: str, value: str) -> None: ...
    def set(self, name: str, value: str) -> None:
        """Replaces all lines of that name by one, at the first one's place."""
    def remove(self, name: str) -> None: ...
    def __contains__(self, name: str) -> bool: ...
    def __iter__(self) -> Iterator[tuple[str, str]]: ...


class Via:
    """A parsed Via element: transport, host, port, params (branch, received, rport …)."""

    transport: str
    host: str
    port: int | None
    params: dict[str, str | None]
    branch: str


class Request:
    """A request.  The fields below are parsed at most once and cached.

    Malformed required headers (RFC 3261 section 8.1.1) were refused by the parser already.
    """

    method: str
    uri: str
    headers: Headers
    body: bytes
    # lazily parsed: via (topmost), call_id, cseq (number), from_tag, to_tag, max_forwards

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None: ...
    def to_bytes(self) -> bytes:
        """The message as sent; Content-Length is always written from the body."""


class Response:
    """A response; ``cseq`` and ``cseq_method``, ``via``, ``call_id``, tags as for a request."""

    status: int
    reason: str
    headers: Headers
    body: bytes

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None: ...
    def to_bytes(self) -> bytes: ...


def respond(request: Request, status: int, reason: str | None = None, to_tag: str | None = None) -> Response:
    """A response to ``request``: Via list, From, To (with ``to_tag`` if it had none), Call-ID, CSeq copied."""
