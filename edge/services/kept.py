"""What the SIP side knows of sources, kept over restarts."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, Self, TypeVar

from edge.clock import Clock
from edge.services.periodic import Periodic
from edge.store.errors import StoreError

T = TypeVar("T")
R = TypeVar("R")
P_contra = TypeVar("P_contra", contravariant=True)

WRITE_EVERY_S: Final = 10.0


class Records(Protocol[P_contra]):
    """Where rows are kept (``edge.store.sources``)."""

    def put(self, rows: Iterable[P_contra]) -> None: ...

    def drop(self, sources: Iterable[str]) -> None: ...


class Kept(ABC, Generic[T, R]):
    """An async context manager: what is known of sources goes on after a restart as it would have without.

    Written every ``WRITE_EVERY_S`` seconds, when asked and at the end, by a thread, as far as it has changed;
    what a crash takes is what the last seconds brought.
    """

    def __init__(self, name: str, records: Records[R], clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._written: Mapping[str, Hashable] = {}
        self._one = asyncio.Lock()
        self._writing = Periodic(name, self.write, WRITE_EVERY_S, first_s=WRITE_EVERY_S)

    @abstractmethod
    async def _restore(self, start: datetime) -> Iterable[T]:
        """Takes up what was kept, and answers it; the monotonic clock was at zero at ``start``."""

    @abstractmethod
    def _now(self) -> Sequence[T]:
        """What is to be kept."""

    @abstractmethod
    def _key(self, known: T) -> str: ...

    @abstractmethod
    def _mark(self, known: T) -> Hashable:
        """What must be written again when it has changed."""

    @abstractmethod
    def _row(self, known: T, start: datetime) -> R: ...

    async def __aenter__(self) -> Self:
        with contextlib.suppress(StoreError):
            self._written = self._marks(await self._restore(start_of(self._clock)))
        await self._writing.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._writing.__aexit__(*exc)
        await self.write()

    async def write(self) -> None:
        """Stores what has changed; tried again later when the store can not write."""
        async with self._one:
            known = self._now()
            if known or self._written:
                work = asyncio.create_task(asyncio.to_thread(self._write, known, start_of(self._clock)))
                try:
                    await asyncio.shield(work)
                finally:  # a thread goes on when its caller is cancelled: the next one must not run beside it
                    await asyncio.wait([work])

    def _write(self, known: Sequence[T], start: datetime) -> None:
        with contextlib.suppress(StoreError):
            self._write_changes(known, start)

    def _write_changes(self, known: Sequence[T], start: datetime) -> None:
        now = self._marks(known)
        gone = [source for source in self._written if source not in now]
        new = [one for one in known if self._written.get(self._key(one)) != now[self._key(one)]]
        if gone:
            self._records.drop(gone)
        if new:
            self._records.put(self._row(one, start) for one in new)
        self._written = now

    def _marks(self, known: Iterable[T]) -> Mapping[str, Hashable]:
        return {self._key(one): self._mark(one) for one in known}


def start_of(clock: Clock) -> datetime:
    """When the monotonic clock was at zero."""
    return clock.utc() - timedelta(seconds=clock.monotonic())
