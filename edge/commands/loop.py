"""The server's event loop: asyncio's own, without what only its debug mode needs.

A call looks at the clock some thirty times and is told of what it waits for some six times; each of these
was several functions deep.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TypeVarTuple, Unpack

_Ts = TypeVarTuple("_Ts")


class ServerLoop(asyncio.SelectorEventLoop):
    """In debug mode it is the usual one."""

    _closed: bool
    _debug: bool
    _ready: deque[asyncio.Handle]

    # The system's function itself, which the loop of asyncio calls, too.
    time = staticmethod(time.monotonic)

    def __init__(self) -> None:
        super().__init__()
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if self._closed or self._debug:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle
