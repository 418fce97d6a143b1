"""From a SIP URI to the addresses to try, in order: NAPTR, SRV, A and AAAA (RFC 3263 section 4)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from edge.sip.dialog import transport_of
from edge.sip.dns import Kind, LookupFailed, Naptr, Records, Srv
from edge.sip.events import Destination, Transport, default_port
from edge.sip.grammar import is_address
from edge.sip.message import SipParseError
from edge.sip.uri import Uri, parse_uri

LIMIT_S: Final = 2.0
MAX_ADDRESSES: Final = 8

_SERVICES: Final[dict[str, Transport]] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_PREFIXES: Final[dict[Transport, str]] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


class Unresolvable(Exception):
    """A URI that leads to no address: malformed, an unknown name, or no answer in time."""


class LookUp(Protocol):
    """See ``edge.sip.dns.Dns``."""

    async def look_up(self, name: str, kind: Kind) -> Records: ...


class _Server(NamedTuple):
    """A host that serves a domain over one transport."""

    transport: Transport
    host: str
    port: int


@lru_cache(maxsize=1024)
def _wanted(uri: str) -> tuple[Uri, Transport, tuple[Destination, ...]]:
    """What a URI names, over which transport, and the addresses written in it; raises Unresolvable."""
    try:
        parsed = parse_uri(uri)
    except SipParseError as error:
        raise Unresolvable(f"{uri!r}: {error.reason}") from None
    if not parsed.host:
        raise Unresolvable(f"{uri!r} names no host")
    transport = transport_of(parsed, "udp")
    if transport is None:
        raise Unresolvable(f"{uri!r}: SIP is spoken over udp, tcp and tls only")
    if not is_address(parsed.host):
        return parsed, transport, ()
    port = parsed.port or default_port(transport)
    found = _destinations(parsed.host, [_Server(transport, parsed.host, port)])
    return parsed, transport, tuple(found)


class Resolver:
    """Resolves SIP URIs; ``draw`` answers numbers in [0, 1) for the weights of SRV records.

    ``ipv6`` asks for AAAA records too: of use only to who listens on IPv6.
    """

    def __init__(self, dns: LookUp, draw: Callable[[], float], *, ipv6: bool = True) -> None:
        self._dns = dns
        self._draw = draw
        self._kinds: tuple[Kind, ...] = ("A", "AAAA") if ipv6 else ("A",)

    async def resolve(self, uri: str) -> list[Destination]:
        """The addresses behind a SIP URI, best first; raises Unresolvable after 2 s at the latest."""
        parsed, transport, written = _wanted(uri)
        return list(written) if written else await self._find(parsed, transport)

    async def _find(self, uri: Uri, transport: Transport) -> list[Destination]:
        name = uri.host.lower().rstrip(".")
        try:
            async with asyncio.timeout(LIMIT_S):
                servers = [] if uri.port else await self._servers(uri, name, transport)
                if not servers:
                    servers = [_Server(transport, name, uri.port or default_port(transport))]
                found = await self._addresses(servers)
        except TimeoutError:
            raise Unresolvable(f"{name}: no answer from DNS within {LIMIT_S:g} s") from None
        except LookupFailed as error:
            raise Unresolvable(f"{name}: {error}") from None
        if not found:
            raise Unresolvable(f"{name}: no such name, or it has no address")
        return _destinations(uri.host.rstrip("."), found)  # TLS knows no final dot (RFC 6066)

    # -- which servers ------------------------------------------------------------------------------

    async def _servers(self, uri: Uri, name: str, transport: Transport) -> list[_Server]:
        """The servers of a domain, in order; none when it has no SRV records."""
        if uri.scheme == "sips" or "transport" in uri.params:
            return await self._served(((transport, _PREFIXES[transport] + name),), {transport})
        usual = [(kind, prefix + name) for kind, prefix in _PREFIXES.items()]
        # Asked at once, so that a domain without NAPTR (most have none) costs one round trip.
        named, *_ = await asyncio.gather(self._naptr(name), *(self._quietly(srv, "SRV") for _, srv in usual))
        if named:
            return await self._served(named, {kind for kind, _ in named})
        return await self._served(usual, {transport})

    async def _naptr(self, name: str) -> list[tuple[Transport, str]]:
        """The transports that a domain offers, best first, and the names of their SRV records (4.1)."""
        records: Sequence[Naptr] = await self._quietly(name, "NAPTR")
        return [
            (_SERVICES[record.service], record.replacement)
            for record in sorted(records)
            if record.service in _SERVICES and record.flags == "s" and record.replacement
        ]

    async def _served(self, services: Sequence[tuple[Transport, str]], only: Set[Transport]) -> list[_Server]:
        """The servers of these services; none where A records count, which they do not once one of ``only``
        is said to be offered nowhere: its one record has no target (RFC 2782)."""
        answers = await asyncio.gather(*(self._quietly(name, "SRV") for _, name in services))
        asked = list(zip((transport for transport, _ in services), answers, strict=True))
        servers = [
            _Server(transport, record.target, record.port)
            for transport, records in asked
            for record in in_order(records, self._draw)
            if record.target
        ]
        if not servers and any(records and transport in only for transport, records in asked):
            raise LookupFailed("its SRV record says that this service is not offered there")
        return servers

    async def _quietly(self, name: str, kind: Kind) -> Records:
        """Records that need not be there: servers that can not tell hold nobody up."""
        try:
            return await self._dns.look_up(name, kind)
        except LookupFailed:
            return ()

    # -- their addresses ------------------------------------------------------------------------------

    async def _addresses(self, servers: Sequence[_Server]) -> list[_Server]:
        """Each server by its addresses; raises ``LookupFailed`` only when nothing at all is known."""
        first = servers[:MAX_ADDRESSES]
        questions = [(server, kind) for server in first for kind in self._kinds]
        answers = await asyncio.gather(
            *(self._dns.look_up(server.host, kind) for server, kind in questions), return_exceptions=True
        )
        found: list[_Server] = []
        failure: BaseException | None = None
        for (server, _), answer in zip(questions, answers, strict=True):
            if isinstance(answer, BaseException):
                failure = answer
            else:
                found += [server._replace(host=address) for address in answer]
        if not found and failure is not None:
            raise failure
        return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def in_order(records: Iterable[Srv], draw: Callable[[], float]) -> list[Srv]:
    """SRV records in the order to try: by priority, then drawn by weight (RFC 2782)."""
    ordered: list[Srv] = []
    # Weight 0 goes first, so that the draw can take it, but hardly ever does.
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    while left:
        tier = [record for record in left if record.priority == left[0].priority]
        taken = _drawn(tier, draw)
        ordered.append(taken)
        left.remove(taken)
    return ordered


def _drawn(tier: list[Srv], draw: Callable[[], float]) -> Srv:
    total = sum(record.weight for record in tier)
    if not total:  # it says nothing of who is to be preferred
        return tier[int(draw() * len(tier))]
    mark = draw() * total
    for record in tier:
        mark -= record.weight
        if mark <= 0:
            return record
    return tier[-1]


def _destinations(name: str, servers: Iterable[_Server]) -> list[Destination]:
    """``name`` is what was dialled: the one that a TLS peer must prove, wherever SRV led (RFC 5922)."""
    return [
        Destination(server.transport, server.host, server.port, name if server.transport == "tls" else "")
        for server in servers
    ]
