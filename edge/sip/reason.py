"""Reason (RFC 3326): why a peer refuses, cancels or hangs up; passed on to the other leg.

What comes from outside is made anew out of its parts, so that it can be neither long nor anything else.
"""

from typing import Final

from edge.sip.grammar import decimal, is_token, parse_params, quote, split_list
from edge.sip.headers import printable
from edge.sip.message import Headers

ELSEWHERE: Final = 'SIP;cause=200;text="Call completed elsewhere"'
"""Keeps a phone whose call another one has taken from showing a missed call."""
MOST_VALUES: Final = 4
MOST_TEXT: Final = 100


def reason_in(headers: Headers) -> str | None:
    """What a message says, one value a protocol (section 2), joined by commas; None if it says nothing."""
    if "Reason" not in headers:
        return None
    return _joined(headers.values("Reason")) or None


def with_status(status: int, more: str | None) -> str:
    """The Reason of a BYE that stands for a refusal: its status, and what the refusing target said."""
    own = f"SIP;cause={status}"
    return _joined([own, *split_list(more)]) if more else own


def _joined(values: list[str]) -> str:
    found: dict[str, str] = {}
    for value in values:
        protocol, semicolon, rest = value.partition(";")
        params = parse_params(semicolon + rest) if semicolon else {}
        protocol = protocol.strip()
        if params is None or not is_token(protocol) or len(protocol) > MOST_TEXT or len(found) == MOST_VALUES:
            continue
        cause, text = decimal(params.get("cause") or "", 10_000), params.get("text")
        parts = [protocol] if cause is None else [protocol, f"cause={cause}"]
        if text:
            parts.append(f"text={quote(printable(text)[:MOST_TEXT])}")
        found.setdefault(protocol.lower(), ";".join(parts))
    return ", ".join(found.values())
