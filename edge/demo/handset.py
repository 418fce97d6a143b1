"""A phone process as seen by whoever uses it: started, watched through its events, ended."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

Event = dict[str, Any]
_START_S = 20.0
_END_S = 5.0


class PhoneFailed(Exception):
    """The phone ended, or did not do in time what was waited for; the text says what it had told."""


class Handset:
    """A running phone (``edge.demo.phone``): ``address`` is its SIP host:port, ``told`` its events."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.told: list[Event] = []
        self.address = ""
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(cls, *arguments: str) -> AsyncIterator[Self]:
        """Runs ``python -m edge.demo.phone`` with ``arguments``; it has ended when the block is left."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge.demo.phone", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Ctrl-C is for whoever uses the phone, and so puts it down.
            start_new_session=True,
        )
        phone = cls(process)
        try:
            phone.address = str((await phone.until("ready", _START_S))["address"])
            yield phone
        finally:
            await phone._end()

    async def until(self, event: str, limit_s: float) -> Event:
        """The next event of that name; raises PhoneFailed if it does not come in time."""
        try:
            async with asyncio.timeout(limit_s):
                async for told in self._events():
                    if told["event"] == event:
                        return told
        except TimeoutError:
            raise PhoneFailed(f"no {event!r} within {limit_s:.0f} s; it told {self.told}") from None
        raise PhoneFailed(f"the phone ended without {event!r}; it told {self.told}")

    async def _events(self) -> AsyncIterator[Event]:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            told: Event = json.loads(line)
            self.told.append(told)
            yield told

    def put_down(self) -> None:
        """Makes the phone hang up and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _end(self) -> None:
        self.put_down()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
