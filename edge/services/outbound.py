"""The use of outbound trunks, kept over restarts."""

import contextlib
from typing import Final, Self

from edge.calls.outbound import OutboundLoad
from edge.services.periodic import Periodic
from edge.store.errors import StoreError
from edge.store.usage import TrunkUsage

WRITE_EVERY_S: Final = 10.0
"""A crash forgets so many seconds of use."""


class OutboundService:
    """An async context manager: reads the day's use on entering, and writes it now and then."""

    def __init__(self, usage: TrunkUsage, load: OutboundLoad) -> None:
        self._usage = usage
        self._load = load
        self._dirty = False
        self._writing = Periodic("outbound use", self._write, WRITE_EVERY_S, first_s=WRITE_EVERY_S)

    async def __aenter__(self) -> Self:
        with contextlib.suppress(StoreError):
            kept = await self._usage.load()
            if kept is not None:
                self._load.restore(*kept)
        self._load.changed = self._changed
        await self._writing.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._writing.__aexit__(*exc)
        await self._write()

    def _changed(self) -> None:
        self._dirty = True

    async def _write(self) -> None:
        if not self._dirty and not self._load.live:
            return
        self._dirty = False
        days = self._load.counted()
        try:
            await self._usage.save(self._load.day, days)
        except StoreError:
            self._dirty = True
