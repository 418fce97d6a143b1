"""The server's event loop: asyncio's own, without what only its debug mode needs.

A call looks at the clock some thirty times and is told of what it waits for some five times; each of these
was several functions deep.  What a datagram makes a call do is done before the sockets are looked at again:
a look costs more than many a step of a call.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Final, TypeVarTuple, Unpack

ROUNDS: Final = 2
"""So often what has just become ready is run before the next look at sockets and timers."""

_Ts = TypeVarTuple("_Ts")


class ServerLoop(asyncio.SelectorEventLoop):
    """In debug mode it is the usual one."""

    _closed: bool
    _debug: bool
    _ready: deque[asyncio.Handle]
    _stopping: bool

    # The system's function itself, which the loop of asyncio calls, too.
    time = staticmethod(time.monotonic)

    def __init__(self) -> None:
        super().__init__()
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]
        self.set_debug(self._debug)

    def set_debug(self, enabled: bool) -> None:
        super().set_debug(enabled)
        self.get_debug = partial(bool, enabled)  # type: ignore[method-assign]

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

    def _run_once(self) -> None:
        super()._run_once()  # type: ignore[misc]
        ready = self._ready
        for _ in range(ROUNDS):
            if not ready or self._stopping or self._debug:
                return
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
