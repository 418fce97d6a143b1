"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966): parse, print, compare.

Parts stay as they were written; ``unescape`` resolves %HH where a part's meaning is wanted, and
each part exactly once.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote as percent_quote
from urllib.parse import unquote_to_bytes

from edge.sip.errors import SipParseError
from edge.sip.grammar import CACHED, MAX_PARAMS, Params, is_ipv6

SCHEMES: Final = frozenset(("sip", "sips", "tel"))

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):")
_SIP: Final = re.compile(
    r'(?:([^@:\s<>"\x00-\x1f\x7f]++)(?::([^@\s<>"\x00-\x1f\x7f]*+))?@)?'
    r"(?:\[([0-9A-Fa-f:.]++)\]|([A-Za-z0-9\-_.]++))(?::(\d{1,5}+)(?!\d))?"
    r'(;[^?\s<>"\x00-\x1f\x7f]*+)?(?:\?([^\s<>"\x00-\x1f\x7f]*+))?',
    re.ASCII,
)
_TEL: Final = re.compile(r'(\+?[0-9A-Fa-f*#\-.()]++)(;[^\s<>"?\x00-\x1f\x7f]*+)?', re.ASCII)
_SEPARATORS: Final = str.maketrans("", "", "-.()")
# Section 19.1.4: these count even where only one of the two URIs has them.
_ALWAYS_COMPARED: Final = ("transport", "user", "ttl", "method", "maddr")


class Uri(NamedTuple):
    """A URI in parts.

    ``scheme`` is ``sip``, ``sips`` or ``tel``; ``user`` (of tel: the number) and ``password`` are
    as written, None if absent; ``host`` is without the brackets of an IPv6 literal, empty for tel;
    ``params`` by lower-case name with values as written, None without ``=``; ``headers`` is what
    follows ``?``, unparsed.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    params: Params = {}  # noqa: RUF012 - never written to
    headers: str = ""
    password: str | None = None

    @property
    def subscriber(self) -> str:
        """The user part's meaning: unescaped once, without telephone parameters (``;npdi;rn=``)."""
        return unescape((self.user or "").partition(";")[0])

    @property
    def subscriber_params(self) -> Params:
        """Telephone parameters: of a tel URI its own, else those in the user part (19.1.6)."""
        if self.scheme == "tel":
            return self.params
        rest = (self.user or "").partition(";")[2]
        return (_params(";" + rest) if rest else None) or {}

    @property
    def hostport(self) -> str:
        """Host and, if there is one, port, as written in a URI."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def matches(self, other: "Uri") -> bool:
        """Whether the two are equivalent (section 19.1.4; for tel, RFC 3966 section 4)."""
        if self.scheme != other.scheme or _same_user(self, other) is False:
            return False
        if self.host.lower() != other.host.lower() or self.port != other.port:
            return False
        return _same_params(self, other) and _header_set(self.headers) == _header_set(other.headers)

    def __str__(self) -> str:
        params = "".join([f";{k}" if v is None else f";{k}={v}" for k, v in self.params.items()])
        if self.scheme == "tel":
            return f"tel:{self.user}{params}"
        user = ""
        if self.user is not None:
            user = f"{self.user}@" if self.password is None else f"{self.user}:{self.password}@"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.hostport}{params}{headers}"


@lru_cache(CACHED)
def parse_uri(text: str) -> Uri:
    """A sip, sips or tel URI; raises SipParseError, with status 416 for another scheme."""
    scheme = text[:4].lower()
    if scheme == "sip:":
        return _parse_sip("sip", text[4:])
    if scheme == "tel:":
        return _parse_tel(text[4:])
    if text[:5].lower() == "sips:":
        return _parse_sip("sips", text[5:])
    if _SCHEME.match(text):
        raise SipParseError("unknown URI scheme", 416)
    raise SipParseError("malformed URI")


def _parse_sip(scheme: str, rest: str) -> Uri:
    match = _SIP.fullmatch(rest)
    if match is None:
        raise SipParseError("malformed SIP URI")
    user, password, literal, name, digits, tail, headers = match.groups()
    port = int(digits) if digits else None
    if port is not None and not 0 < port < 65536:
        raise SipParseError("port out of range in URI")
    if literal is not None and not is_ipv6(literal):
        raise SipParseError("malformed IPv6 literal in URI")
    params = _params(tail) if tail else {}
    if params is None:
        raise SipParseError("malformed URI parameters")
    return Uri(scheme, user, literal or name, port, params, headers or "", password)


def _parse_tel(rest: str) -> Uri:
    match = _TEL.fullmatch(rest)
    if match is None or not any(mark.isalnum() for mark in match[1]):
        raise SipParseError("malformed tel URI")
    params = _params(match[2]) if match[2] else {}
    if params is None:
        raise SipParseError("malformed URI parameters")
    return Uri("tel", match[1], "", None, params)


def _params(text: str) -> Params | None:
    params: Params = {}
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        key = name.lower()
        if not key or key in params or len(params) == MAX_PARAMS:
            return None
        params[key] = value if equals else None
    return params


def unescape(text: str) -> str:
    """``text`` with %HH resolved, once; what is no valid escape stays."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "surrogateescape")


def escape_user(text: str) -> str:
    """``text`` as a URI's user part: everything outside section 25.1's user characters as %HH."""
    return percent_quote(text.encode("utf-8", "surrogateescape"), safe="-_.!~*'()&=+$,;?/")


def _same_user(a: Uri, b: Uri) -> bool:
    if a.scheme == "tel":
        return _digits(a) == _digits(b)
    if (a.user is None) != (b.user is None) or (a.password is None) != (b.password is None):
        return False
    same = unescape(a.user or "") == unescape(b.user or "")
    return same and unescape(a.password or "") == unescape(b.password or "")


def _digits(uri: Uri) -> str:
    return (uri.user or "").translate(_SEPARATORS).lower()


def _same_params(a: Uri, b: Uri) -> bool:
    names = a.params.keys() & b.params.keys()
    if a.scheme == "tel":
        if a.params.keys() != b.params.keys():
            return False
    elif any((name in a.params) != (name in b.params) for name in _ALWAYS_COMPARED):
        return False
    return all(_folded(a.params[name]) == _folded(b.params[name]) for name in names)


def _folded(value: str | None) -> str | None:
    return None if value is None else unescape(value).lower()


def _header_set(headers: str) -> set[tuple[str, str]]:
    pairs = (part.partition("=") for part in headers.split("&") if part)
    return {(unescape(name).lower(), unescape(value)) for name, _, value in pairs}
