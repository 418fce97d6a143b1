"""The composition root: opens the server's parts in order, and takes them down in order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from edge.calls.switch import Switch
from edge.clock import Clock, SystemClock
from edge.logs import get_logger
from edge.memory import collect_seldom, use_large_pages
from edge.parts import calling, ground, serving
from edge.settings import Settings
from edge.sip.endpoint import Endpoint

log = get_logger("edge.app")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server really listens: SIP as ``udp://host:port``, HTTP as URLs (``public`` may be
    the admin's)."""

    sip: tuple[str, ...]
    admin: str
    public: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, as far as whoever runs it needs it."""

    addresses: Addresses
    switch: Switch


async def _opened(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Server:
    """Everything, ready for calls."""
    base = await ground.laid(settings, clock, stack)
    calls = await calling.opened(base)
    urls = await serving.opened(base, calls)
    return Server(Addresses(_heard_at(calls.endpoint), urls.admin, urls.public), calls.switch)


def _heard_at(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(f"{at.transport}://{_bracketed(at.host)}:{at.port}" for at in endpoint.addresses)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextlib.asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A whole server while in the block; on leaving it live calls are let finish (``calls.drain_max_s``).

    Raises ``SchemaTooNew``, ``StoreUnusable``, ``StoreInUse``, ``MediaUnavailable`` and ``OSError``
    when it can not start.
    """
    async with AsyncExitStack() as stack:
        server = await _opened(settings, clock or SystemClock(), stack)
        # What lives as long as the server need not be walked at each collection.
        collect_seldom()
        await asyncio.to_thread(use_large_pages)
        log.info(
            "ready",
            sip=list(server.addresses.sip),
            admin=server.addresses.admin,
            public=server.addresses.public,
        )
        yield server


async def serve(settings: Settings, ready: Callable[[Addresses], None]) -> None:
    """Runs until SIGTERM or SIGINT, then drains; a second signal ends live calls at once."""
    stop = asyncio.Event()
    async with running(settings) as server:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _on_signal, server.switch, stop)
        ready(server.addresses)
        await stop.wait()
        log.info("draining", live=server.switch.drain())
        # In the block, so that health, metrics and live calls can be seen until the last call is over.
        await server.switch.drained(settings.calls.drain_max_s)


def _on_signal(switch: Switch, stop: asyncio.Event) -> None:
    if stop.is_set():
        switch.drain(0)
    stop.set()
