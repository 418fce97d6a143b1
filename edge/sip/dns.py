"""DNS look-ups beside the loop: answers kept for their TTL, missing names too, each asked for once at a time.

The system's hosts file is read first, as every resolver does.  Servers are those of the system, or
those that are given.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import structlog

from edge.clock import Clock
from edge.sip.grammar import is_address

log = structlog.get_logger(__name__)

LOOKUP_S: Final = 1.0
"""Seconds that one look-up may take, its repetitions included."""
TRY_S: Final = 0.45
"""Seconds until the next server is asked, or the same again."""
LONGEST_S: Final = 3600.0
SHORTEST_S: Final = 1.0
MISSING_S: Final = (5.0, 300.0)
"""Seconds that a name which does not exist is remembered: at least, at most."""
FAILED_S: Final = 5.0
"""Seconds before servers that gave no answer are asked the same again."""
STALE_S: Final = 3600.0
"""Seconds after its TTL that an answer still serves while the servers are silent (RFC 8767)."""
MAX_KEPT: Final = 5000
MAX_RECORDS: Final = 32
HOSTS: Final = Path("/etc/hosts")
MAX_HOSTS: Final = 1_000_000

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]


class Naptr(NamedTuple):
    """RFC 3403: lower ``order`` first, then lower ``preference``."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782: lower ``priority`` first, then by ``weight``; ``target`` "" means no such service."""

    priority: int
    weight: int
    port: int
    target: str


Records = tuple[Any, ...]
"""Of NAPTR and SRV the tuples above, of A and AAAA texts."""


class LookupFailed(Exception):
    """The servers gave no answer: that says nothing about the name."""


class _Kept(NamedTuple):
    until: float
    records: Records


class Dns:
    """Looks names up; ``close`` ends what is still asked.

    ``servers`` are IP addresses, with ``:port`` or without; none: those of the system.
    """

    def __init__(self, clock: Clock, servers: Sequence[str] = (), hosts: Path = HOSTS) -> None:
        self._clock = clock
        self._servers = servers
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._kept: OrderedDict[tuple[str, Kind], _Kept] = OrderedDict()
        self._failed: OrderedDict[tuple[str, Kind], tuple[float, str]] = OrderedDict()
        self._asking: dict[tuple[str, Kind], asyncio.Task[Records]] = {}
        self._hosts = _Hosts(hosts)

    async def look_up(self, name: str, kind: Kind) -> Records:
        """The records of a name, none when there are none; raises ``LookupFailed``."""
        if kind in ("A", "AAAA"):
            listed = self._hosts.addresses(name, kind)
            if listed:
                return listed
        key = (name, kind)
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now < kept.until:
            return kept.records
        failed = self._failed.get(key)
        if failed is not None and now < failed[0]:
            return self._stale(key, failed[1])
        return await asyncio.shield(self._ask(key))

    async def close(self) -> None:
        """Ends every question."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _ask(self, key: tuple[str, Kind]) -> "asyncio.Task[Records]":
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._answer(key))
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: tuple[str, Kind], task: "asyncio.Task[Records]") -> None:
        del self._asking[key]
        error = None if task.cancelled() else task.exception()  # whoever asked may be gone
        if error is not None and not isinstance(error, LookupFailed):
            log.error("sip_dns_failed", name=key[0], kind=key[1], exc_info=error)

    async def _answer(self, key: tuple[str, Kind]) -> Records:
        try:
            records, ttl = await self._query(*key)
        except LookupFailed as error:
            _remember(self._failed, key, (self._clock.monotonic() + FAILED_S, str(error)))
            return self._stale(key, str(error))
        self._failed.pop(key, None)
        _remember(self._kept, key, _Kept(self._clock.monotonic() + ttl, records))
        return records

    def _stale(self, key: tuple[str, Kind], why: str) -> Records:
        kept = self._kept.get(key)
        if kept is None or not kept.records or self._clock.monotonic() > kept.until + STALE_S:
            raise LookupFailed(why)
        return kept.records

    async def _query(self, name: str, kind: Kind) -> tuple[Records, float]:
        """Records and how many seconds they are good for."""
        try:
            if self._resolver is None:
                self._resolver = _resolver(self._servers)
            answer = await self._resolver.resolve(
                name, kind, search=False, raise_on_no_answer=False, lifetime=LOOKUP_S
            )
        except dns.resolver.NXDOMAIN as error:
            return (), _missing_for(error)
        except dns.resolver.NoResolverConfiguration:
            raise LookupFailed("this machine has no DNS server") from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise LookupFailed(_words(error)) from None
        ttl = float(answer.chaining_result.minimum_ttl)
        if answer.rrset is None:
            return (), _within(ttl, *MISSING_S)
        return tuple(_record(kind, item) for item in list(answer.rrset)[:MAX_RECORDS]), _within(
            ttl, SHORTEST_S, LONGEST_S
        )


def _resolver(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=not servers)
    resolver.timeout = TRY_S
    if servers:
        split = [server.rpartition(":") if server.count(":") == 1 else (server, "", "") for server in servers]
        resolver.nameservers = [host for host, _, _ in split]
        resolver.nameserver_ports = {host: int(port) for host, _, port in split if port}
    return resolver


def _record(kind: Kind, item: Any) -> Any:
    if kind == "SRV":
        return Srv(item.priority, item.weight, item.port, _text(item.target))
    if kind == "NAPTR":
        flags, service = item.flags.decode("ascii", "replace"), item.service.decode("ascii", "replace")
        return Naptr(item.order, item.preference, flags.lower(), service.upper(), _text(item.replacement))
    return str(item.address)


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).rstrip(".").lower()


def _missing_for(error: dns.resolver.NXDOMAIN) -> float:
    """The negative TTL of the zone (RFC 2308)."""
    try:
        answers = error.responses().values()  # type: ignore[no-untyped-call]
        ttl = min(answer.resolve_chaining().minimum_ttl for answer in answers)
    except (dns.exception.DNSException, ValueError):
        ttl = 0
    return _within(ttl, *MISSING_S)


def _within(value: float, least: float, most: float) -> float:
    return max(least, min(value, most))


def _words(error: Exception) -> str:
    if isinstance(error, dns.exception.Timeout):
        return "the DNS servers do not answer"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the DNS servers can not answer"
    return "it is no name that can be looked up"


def _remember(table: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_KEPT:
        table.popitem(last=False)


class _Hosts:
    """The system's hosts file, read anew when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = -1
        self._names: dict[str, list[str]] = {}

    def addresses(self, name: str, kind: Kind) -> Records:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read_at:
                self._read_at, self._names = changed, self._read()
        except OSError:
            return ()
        colon = kind == "AAAA"
        return tuple(address for address in self._names.get(name, ()) if (":" in address) == colon)

    def _read(self) -> dict[str, list[str]]:
        with self._path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_HOSTS)
        names: dict[str, list[str]] = {}
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if len(words) > 1 and is_address(words[0]):
                for name in words[1:]:
                    names.setdefault(name.lower(), []).append(words[0])
        return names
