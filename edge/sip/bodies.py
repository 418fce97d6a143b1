"""The session description in a message, alone or among other parts (RFC 5621, 2046, 3204).

Carriers put ISUP, locations or call cards beside the description; we take that out.  What we need not
understand is left out, but for an INVITE's, which may be passed on.  All of it is bounded: parts, nesting,
headers of a part, the boundary, what is kept.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from edge.sip.attached import Attached, bounded
from edge.sip.core import ACCEPT, Objection
from edge.sip.errors import SipParseError
from edge.sip.grammar import Params, parse_params
from edge.sip.message import Headers, Request, Response

MAX_PARTS: Final = 16
MAX_NESTING: Final = 2
MAX_HEAD: Final = 2048
MAX_BOUNDARY: Final = 70
"""RFC 2046 section 5.1.1."""

_SDP: Final = "application/sdp"
_OF_CONTENT: Final = re.compile(r"content-[a-z][a-z-]{0,40}")
_PLAIN: Final = ("", "7bit", "8bit", "binary")


Carried = Callable[[str], bool]
"""Says of a media type in lower case whether parts of it are passed on to somebody."""


def nothing(_kind: str) -> bool:
    """No part is passed on."""
    return False


class _Part(NamedTuple):
    """A body with its headers: ``kind`` is the media type; ``disposition`` empty where nothing is said.

    ``optional`` if it says that it need not be understood, ``unsaid`` if it says nothing, among others.
    """

    kind: str
    params: Params
    disposition: str
    optional: bool
    unsaid: bool
    encoding: str
    data: bytes
    said: dict[str, str]

    @property
    def is_description(self) -> bool:
        """Whether it describes the session: that is what SDP does unless it says otherwise (section 8)."""
        return self.kind == _SDP and self.disposition in ("", "session") and self.encoding in _PLAIN


def _is_description(message: Request | Response) -> bool:
    """Whether the body is a session description and nothing else; an answer may leave that unsaid."""
    headers = message.headers
    # Nearly every message names each header once: then a look is one in a dict.
    lines: Mapping[str, str] | Headers = headers if headers.by_name is None else headers.by_name
    kind = lines.get("Content-Type")
    if kind is None:
        return isinstance(message, Response) or message.method == "ACK"
    plain = kind == _SDP or kind.partition(";")[0].strip().lower() == _SDP
    return plain and "Content-Disposition" not in lines and "Content-Encoding" not in lines


def only_description(message: Request | Response, carried: Carried = nothing) -> Objection | None:
    """Leaves of a body its session description, or nothing; the objection if a request can not be served
    so: 415 for a part that must be understood, 400 for what is no multipart.

    The rest of an INVITE's is ``attached``; what is ``carried`` on need not be understood.  Of a response
    what can not be read is as good as not there.
    """
    if not message.body or _is_description(message):
        return None
    body, message.body = message.body, b""
    headers = message.headers
    encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return Objection(415, (("Accept-Encoding", "identity"),))
    said = [(name, headers.get(name) or "") for name in _OF_PART]
    try:
        whole = _part({name.lower(): value for name, value in said}, body, alone=True)
        beside: list[_Part] = []
        found = _description(whole, 0, beside, carried)
    except SipParseError as error:
        return Objection(error.status, (ACCEPT,) if error.status == 415 else (), error.close)
    message.body = found or b""
    if beside and isinstance(message, Request) and message.method == "INVITE":
        message.attached = bounded(map(_attached, beside))
    return None


_OF_PART: Final = ("Content-Type", "Content-Disposition", "Content-Transfer-Encoding")


def _attached(part: _Part) -> Attached:
    """A part to be passed on.  Names are written as usual, whatever their case was."""
    said = [(name, value) for name, value in part.said.items() if value and _OF_CONTENT.fullmatch(name)]
    headers = [(name.title(), value) for name, value in said]
    return Attached(part.kind, tuple(headers), part.data)


def _description(part: _Part, nested: int, beside: list[_Part], carried: Carried) -> bytes | None:
    """The first description in a part; SipParseError 415 or 400.  Other parts are put ``beside``, but for
    what is there instead of a description."""
    if part.is_description:
        return part.data
    if not part.kind.startswith("multipart/"):
        if part.optional or part.unsaid or carried(part.kind):
            beside.append(part)
            return None
        raise SipParseError("a body that must be understood is not", 415)
    if nested == MAX_NESTING:
        raise SipParseError("a multipart in too many others", close=True)
    found: bytes | None = None
    refused: SipParseError | None = None
    others = beside if part.kind != "multipart/alternative" else []
    for inner in _parts(part):
        try:
            read = _description(inner, nested + 1, others, carried)
        except SipParseError as error:
            if error.status != 415:
                raise
            refused = error
        else:
            found = read if found is None else found
    one_will_do = part.kind == "multipart/alternative" and found is not None  # RFC 2046 section 5.1.4
    if refused is not None and not one_will_do and not part.optional:
        raise refused
    return found


def _parts(whole: _Part) -> Iterator[_Part]:
    """The parts of a multipart; SipParseError 400."""
    boundary = (whole.params.get("boundary") or "").encode("utf-8", "surrogateescape")
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise SipParseError("a multipart without a boundary")
    pieces = (b"\r\n" + whole.data).split(b"\r\n--" + boundary, MAX_PARTS + 1)
    if len(pieces) > MAX_PARTS + 1 and not pieces[-1].startswith(b"--"):
        raise SipParseError("too many parts", close=True)
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return
        padding, newline, rest = piece.partition(b"\r\n")
        if not newline or padding.strip(b" \t"):
            break
        yield _read(rest)
    raise SipParseError("a multipart that does not end")


def _read(raw: bytes) -> _Part:
    """One part: its headers, if it has any, a blank line, and the rest."""
    if raw.startswith(b"\r\n"):
        return _part({}, raw[2:])
    head, blank, data = raw.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD:
        raise SipParseError("a part's headers are too long", close=True)
    said: dict[str, str] = {}
    text = head.decode("utf-8", "surrogateescape").replace("\r\n ", " ").replace("\r\n\t", " ")
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise SipParseError("a part has a malformed header")
        said.setdefault(name.strip().lower(), value.strip())
    return _part(said, data if blank else b"")


def _part(said: dict[str, str], data: bytes, *, alone: bool = False) -> _Part:
    """A part by its headers (names in lower case).

    Where nothing is said of what it is for, a part need not be understood, though RFC 5621 section 6 would
    have it so: no call is lost for a call card.  A body that stands alone must be.
    """
    kind, params = _value(said.get("content-type") or "text/plain")
    purpose = said.get("content-disposition")
    disposition, how = _value(purpose or "")
    optional = (how.get("handling") or "").lower() == "optional"
    unsaid = purpose is None and not alone
    encoding = said.get("content-transfer-encoding", "").strip().lower()
    return _Part(kind, params, disposition, optional, unsaid, encoding, data, said)


def _value(text: str) -> tuple[str, Params]:
    """A header's word in lower case, and its parameters; SipParseError 400."""
    word, semicolon, rest = text.partition(";")
    params = parse_params(semicolon + rest) if semicolon else {}
    if params is None:
        raise SipParseError("malformed parameters of a body's header")
    return word.strip().lower(), params
