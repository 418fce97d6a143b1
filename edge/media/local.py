"""The engine of our own: media calls on worker processes of this machine."""

import asyncio
import contextlib
import ipaddress
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.media import control, link, tones
from edge.media.engine import (
    LegCounters,
    MediaEngine,
    MediaEvent,
    MediaLeg,
    MediaUnavailable,
    Plan,
    PlayDone,
    WorkerDied,
)
from edge.media.library import Library
from edge.media.link import Link

log = get_logger(__name__)

_START_S: Final = 10.0
_FIRST_BACKOFF_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 5.0
_COUNTERS_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """How the local engine is set up.

    ``first_port`` … ``last_port`` is shared out among ``workers`` (0: one for each core this process
    may use).  ``stock`` is how many bound ports each keeps ready.  Times are seconds; ``bind_host``
    and ``advertised_host`` are IP literals.
    """

    first_port: int
    last_port: int
    advertised_host: str
    bind_host: str = "0.0.0.0"  # noqa: S104 - RTP comes from anywhere
    workers: int = 0
    media_timeout_s: float = 60.0
    relatch_silence_s: float = 3.0
    quarantine_s: float = 5.0
    stock: int = 128


class LocalLeg:
    """A leg on a worker.  See ``engine.MediaLeg``."""

    __slots__ = ("_call", "_link", "_token", "counters", "host", "on_event", "port")

    def __init__(self, call: "LocalCall", worker: Link, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.on_event: Callable[[MediaEvent], None] | None = None
        self.counters = LegCounters()
        self._call = call
        self._link = worker
        self._token = 0

    def update(self, plan: Plan) -> None:
        """The wanted state, whole.  An address that is no unicast IP literal counts as not known."""
        self._link.send(control.encode_update(self.port, _checked(plan)))

    def play(self, source: str, *, loop: bool = False) -> int:
        """Plays a loaded prompt or ``tone:ringback``; one that is not loaded is done at once."""
        self._token += 1
        stored = self._call.library.get(source)
        if stored is None:
            log.warning("prompt is not loaded", prompt=source)
            asyncio.get_running_loop().call_soon(self.happened, PlayDone(self._token))
        else:
            self._link.send(control.encode_play(self.port, self._token, stored.number, loop=loop))
        return self._token

    def stop(self) -> None:
        """Stops what ``play`` started."""
        self._link.send(control.encode_port(control.STOP, self.port))

    def happened(self, event: MediaEvent) -> None:
        """From the worker: passed to ``on_event``."""
        if self.on_event is not None:
            self.on_event(event)

    def counted(self, counters: LegCounters, *, final: bool) -> None:
        """From the worker."""
        self.counters = counters
        if final:
            self._call.closed(self)


class LocalCall:
    """A call's media on one worker.  See ``engine.MediaCall``."""

    __slots__ = ("_counted", "_host", "_legs", "_link", "_on_drained", "_over", "_waiting", "library")

    def __init__(self, worker: Link, host: str, library: Library) -> None:
        self.library = library
        self._host = host
        self._link = worker
        self._legs: dict[int, LocalLeg] = {}
        self._waiting: dict[int, LocalLeg] = {}
        self._counted: dict[int, LegCounters] = {}
        self._on_drained: asyncio.Future[None] | None = None
        self._over = False
        worker.calls += 1
        worker.on_died[self] = self._worker_died

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def leg(self) -> LocalLeg:
        """A new leg on a port that is bound already; raises MediaUnavailable."""
        if self._over:
            raise MediaUnavailable("the call's media is closed")
        leg = LocalLeg(self, self._link, self._host, self._link.take_port())
        self._legs[leg.port] = leg
        self._link.listeners[leg.port] = leg
        return leg

    def bridge(self, a: MediaLeg, b: MediaLeg) -> None:
        """Relays between two legs, both ways, as their plans say."""
        self._link.send(control.encode_bridge(a.port, b.port))

    def unbridge(self) -> None:
        """Every leg of the call is on its own again."""
        for port in self._legs:
            self._link.send(control.encode_port(control.UNBRIDGE, port))

    def close_leg(self, leg: MediaLeg) -> None:
        """Gives the leg's ports back; a leg that is closed already stays so."""
        own = self._legs.pop(leg.port, None)
        if own is not None:
            own.on_event = None
            self._waiting[own.port] = own
            self._link.send(control.encode_port(control.CLOSE, own.port))

    async def counters(self) -> dict[int, LegCounters]:
        """The live legs' counters as the last query brought them; asks for newer ones."""
        for port in self._legs:
            self._link.send(control.encode_port(control.QUERY, port))
        await asyncio.sleep(0)
        return {port: leg.counters for port, leg in self._legs.items()}

    async def finish(self) -> dict[int, LegCounters]:
        """Closes everything; counters by local port, empty if the worker is gone."""
        self._close()
        if self._waiting and self._link.alive:
            self._on_drained = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_COUNTERS_S):
                    await self._on_drained
        return self._counted if self._link.alive else {}

    def closed(self, leg: LocalLeg) -> None:
        """The worker closed a leg and told its counters."""
        self._waiting.pop(leg.port, None)
        self._counted[leg.port] = leg.counters
        self._drained()

    def _drained(self) -> None:
        if not self._waiting and self._on_drained is not None and not self._on_drained.done():
            self._on_drained.set_result(None)

    def _close(self) -> None:
        for leg in list(self._legs.values()):
            self.close_leg(leg)
        if not self._over:
            self._over = True
            self._link.calls -= 1
            self._link.on_died.pop(self, None)

    def _worker_died(self) -> None:
        self._over = True
        legs, self._legs = self._legs, {}
        self._waiting.clear()
        self._drained()
        for leg in legs.values():
            if leg.on_event is not None:
                leg.on_event(WorkerDied())
                return


class LocalEngine(MediaEngine):
    """Workers run inside the block.  See ``engine.MediaEngine``."""

    def __init__(self, config: LocalConfig, clock: Clock) -> None:
        count = config.workers or len(os.sched_getaffinity(0))
        self._config = config
        self._clock = clock
        self._links: list[Link | None] = [None] * count
        self._keepers: list[asyncio.Task[None]] = []
        self._library = Library()
        self.restarts = 0

    async def __aenter__(self) -> Self:
        self._library.put(tones.RINGBACK, tones.ringback())
        try:
            first = await asyncio.gather(*(self._start(index) for index in range(len(self._links))))
        except BaseException:
            await self._close()
            raise
        self._keepers = [asyncio.create_task(self._keep(index, worker)) for index, worker in enumerate(first)]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    def call(self) -> LocalCall:
        """A new media call on the least loaded worker; raises MediaUnavailable."""
        able = [worker for worker in self._links if worker is not None and worker.alive and worker.ready]
        if not able:
            raise MediaUnavailable("no media worker has a port left")
        worker = min(able, key=lambda each: each.calls)
        return LocalCall(worker, self._config.advertised_host, self._library)

    async def load_prompt(self, prompt_id: str, frames: dict[str, bytes]) -> None:
        """Makes a prompt playable, in place of the one it had; raises ValueError if it is empty."""
        before = self._library.get(prompt_id)
        stored = self._library.put(prompt_id, frames)
        for worker in self._alive():
            worker.send_prompt(stored)
        if before is not None:
            self._forget(before.number, before.fd)

    async def unload_prompt(self, prompt_id: str) -> None:
        """Forgets a prompt; whoever hears it hears it out."""
        stored = self._library.pop(prompt_id)
        if stored is not None:
            self._forget(stored.number, stored.fd)

    @property
    def tallies(self) -> list[control.Tally]:
        """Each living worker's totals, at most a second old, for metrics."""
        return [worker.tally for worker in self._alive()]

    @property
    def worker_pids(self) -> list[int]:
        """The living workers' processes."""
        return [worker.pid for worker in self._alive()]

    def _alive(self) -> list[Link]:
        return [worker for worker in self._links if worker is not None and worker.alive]

    def _forget(self, number: int, fd: int) -> None:
        for worker in self._alive():
            worker.send(control.encode_unload(number))
        os.close(fd)

    async def _start(self, index: int) -> Link:
        config = self._config
        worker = await link.start(
            control.WorkerConfig(
                config.bind_host,
                config.first_port,
                config.last_port,
                index,
                len(self._links),
                config.media_timeout_s,
                config.relatch_silence_s,
                config.quarantine_s,
            ),
            config.stock,
        )
        self._links[index] = worker
        for stored in list(self._library):
            worker.send_prompt(stored)
        worker.order()
        await self._stocked(worker)
        return worker

    async def _stocked(self, worker: Link) -> None:
        """Until the worker has its first ports; raises MediaUnavailable when it gets none."""
        try:
            async with asyncio.timeout(_START_S):
                await worker.stocked.wait()
        except TimeoutError:
            raise MediaUnavailable(f"media worker {worker.pid} did not start in {_START_S:g} s") from None
        if not worker.ready:
            config = self._config
            raise MediaUnavailable(
                f"no RTP port of {config.first_port}-{config.last_port} on {config.bind_host} can be bound"
            )

    async def _keep(self, index: int, worker: Link) -> None:
        """Restarts a worker whenever it dies, slower if it does so at once."""
        backoff = _FIRST_BACKOFF_S
        while True:
            began = self._clock.monotonic()
            await worker.ended()
            await worker.close()
            if self._clock.monotonic() - began > _LONGEST_BACKOFF_S:
                backoff = _FIRST_BACKOFF_S
            self.restarts += 1
            worker, backoff = await self._restart(index, backoff)

    async def _restart(self, index: int, backoff: float) -> tuple[Link, float]:
        while True:
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)
            try:
                worker = await self._start(index)
            except (MediaUnavailable, OSError) as error:
                log.error("media worker does not start", reason=str(error))
                failed, self._links[index] = self._links[index], None
                if failed is not None:
                    await failed.close()
            else:
                log.info("media worker restarted", worker=worker.pid)
                return worker, backoff

    async def _close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._links if worker is not None))
        self._links = [None] * len(self._links)
        self._library.close()


def _checked(plan: Plan) -> Plan:
    """A worker never resolves names, and RTP never goes to a multicast or broadcast address."""
    remote, rtcp = _unicast(plan.remote), _unicast(plan.remote_rtcp)
    if remote is plan.remote and rtcp is plan.remote_rtcp:
        return plan
    return replace(plan, remote=remote, remote_rtcp=rtcp)


def _unicast(address: tuple[str, int] | None) -> tuple[str, int] | None:
    if address is None:
        return None
    return address if 0 < address[1] < 65536 and _is_unicast(address[0]) else None


@lru_cache(4096)
def _is_unicast(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        log.warning("media address is not an IP literal", address=host)
        return False
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")
