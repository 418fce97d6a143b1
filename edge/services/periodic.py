"""What a service does again and again, in a task of its own."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self

from edge.logs import get_logger

log = get_logger("edge.services")


class Periodic:
    """An async context manager: in the block ``do`` is called every ``every_s`` seconds, at first after
    ``first_s``.  What it raises is logged, and it is called again when it is due."""

    def __init__(
        self, name: str, do: Callable[[], Awaitable[None]], every_s: float, *, first_s: float = 0.0
    ) -> None:
        self._name = name
        self._do = do
        self._every_s = every_s
        self._first_s = first_s
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=self._name)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        await asyncio.sleep(self._first_s)
        while True:
            try:
                await self._do()
            except Exception:
                log.exception("periodic.failed", what=self._name)
            await asyncio.sleep(self._every_s)
