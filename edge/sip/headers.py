"""Header values: addresses (RFC 3261 section 20.10), and making values safe to write."""

import re
from typing import Final, NamedTuple

from edge.sip.errors import SipParseError
from edge.sip.grammar import Params, is_token, parse_params, print_params, quote, split_name_addr, unquote

MAX_WRITTEN: Final = 8192
_CONTROLS: Final = dict.fromkeys((*range(32), 127), " ")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNWRITABLE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # the others stand for raw octets


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


def check_header(name: str, value: str) -> None:
    """Refuses a header that may not be written: raises ValueError, naming what is wrong.

    For what operators and API clients configure.  CR, LF, NUL and other controls never pass, so
    no value can become a header of its own or cut one short.
    """
    if not is_token(name) or len(name) > 64:
        raise ValueError(f"{name!r} is no header name")
    if len(value) > MAX_WRITTEN:
        raise ValueError(f"the value of {name} is longer than {MAX_WRITTEN} characters")
    if value.translate(_CONTROLS) != value.replace("\t", " "):
        raise ValueError(f"the value of {name} has a control character in it")
    if _SURROGATE.search(value):
        raise ValueError(f"the value of {name} is no Unicode text")


def clean_value(value: str) -> str:
    """``value`` as it may be written into a header: every control character becomes a space.

    For what comes from outside and is passed on (caller names, called numbers, placeholders);
    bytes that are no UTF-8 stay as they are, other lone surrogates become ``?``.
    """
    return _UNWRITABLE.sub("?", value[:MAX_WRITTEN].translate(_CONTROLS).strip())
