"""Answers and header lines straight to bytes: what a bridged call sends, without a message object.

What was parsed holds no line breaks, so only what our own side adds is looked through for them.
"""

from functools import lru_cache
from typing import NamedTuple

from edge.sip.events import Flow
from edge.sip.grammar import CACHED
from edge.sip.message import Request
from edge.sip.status import PHRASES, phrase

Lines = tuple[tuple[str, str], ...]


class PrintedRequest(NamedTuple):
    """A request of ours as it goes out, and what its transaction is known by."""

    data: bytes
    method: str
    branch: str
    call_id: str
    flow: Flow


# Contact, Allow and Content-Type are the same in nearly every message.
@lru_cache(CACHED)
def print_lines(lines: Lines) -> str:
    """Header lines as text; ValueError if a CR or LF in one would make another of it."""
    text = "".join([f"{name}: {value}\r\n" for name, value in lines])
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("CR or LF within a header")
    return text


def print_message(head: str, lines: Lines, body: bytes) -> bytes:
    """A message of a head (start line and headers, each with its line break), more headers, and a body."""
    text = f"{head}{print_lines(lines) if lines else ''}Content-Length: {len(body)}\r\n\r\n"
    return text.encode("utf-8", "surrogateescape") + body


def with_via(request: bytes, via: str) -> bytes:
    """A request of ours with another Via: that comes right behind the start line."""
    start, _, rest = request.split(b"\r\n", 2)
    return b"%b\r\nVia: %b\r\n%b" % (start, via.encode(), rest)


def print_answer(
    request: Request, status: int, reason: str | None, to_tag: str | None, *, lines: Lines, body: bytes
) -> bytes:
    """The answer to a request that was parsed, as ``message.respond`` makes it (section 8.2.6)."""
    if reason is None:
        reason = PHRASES.get(status) or phrase(status)
    elif "\r" in reason or "\n" in reason:
        raise ValueError("CR or LF within a reason")
    headers = request.headers
    first = headers.by_name
    if first is None:
        first = dict(reversed(headers.items))
        vias = "\r\nVia: ".join(headers.all("Via"))
    else:
        vias = first["Via"]
    tag = f";tag={to_tag}" if to_tag and request.to_tag is None else ""
    head = (
        f"SIP/2.0 {status} {reason}\r\nVia: {vias}\r\nFrom: {first['From']}\r\nTo: {first['To']}{tag}\r\n"
        f"Call-ID: {first['Call-ID']}\r\nCSeq: {first['CSeq']}\r\n"
    )
    if status == 100 and "Timestamp" in first:
        head = f"{head}Timestamp: {first['Timestamp']}\r\n"
    return print_message(head, lines, body)
