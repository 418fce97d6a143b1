"""Names to addresses: IP literals at once, names by the system's resolver in a thread (RFC 3263 4.2)."""

import asyncio
import socket
from collections import OrderedDict
from typing import Final

from edge.clock import Clock
from edge.sip.dialog import is_address, transport_of
from edge.sip.events import Destination, default_port
from edge.sip.message import SipParseError
from edge.sip.uri import parse_uri

LIMIT_S: Final = 2.0
KEPT_S: Final = 30.0
"""Seconds that an answer is good for; the system's resolver tells no TTL."""
MAX_KEPT: Final = 1000
MAX_ADDRESSES: Final = 8


class Unresolvable(Exception):
    """A URI that leads to no address: malformed, an unknown name, or no answer in time."""


class Resolver:
    """Resolves SIP URIs, remembering names for a short while."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    async def resolve(self, uri: str) -> list[Destination]:
        """The addresses behind a SIP URI, best first; raises Unresolvable after 2 s at the latest."""
        try:
            parsed = parse_uri(uri)
        except SipParseError as error:
            raise Unresolvable(f"{uri!r}: {error.reason}") from None
        if not parsed.host:
            raise Unresolvable(f"{uri!r} names no host")
        transport = transport_of(parsed, "udp")
        if transport is None:
            raise Unresolvable(f"{uri!r}: SIP is spoken over udp, tcp and tls only")
        hosts = [parsed.host] if is_address(parsed.host) else await self._look_up(parsed.host.lower())
        port = parsed.port or default_port(transport)
        name = parsed.host if transport == "tls" else ""
        return [Destination(transport, host, port, name) for host in hosts]

    async def _look_up(self, name: str) -> list[str]:
        now = self._clock.monotonic()
        kept = self._kept.get(name)
        if kept is not None and now - kept[0] < KEPT_S:
            return kept[1]
        hosts = await self._ask(name)
        self._kept[name] = (now, hosts)
        self._kept.move_to_end(name)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return hosts

    async def _ask(self, name: str) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LIMIT_S):
                found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except TimeoutError:
            raise Unresolvable(f"{name}: no answer from the resolver within {LIMIT_S:g} s") from None
        except (OSError, UnicodeError) as error:
            raise Unresolvable(f"{name}: {error}") from None
        hosts = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
        if not hosts:
            raise Unresolvable(f"{name}: no address")
        return hosts
