"""Checks of the peers in the configuration: the hosts of trunks and targets have addresses."""

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence

from edge.clock import SystemClock
from edge.commands.finding import Finding
from edge.model.config import Target, Trunk
from edge.settings import Settings
from edge.sip.dns import Dns
from edge.sip.resolver import Resolver, Unresolvable
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
    missing = asyncio.run(_unresolvable(wanted, settings.sip.dns_servers))
    for what, why in missing.items():
        yield Finding(
            "fail", f"{what} can not be reached: {why}", "correct the address, or this machine's DNS"
        )
    if wanted and not missing:
        yield Finding("ok", f"the hosts of {len(wanted)} trunks and targets resolve")


async def _uris(settings: Settings) -> dict[str, str]:
    """The URI dialled, by what it belongs to."""
    async with Database(settings.database_path) as database:
        objects = Objects(database)
        found = [*await objects.all("trunk"), *await objects.all("target")]
    wanted = {}
    for item in found:
        if isinstance(item, Trunk) and item.register is not None:
            registrar = item.register.registrar
            wanted[f"trunk {item.id} ({item.name}): registrar {registrar!r}"] = registrar
        if isinstance(item, Trunk) and item.proxy:
            wanted[f"trunk {item.id} ({item.name}): proxy {item.proxy!r}"] = item.proxy
        elif isinstance(item, Target) and item.address.startswith("sip"):
            wanted[f"target {item.id} ({item.name}): address {item.address!r}"] = item.address
    return wanted


async def _unresolvable(wanted: dict[str, str], dns_servers: Sequence[str]) -> dict[str, str]:
    dns = Dns(SystemClock(), dns_servers)
    resolver = Resolver(dns, random.random)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(uri: str) -> str:
        async with turns:
            try:
                await resolver.resolve(uri)
            except Unresolvable as error:
                return str(error)
        return ""

    answers = await asyncio.gather(*(ask(uri) for uri in wanted.values()))
    await dns.close()
    return {what: why for what, why in zip(wanted, answers, strict=True) if why}
