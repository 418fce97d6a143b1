"""Where a target sends a call on to, as far as its configuration allows: the Contacts of a 3xx, a Refer-To.

No peer steers a call: what is not in ``sip.redirect_hosts`` is not dialled (rule: Redirections).
"""

from collections.abc import Collection
from typing import Final

from edge.sip.errors import SipParseError
from edge.sip.headers import parse_name_addr
from edge.sip.message import Headers
from edge.sip.uri import Uri, parse_uri

MOST_HOPS: Final = 5
MOST_CONTACTS: Final = 8


def contacts(headers: Headers) -> list[str]:
    """The SIP URIs of a 3xx's Contacts, best first (q, then as they stand), each once."""
    found: dict[str, float] = {}
    for value in headers.values("Contact")[:MOST_CONTACTS]:
        try:
            contact = parse_name_addr(value)
            uri = parse_uri(contact.uri)
        except SipParseError:
            continue
        if uri.scheme in ("sip", "sips"):
            found.setdefault(str(plain(uri)), _quality(contact.params.get("q")))
    return sorted(found, key=lambda uri: -found[uri])


def allowed(uri: str, hosts: Collection[str]) -> bool:
    """Whether a URI's host, or its host and port, is one of ``hosts``."""
    try:
        parsed = parse_uri(uri)
    except SipParseError:
        return False
    names = {host.lower().strip("[]") if "]:" not in host else host.lower() for host in hosts}
    return parsed.host.lower() in names or parsed.hostport.lower() in names


def plain(uri: Uri) -> Uri:
    """Without what would steer the request elsewhere, or write headers into it (RFC 3261 19.1.5)."""
    params = {name: value for name, value in uri.params.items() if name in ("transport", "user")}
    return uri._replace(headers="", params=params, password=None)


def _quality(q: str | None) -> float:
    try:
        return min(1.0, max(0.0, float(q))) if q is not None else 1.0
    except ValueError:
        return 1.0
