"""Header values: addresses (RFC 3261 section 20.10), and making values safe to write."""

import re
from typing import Final, NamedTuple

from edge.sip.errors import SipParseError
from edge.sip.grammar import Params, decimal, parse_params, print_params, quote, split_name_addr, unquote

_CONTROLS: Final = re.compile(r"(\\[^\x00-\x08\n-\x1f\x7f])|\\?[\x00-\x08\n-\x1f\x7f]++")


class NameAddr(NamedTuple):
    """A From, To, Contact, Route, P-Asserted-Identity … value.

    ``display`` is unquoted, empty if there was none; ``uri`` as written (``parse_uri`` reads it);
    ``params`` are the header's own, not the URI's.
    """

    display: str
    uri: str
    params: Params

    @property
    def tag(self) -> str | None:
        """The tag parameter."""
        return self.params.get("tag")

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{print_params(self.params)}"


def parse_name_addr(value: str) -> NameAddr:
    """One name-addr or addr-spec; raises SipParseError.  Lists are split first: ``Headers.values``."""
    parts = split_name_addr(value)
    if parts is None:
        raise SipParseError("malformed address")
    display, uri, tag, rest = parts
    params = parse_params(rest) if rest else {}
    if params is None or (tag is not None and "tag" in params):
        raise SipParseError("malformed parameters of an address")
    if tag is not None:
        params = {"tag": tag, **params}
    return NameAddr(unquote(display.strip(" \t")), uri, params)


def refuse_breaks(text: str) -> None:
    """Raises ValueError if ``text`` has a CR, LF or NUL in it and so may not be written into a message.

    With those a value could become a header of its own, or be cut short by who reads it.
    """
    if "\r" in text or "\n" in text or "\x00" in text:
        raise ValueError("CR, LF or NUL in what goes into a header")


def retry_after(value: str | None) -> int | None:
    """The seconds of a Retry-After (section 20.33); None where it is missing, or no number."""
    return decimal((value or "").partition("(")[0].partition(";")[0].strip(), 2**31)


def printable(text: str) -> str:
    """``text`` for records and terminals: control characters, and bytes that are no UTF-8, become U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return whole if whole.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in whole)


def writable(text: str) -> str:
    """``text`` as a header's value may have it (RFC 3261 25.1, TEXT-UTF8 and tabs): without control
    characters, CR, LF and NUL among them.  For what comes from outside and is passed on.

    A quoted string may have some, each behind a backslash: that goes with it, or it would quote what follows.
    """
    return text if text.isprintable() else _CONTROLS.sub(r"\1", text)
