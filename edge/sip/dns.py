"""DNS look-ups beside the loop: answers kept for their TTL, missing names too, each asked for once at a time.

The system's hosts file is read first, as every resolver does.  Servers are those of the system, or
those that are given.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeGuard

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import structlog

from edge.clock import Clock
from edge.sip.grammar import is_address

log = structlog.get_logger(__name__)

LOOKUP_S: Final = 0.9
"""Seconds that one look-up may take, its repetitions included: a name takes two of them, one after the other
(services, addresses), within the resolver's two seconds."""
PATIENCE_S: Final = 0.4
"""Seconds that the servers have where the last answer would still serve."""
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
SYSTEM: Final = Path("/etc/resolv.conf")
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

    def __init__(
        self, clock: Clock, servers: Sequence[str] = (), hosts: Path = HOSTS, system: Path = SYSTEM
    ) -> None:
        self._clock = clock
        self._system = _System(servers, system)
        self._kept: OrderedDict[tuple[str, Kind], _Kept] = OrderedDict()
        self._failed: OrderedDict[tuple[str, Kind], tuple[float, str]] = OrderedDict()
        self._asking: dict[tuple[str, Kind], asyncio.Task[Records]] = {}
        self._hosts = _Hosts(hosts)

    async def look_up(self, name: str, kind: Kind) -> Records:
        """The records of a name, none when there are none; raises ``LookupFailed``."""
        if kind in ("A", "AAAA"):
            listed = self._hosts.addresses(name, kind)
            if listed is not None:
                return listed
        key = (name, kind)
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now < kept.until:
            return kept.records
        failed = self._failed.get(key)
        if failed is not None and now < failed[0]:
            return self._stale(key, failed[1])
        asking = self._ask(key)
        if not self._serves_yet(kept):
            return await asyncio.shield(asking)
        await asyncio.wait((asking,), timeout=PATIENCE_S)
        return asking.result() if asking.done() else kept.records

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
        if not self._serves_yet(kept):
            raise LookupFailed(why)
        return kept.records

    def _serves_yet(self, kept: _Kept | None) -> TypeGuard[_Kept]:
        """Whether an answer is better than none, though its time is over."""
        return kept is not None and bool(kept.records) and self._clock.monotonic() <= kept.until + STALE_S

    async def _query(self, name: str, kind: Kind) -> tuple[Records, float]:
        """Records and how many seconds they are good for."""
        try:
            async with asyncio.timeout(LOOKUP_S):  # the library pauses once more after its last try
                answer = await self._system.resolver().resolve(
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
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return "the DNS servers do not answer"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the DNS servers can not answer"
    return "it is no name that can be looked up"


def _remember(table: "OrderedDict[Any, Any]", key: object, value: object) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > MAX_KEPT:
        table.popitem(last=False)


class _System:
    """Whom we ask: the given servers, or the system's, looked up anew when they have changed."""

    def __init__(self, servers: Sequence[str], path: Path) -> None:
        self._servers = servers
        self._path = path
        self._read_at = -1
        self._resolver: dns.asyncresolver.Resolver | None = None

    def resolver(self) -> dns.asyncresolver.Resolver:
        """Raises NoResolverConfiguration where there is none."""
        changed = -1 if self._servers else _changed_at(self._path)
        if self._resolver is None or changed != self._read_at:
            self._resolver, self._read_at = self._made(), changed
        return self._resolver

    def _made(self) -> dns.asyncresolver.Resolver:
        made = dns.asyncresolver.Resolver(str(self._path), configure=not self._servers)
        made.timeout = TRY_S
        if self._servers:
            split = [s.rpartition(":") if s.count(":") == 1 else (s, "", "") for s in self._servers]
            made.nameservers = [host for host, _, _ in split]
            made.nameserver_ports = {host: int(port) for host, _, port in split if port}
        return made


def _changed_at(path: Path) -> int:
    """When a file was changed; -1 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


class _Hosts:
    """The system's hosts file, read anew when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = -1
        self._names: dict[str, list[str]] = {}

    def addresses(self, name: str, kind: Kind) -> Records | None:
        """Those of a name, which are all that it has; None where the file does not tell."""
        changed = _changed_at(self._path)
        if changed != self._read_at:
            try:
                self._names = self._read()
            except OSError:
                return None
            self._read_at = changed
        listed = self._names.get(name, ())
        found = tuple(address for address in listed if (":" in address) == (kind == "AAAA"))
        return found if found or (listed and kind == "AAAA") else None

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
