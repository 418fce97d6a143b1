"""Checks of the peers in the configuration: the hosts of trunks and targets have addresses."""

import asyncio
import ipaddress
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from edge.calls import dialplan
from edge.clock import SystemClock
from edge.commands.finding import Finding
from edge.model.config import Target, Trunk
from edge.networks import Networks
from edge.settings import Settings
from edge.settings.sections import SipSection
from edge.sip.dns import Dns
from edge.sip.resolver import Resolver, Unresolvable
from edge.sip.transport import is_advertised_to
from edge.store.engine import Database
from edge.store.errors import StoreError
from edge.store.opening import SCHEMA, revision
from edge.store.repository import Objects

_AT_ONCE = 20


def peers(settings: Settings) -> Iterator[Finding]:
    """Every trunk's proxy and every target's host resolves; nothing is said while there are none."""
    path = settings.database_path
    try:
        if revision(path) != SCHEMA:
            return
        wanted = asyncio.run(_uris(settings))
    except (StoreError, sqlite3.Error):
        # The check of the database says it.
        return
    found = asyncio.run(_resolved(wanted, settings.sip.dns_servers))
    for what, hosts in found.items():
        if isinstance(hosts, Unresolvable):
            yield Finding(
                "fail", f"{what} can not be reached: {hosts}", "correct the address, or this machine's DNS"
            )
        else:
            yield from of_addresses(what, hosts, settings.sip)
    if wanted and not any(isinstance(hosts, Unresolvable) for hosts in found.values()):
        yield Finding("ok", f"the hosts of {len(wanted)} trunks and targets resolve")


def of_addresses(what: str, hosts: Sequence[str], sip: SipSection) -> Iterator[Finding]:
    """What keeps us, and a peer at these addresses, from reaching each other."""
    yield from _without_a_listener(what, hosts, sip)
    if sip.advertised_address:
        yield from _near(what, hosts, sip)


def _without_a_listener(what: str, hosts: Sequence[str], sip: SipSection) -> Iterator[Finding]:
    """Who has addresses of one family (IPv4, IPv6) alone, in which we do not listen: nor do we call there."""
    ours = {":" in address.host for address in sip.addresses}
    if not hosts or ours & {":" in host for host in hosts}:
        return
    name, wildcard = ("IPv6", "[::]") if ":" in hosts[0] else ("IPv4", "0.0.0.0")  # noqa: S104
    yield Finding(
        "fail",
        f"{what} is at {hosts[0]}, and sip.listen has no {name} address: calls there fail",
        f'add "udp://{wildcard}:5060" to sip.listen, or an {name} address of this machine',
    )


def _near(what: str, hosts: Sequence[str], sip: SipSection) -> Iterator[Finding]:
    """Who seems to stand on our side of the NAT, but is told the address outside of it."""
    near = Networks.of(sip.local_networks)
    for host in hosts:
        address = ipaddress.ip_address(host)
        told = is_advertised_to(sip.advertised_address, host)
        if told and address.is_private and not address.is_loopback and host not in near:
            yield Finding(
                "warn",
                f"{what} is at {host}, which is told {sip.advertised_address}",
                "if it stands on this side of the NAT, add its network to sip.local_networks",
            )


async def _uris(settings: Settings) -> dict[str, str]:
    async with Database(settings.database_path) as database:
        objects = Objects(database)
        return uris_of([*await objects.all("trunk"), *await objects.all("target")])


def uris_of(found: Iterable[object]) -> dict[str, str]:
    """The URI dialled, by what it belongs to; of a target whose host each call tells there is none."""
    wanted = {}
    for item in found:
        if isinstance(item, Trunk) and item.register is not None:
            registrar = item.register.registrar
            what = f"trunk {item.id} ({item.name}): registrar {registrar!r}"
            wanted[what] = dialplan.over(registrar, item.sip.transport)
        if isinstance(item, Trunk) and item.proxy:
            wanted[f"trunk {item.id} ({item.name}): proxy {item.proxy!r}"] = dialplan.question(item).via
        elif isinstance(item, Target) and _has_a_host(item):
            wanted[f"target {item.id} ({item.name}): address {item.address!r}"] = dialplan.question(item).via
    return wanted


def _has_a_host(target: Target) -> bool:
    return not target.address.startswith("+") and dialplan.is_of_one_host(target.address)


async def _resolved(
    wanted: dict[str, str], dns_servers: Sequence[str]
) -> dict[str, Sequence[str] | Unresolvable]:
    """The addresses behind each URI, or why there are none."""
    dns = Dns(SystemClock(), dns_servers)
    resolver = Resolver(dns, random.random)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(uri: str) -> Sequence[str] | Unresolvable:
        async with turns:
            try:
                return [destination.host for destination in await resolver.resolve(uri)]
            except Unresolvable as error:
                return error

    answers = await asyncio.gather(*(ask(uri) for uri in wanted.values()))
    await dns.close()
    return dict(zip(wanted, answers, strict=True))
