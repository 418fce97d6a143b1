"""The server's event loop: asyncio's own, without what only its debug mode needs.

A call looks at the clock some thirty times and is told of what it waits for some five times; each of these
was several functions deep.  What a datagram makes a call do is done before the sockets are looked at again:
a look costs more than many a step of a call.

For that it uses names of asyncio's that are not public (a public selector that skips looks would save the
looks alone, and cost a turn of the loop for each).  Where they are missing, ``server_loop`` is the usual one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Final, TypeVarTuple, Unpack

from edge.logs import get_logger

ROUNDS: Final = 2
"""So often what has just become ready is run before the next look at sockets and timers."""

LOOP_NAMES: Final = ("_closed", "_debug", "_ready", "_stopping", "_run_once")
HANDLE_NAMES: Final = ("_cancelled", "_run")
"""What ``ServerLoop`` needs that asyncio does not promise."""

_Ts = TypeVarTuple("_Ts")

log = get_logger("edge.loop")


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
        self.set_debug(super().get_debug())

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


def server_loop() -> asyncio.AbstractEventLoop:
    """A ``ServerLoop``; asyncio's own, and a line in the log, with a Python that it was not made for."""
    loop = ServerLoop()
    missing = [name for name in LOOP_NAMES if not hasattr(loop, name)]
    missing += [name for name in HANDLE_NAMES if not hasattr(asyncio.Handle, name)]
    if not missing and isinstance(loop._ready, deque):
        return loop
    loop.close()
    why = "this Python's asyncio is built otherwise: calls take more of the processor"
    log.warning("loop.usual", why=why, missing=missing)
    return asyncio.SelectorEventLoop()
