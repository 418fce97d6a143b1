"""The engine of our own: media calls on worker processes of this machine."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.media import control, tones
from edge.media.addresses import Addresses
from edge.media.engine import (
    MediaEngine,
    MediaUnavailable,
)
from edge.media.library import Library
from edge.media.link import Link
from edge.media.local_call import LocalCall
from edge.media.recording import RecorderLink
from edge.media.room import PORTS_A_CALL, calls_within, workers_of
from edge.media.starting import start

log = get_logger(__name__)

_START_S: Final = 10.0
_FIRST_BACKOFF_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 5.0
_SOON_S: Final = 1.0
"""A worker whose restart is put off for longer, for it dies again and again, is not waited for."""
_RECORDER_PAUSE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """How the local engine is set up.

    ``first_port`` … ``last_port`` is shared out among ``workers`` (0: one for each core this process
    may use).  ``stock`` is how many bound ports each keeps ready; a worker that says
    nothing for ``hung_s`` (2 or more) is replaced.  Times are seconds.  ``edge.media.addresses``
    says what peers are told and where sockets are bound: ``second_host`` is for peers of the family that
    ``advertised_host`` is not of, for whom there are no ports without it; a ``bind_host`` takes the place
    of what would be bound for the first.  ``recordings`` is where they are written; without it nothing
    can be recorded.
    """

    first_port: int
    last_port: int
    advertised_host: str
    second_host: str = ""
    bind_host: str = ""
    local_networks: Sequence[str] = ()
    proxies: Sequence[str] = ()
    workers: int = 0
    media_timeout_s: float = 60.0
    relatch_silence_s: float = 3.0
    quarantine_s: float = 5.0
    stock: int = 512
    hung_s: float = 5.0
    recordings: Path | None = None


class LocalEngine(MediaEngine):
    """Workers run inside the block.  See ``engine.MediaEngine``."""

    def __init__(self, config: LocalConfig, clock: Clock) -> None:
        count = workers_of(config.workers)
        self._config = config
        self._clock = clock
        self._links: list[Link | None] = [None] * count
        self._late: set[int] = set()
        self._fresh: set[int] = set()
        self._queue: deque[LocalCall] = deque()
        self._keepers: list[asyncio.Task[None]] = []
        self._library = Library()
        self._addresses = Addresses(
            config.advertised_host, config.second_host, config.local_networks, config.proxies
        )
        first, *others = self._addresses.bind_hosts
        self._bind_hosts = (config.bind_host or first, *others)
        self._recorder: RecorderLink | None = None
        self.restarts = 0

    async def __aenter__(self) -> Self:
        self._library.put(tones.RINGBACK, tones.ringback())
        try:
            await self._start_recorder()
            first = await self._start_all()
        except BaseException:
            await self._close()
            raise
        self._keepers = [asyncio.create_task(self._keep(index, worker)) for index, worker in enumerate(first)]
        if self._recorder is not None:
            self._keepers.append(asyncio.create_task(self._keep_recorder(self._recorder)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    def call(self) -> LocalCall:
        """A new media call on the least loaded worker, or one that is expected; raises MediaUnavailable."""
        worker = self._roomiest() or self._awaited() or self._least()
        return LocalCall(
            worker, self._addresses, self._library, self._recorder_now,
            elsewhere=self._least, queue=self._queue,
        )  # fmt: skip

    def _recorder_now(self) -> RecorderLink | None:
        return self._recorder

    def _awaited(self) -> Link | None:
        """A worker that is being restarted, or was just now and has not all of its ports yet."""
        for index, worker in enumerate(self._links):
            if worker is None or index in self._late:
                continue
            if not worker.alive or not worker.stocked.done() or index in self._fresh:
                return worker
        return None

    def _supply(self) -> None:
        """The calls that wait get what ports there are, the first one first."""
        while self._queue and self.ready:
            self._queue.popleft().its_turn(self._least())

    def _least(self) -> Link:
        """The worker with the fewest calls, of those that can promise the ports of one more; raises
        MediaUnavailable."""
        least = self._roomiest()
        if least is None:
            raise MediaUnavailable("no media worker has the ports of one more call")
        return least

    def _roomiest(self) -> Link | None:
        """The same; None if there is none."""
        least: Link | None = None
        for worker in self._links:
            if worker is not None and worker.free >= PORTS_A_CALL:
                least = worker if least is None or worker.calls < least.calls else least
        return least

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
    def ready(self) -> bool:
        """Whether some worker has the ports of one more call."""
        return self._roomiest() is not None

    def room(self, open_files: int) -> int:
        """How many calls at once there are ports for, if each worker may have so many files open."""
        config, families = self._config, len(self._bind_hosts)
        return calls_within(
            config.first_port, config.last_port, len(self._links), open_files=open_files, families=families
        )

    @property
    def expected(self) -> bool:
        """Whether a worker that was lost is to be back so soon that a call may wait for its ports."""
        return self._awaited() is not None

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

    async def _start_all(self) -> list[Link]:
        """Every worker, started side by side; raises what the first of them that failed did."""
        starts = (self._start(index) for index in range(len(self._links)))
        workers: list[Link] = []
        for started in await asyncio.gather(*starts, return_exceptions=True):
            if isinstance(started, BaseException):
                raise started
            workers.append(started)
        return workers

    async def _start(self, index: int) -> Link:
        config = self._config
        worker = await start(
            control.WorkerConfig(
                self._bind_hosts,
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
        worker.on_stock = self._supply
        self._links[index] = worker
        for stored in list(self._library):
            worker.send_prompt(stored)
        if self._recorder is not None:
            self._recorder.serve(worker)
        worker.order()
        await self._stocked(worker)
        return worker

    async def _stocked(self, worker: Link) -> None:
        """Until the worker has its first ports; raises MediaUnavailable when they are too few for a call."""
        try:
            async with asyncio.timeout(_START_S):
                first = await worker.stocked
        except TimeoutError:
            raise MediaUnavailable(f"media worker {worker.pid} did not start in {_START_S:g} s") from None
        if first < PORTS_A_CALL:
            config = self._config
            raise MediaUnavailable(
                f"too few RTP ports of media.ports = {config.first_port}-{config.last_port} on"
                f" {' and '.join(self._bind_hosts)} can be bound: free some, or widen the range (every worker"
                " needs four)"
            )

    async def _keep(self, index: int, worker: Link) -> None:
        """Restarts a worker whenever it dies, slower if it does so at once."""
        backoff = _FIRST_BACKOFF_S
        while True:
            began = self._clock.monotonic()
            await worker.ended(self._config.hung_s)
            await worker.close()
            if self._clock.monotonic() - began > _LONGEST_BACKOFF_S:
                backoff = _FIRST_BACKOFF_S
            self.restarts += 1
            worker, backoff = await self._restart(index, backoff)

    async def _restart(self, index: int, backoff: float) -> tuple[Link, float]:
        while True:
            if backoff > _SOON_S:
                self._late.add(index)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_S)
            try:
                worker = await self._start(index)
            except Exception as error:
                expected = isinstance(error, MediaUnavailable | OSError)
                trace = None if expected else error
                log.error("media worker does not start", reason=str(error), exc_info=trace)
                failed, self._links[index] = self._links[index], None
                if failed is not None:
                    await failed.close()
            else:
                log.info("media worker restarted", worker=worker.pid)
                self._late.discard(index)
                self._fresh.add(index)
                asyncio.get_running_loop().call_later(_SOON_S, self._fresh.discard, index)
                return worker, backoff

    async def _start_recorder(self) -> None:
        """A recorder for all workers, if there is somewhere to write to; raises OSError."""
        if self._config.recordings is None:
            return
        recorder = self._recorder = await RecorderLink.started(self._config.recordings)
        for worker in self._alive():
            recorder.serve(worker)

    async def _keep_recorder(self, recorder: RecorderLink) -> None:
        """Starts the recorder anew whenever it dies; what it was writing has failed."""
        while True:
            await recorder.ended.wait()
            await recorder.stop()
            await asyncio.sleep(_RECORDER_PAUSE_S)
            try:
                await self._start_recorder()
            except Exception as error:
                trace = None if isinstance(error, OSError) else error
                log.error("recorder does not start", reason=str(error), exc_info=trace)
            recorder = self._recorder or recorder

    async def _close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._links if worker is not None))
        self._links = [None] * len(self._links)
        if self._recorder is not None:
            await self._recorder.stop()
        self._library.close()
