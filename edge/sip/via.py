"""The Via header (RFC 3261 section 20.42): where a message has been, and where its answer goes."""

import re
from functools import lru_cache
from typing import Final

from edge.sip.grammar import CACHED, MAX_PARAMS, Params, first_element, is_ipv6, parse_params, print_params

_SENT: Final = re.compile(
    r"SIP[ \t]*+/[ \t]*+\d\.\d[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++"
    r"(?:\[([0-9A-Fa-f:.]++)\]|([A-Za-z0-9\-_.]++))[ \t]*+(?::[ \t]*+(\d{1,5}+)[ \t]*+)?",
    re.ASCII | re.IGNORECASE,
)
_RPORT: Final = re.compile(r";rport(?![^;])")
_PLAIN_BRANCH: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++")


class Via:
    """A parsed Via element.

    ``transport`` is in upper case; ``host`` as written, an IPv6 literal without its brackets;
    ``port`` None where there was none; ``branch`` empty where the peer sent none (RFC 2543); ``params``
    the others by lower-case name (received, rport …), not to be written to: a peer's messages share them.
    """

    __slots__ = ("_around", "branch", "host", "params", "port", "transport")

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None,
        params: Params,
        *,
        branch: str,
        around: tuple[str, str] | None = None,
    ) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.params = params
        self.branch = branch
        self._around = around

    @property
    def sent_by(self) -> str:
        """Host and port as written in the header: a part of the transaction's key (17.2.3)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def stamped(self, host: str, port: int) -> str:
        """The element with ``received``, and with ``rport`` where it was asked for."""
        if self._around is not None:
            before, after = _stamped(*self._around, host, port)
            return f"{before}{self.branch}{after}"
        params = {**self.params, "received": host}
        if "rport" in params:
            params["rport"] = str(port)
        return str(Via(self.transport, self.host, self.port, params, branch=self.branch))

    def __str__(self) -> str:
        params = {"branch": self.branch, **self.params} if self.branch else self.params
        return f"SIP/2.0/{self.transport} {self.sent_by}{print_params(params)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"<Via {self}>"


def parse_via(value: str) -> Via | None:
    """The first element of a Via line, ``None`` if it is malformed."""
    before, _, rest = value.partition(";branch=")
    branch, semicolon, after = rest.partition(";")
    if "," not in after and _PLAIN_BRANCH.fullmatch(branch) is not None:
        head = _parse_around(before, semicolon + after)
        if head is not None:
            return Via(*head, branch=branch, around=(before, semicolon + after))
    return _parse_any(first_element(value)[0] if "," in value else value)


def _parse_any(text: str) -> Via | None:
    sent, semicolon, rest = text.partition(";")
    head = _parse_sent(sent)
    if head is None:
        return None
    params = parse_params(f";{rest}") if semicolon else {}
    if params is None or (len(params) == MAX_PARAMS and "received" not in params):  # the answer has one more
        return None
    branch = params.get("branch") or ""
    if branch:
        del params["branch"]
    return Via(*head, params, branch=branch)


# What stands around the branch is the same in all messages of a peer; branches never come again.
@lru_cache(CACHED)
def _parse_around(before: str, after: str) -> tuple[str, str, int | None, Params] | None:
    """A Via element without its branch; None where that is not as plain as it nearly always is."""
    text = f"{before};branch=x{after}"
    if '"' in text or "," in text:
        return None
    via = _parse_any(text)
    if via is None or "received" in via.params:
        return None
    if "rport" in via.params and (via.params["rport"] is not None or not _RPORT.search(text)):
        return None
    return via.transport, via.host, via.port, via.params


@lru_cache(CACHED)
def _stamped(before: str, after: str, host: str, port: int) -> tuple[str, str]:
    """What stands around the branch once ``received`` is filled in, and ``rport`` where it was asked for."""
    asked = f";rport={port}"
    return f"{_RPORT.sub(asked, before)};branch=", f"{_RPORT.sub(asked, after)};received={host}"


@lru_cache(CACHED)
def _parse_sent(text: str) -> tuple[str, str, int | None] | None:
    match = _SENT.fullmatch(text)
    if match is None:
        return None
    transport, literal, name, digits = match.groups()
    port = int(digits) if digits else None
    if port is not None and not 0 < port < 65536:
        return None
    if literal is not None and not is_ipv6(literal):
        return None
    return transport.upper(), literal or name, port
