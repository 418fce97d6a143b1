"""The words of SIP's grammar (RFC 3261 section 25.1): names, tokens, quotes, lists, parameters.

Everything here is a total function over text: what does not fit the grammar is answered with
``None``, never raised.  In every pattern runs of characters are possessive and what may follow a run
can not begin like it, so that matching stays linear.  Groups are not possessive: Python before 3.11.4
gets those wrong.
"""

import ipaddress
import re
from typing import Final

Params = dict[str, str | None]

# Messages repeat their CSeqs, URIs and what stands before the parameters of a Via: so many are parsed
# but once.  What is cached is shared, hence never written to.
CACHED: Final = 256
MAX_PARAMS: Final = 100
"""Parameters of one value: nobody has a tenth of them, and each takes far more memory than its text."""

_KNOWN = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow",
    "Allow-Events", "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact",
    "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Type",
    "CSeq", "Date", "Diversion", "Error-Info", "Event", "Expires", "From", "Geolocation",
    "History-Info", "Identity", "In-Reply-To", "Join", "Max-Breadth", "Max-Forwards",
    "MIME-Version", "Min-Expires", "Min-SE", "Organization", "P-Access-Network-Info",
    "P-Asserted-Identity", "P-Associated-URI", "P-Attestation-Indicator", "P-Called-Party-ID",
    "P-Charge-Info", "P-Charging-Vector", "P-Early-Media", "P-Preferred-Identity", "Path",
    "Priority", "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck",
    "Reason", "Record-Route", "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID",
    "Replaces", "Reply-To", "Request-Disposition", "Require", "Retry-After", "Route", "RSeq",
    "Server", "Service-Route", "Session-Expires", "Subject", "Subscription-State", "Supported",
    "Target-Dialog", "Timestamp", "To", "Unsupported", "User-Agent", "User-to-User", "Via",
    "Warning", "WWW-Authenticate",
)  # fmt: skip

# RFC 3261 section 20 and the IANA registry of compact forms.
_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To",
    "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

_LOWER: Final = {name.lower(): name for name in _KNOWN} | _COMPACT

# The spellings met on the wire, so that one look-up canonicalises almost every header.
KNOWN_NAMES: Final = (
    {name: name for name in _KNOWN}
    | _LOWER
    | {name.upper(): name for name in _KNOWN}
    | {short.upper(): name for short, name in _COMPACT.items()}
)

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_QUOTES: Final = re.compile(r'[";,<> \t]')
_NEEDS_ESCAPE: Final = re.compile(r'(["\\])')

# One element of a comma-separated list: commas inside quotes and <> belong to it.
_ELEMENT: Final = re.compile(r'(?:[^",<]++|"(?:[^"\\]++|\\.)*"|<[^>]*+>)*', re.DOTALL)

# One parameter: ;name, ;name=value, ;name="quoted", with white space anywhere (section 7.3.1).
_PARAM: Final = re.compile(
    r"[ \t]*+;[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+"
    r'(?:=[ \t]*+("(?:[^"\\]++|\\.)*"|[^";,<> \t]++)[ \t]*+)?',
    re.DOTALL,
)

# Parameters as they nearly always come: no quotes, no white space.
_PLAIN_PARAMS: Final = re.compile(r"""(?:;[A-Za-z0-9\-.!%*_+`'~]++(?:=[^";,<> \t]++)?)+""")

# display-name <uri> ;tag=x rest.  A display name is quoted, or anything without quotes and <>.
NAME_ADDR: Final = re.compile(
    r'("(?:[^"\\]++|\\.)*"|[^"<>]*+)[ \t]*+<([A-Za-z][A-Za-z0-9+.\-]*+:[^ \t<>"]++)>'
    r'(?:;tag=([^ \t;,"<>=]++))?(.*+)',
    re.DOTALL,
)
_ADDR_SPEC: Final = re.compile(r'([A-Za-z][A-Za-z0-9+.\-]*+:[^ \t<>";?,]++)(.*+)', re.DOTALL)


def canonical(name: str) -> str:
    """A header name's canonical long form; a name we do not know stays as it is."""
    return KNOWN_NAMES.get(name) or _LOWER.get(name.lower(), name)


def is_token(text: str) -> bool:
    """Whether ``text`` is a token (section 25.1)."""
    return _TOKEN.fullmatch(text) is not None


def decimal(text: str, below: int) -> int | None:
    """An unsigned decimal number less than ``below``; leading zeros are fine, signs are not."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        return None
    value = int(text)
    return value if value < below else None


def is_address(host: str) -> bool:
    """Whether a host is an IP literal and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_ipv6(literal: str) -> bool:
    """Whether ``literal`` (without brackets) is an IPv6 address; one with a zone is not."""
    try:
        ipaddress.IPv6Address(literal)
    except ValueError:
        return False
    return "%" not in literal


def split_list(value: str) -> list[str]:
    """The comma-separated elements of a header value, stripped; never splits quotes or <>.

    Where a quote or a bracket is left open the rest is one element.  Empty elements stay, so that
    whoever parses them can refuse them.
    """
    if "," not in value:
        return [value]
    elements = []
    start = 0
    while True:
        match = _ELEMENT.match(value, start)
        end = match.end() if match else start
        if end < len(value) and value[end] != ",":
            end = len(value)
        elements.append(value[start:end].strip(" \t"))
        if end == len(value):
            return elements
        start = end + 1


def first_element(value: str) -> tuple[str, str]:
    """The first of those elements, and the rest of the value, comma and all; whatever the rest may cost."""
    match = _ELEMENT.match(value)
    end = match.end() if match else 0
    if end < len(value) and value[end] != ",":
        end = len(value)
    return value[:end].strip(" \t"), value[end:]


def parse_params(text: str) -> Params | None:
    """``;a=b;c`` as a dict: names in lower case, quoted values unquoted, None without ``=``.

    ``None`` if it does not fit the grammar, a name comes twice (section 7.3.1), or there are more than
    ``MAX_PARAMS``.
    """
    if text.count(";") > MAX_PARAMS or _PLAIN_PARAMS.fullmatch(text) is None:
        return _parse_spaced_params(text)
    parts = text[1:].split(";")
    params: Params = {}
    for part in parts:
        name, equals, value = part.partition("=")
        params[name if name.islower() else name.lower()] = value if equals else None
    return params if len(params) == len(parts) else None


def _parse_spaced_params(text: str) -> Params | None:
    params: Params = {}
    at = 0
    while at < len(text):
        match = _PARAM.match(text, at)
        if match is None:
            return None
        name = match[1].lower()
        if name in params or len(params) == MAX_PARAMS:
            return None
        value = match[2]
        params[name] = unquote(value) if value and value[0] == '"' else value
        at = match.end()
    return params


def print_params(params: Params) -> str:
    """The opposite of ``parse_params``; values that are no token-like words are quoted."""
    text = ""
    for name, value in params.items():
        if value is None:
            text += f";{name}"
        elif value and not _NEEDS_QUOTES.search(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def quote(text: str) -> str:
    """``text`` as a quoted-string."""
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", text) + '"'


def unquote(text: str) -> str:
    """A quoted-string's content, escapes resolved; other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def split_name_addr(value: str) -> tuple[str, str, str | None, str] | None:
    """A name-addr or addr-spec (section 20.10) in parts: display name as written, URI, tag, rest.

    The tag is split off only where it directly follows the URI (it nearly always does); the rest
    are the other parameters, unparsed.  Without <> everything after ``;`` is a header parameter,
    and a URI with a comma or question mark is refused.
    """
    match = NAME_ADDR.fullmatch(value)
    if match is not None:
        return match[1], match[2], match[3], match[4]
    match = _ADDR_SPEC.fullmatch(value)
    if match is None:
        return None
    return "", match[1], None, match[2]
