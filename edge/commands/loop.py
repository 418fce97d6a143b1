"""The server's event loop: asyncio's own, with a short way for what a call does all the time.

A call looks at the clock some thirty times, is told of what it waits for some five times, and wakes the loop
for each of its datagrams; each of these was several functions deep.  What a datagram makes a call do is done
before the sockets are looked at again: a look costs more than many a step of a call.

For that it uses names of asyncio's that are not public.  Where they are missing, ``server_loop`` is the usual
one.  There is a way without them, a selector of our own whose ``select`` serves the readers itself and looks
at the sockets at every third call only; but what becomes ready has to go through asyncio's round then.  A
datagram that wakes a task took 10.6 us with asyncio's own loop, 8.8 in that way, and 8.4 in this one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from select import EPOLLIN
from selectors import EpollSelector
from typing import Any, Final, TypeVarTuple, Unpack

from edge.logs import get_logger

ROUNDS: Final = 2
"""So often what has just become ready is run before the next look at sockets and timers."""

MOST_EVENTS: Final = 64
"""Sockets served after one look."""
LONGEST_S: Final = 3600.0
"""Seconds that one look waits at most: a far deadline is more than epoll takes."""

LOOP_NAMES: Final = (
    "_closed",
    "_debug",
    "_ready",
    "_stopping",
    "_run_once",
    "_scheduled",
    "_ssock",
    "_read_from_self",
)
HANDLE_NAMES: Final = ("_cancelled", "_run", "_when")
SELECTOR_NAMES: Final = ("_selector",)
"""What ``ServerLoop`` needs that asyncio and its selector do not promise."""

_Ts = TypeVarTuple("_Ts")

log = get_logger("edge.loop")


class ServerLoop(asyncio.SelectorEventLoop):
    """In debug mode it is the usual one."""

    _closed: bool
    _debug: bool
    _ready: deque[asyncio.Handle]
    _scheduled: list[Any]
    _ssock: Any
    _stopping: bool
    _read_from_self: Callable[[], None]

    # The system's function itself, which the loop of asyncio calls, too.
    time = staticmethod(time.monotonic)

    def __init__(self) -> None:
        selector = EpollSelector()
        super().__init__(selector)
        self._poll = selector._selector.poll  # type: ignore[attr-defined]
        self._readers: dict[int, Callable[[], object]] = {self._ssock.fileno(): self._read_from_self}
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

    def add_reader(self, fd: Any, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts) -> None:
        super().add_reader(fd, callback, *args)
        self._readers[_number(fd)] = partial(callback, *args) if args else callback

    def remove_reader(self, fd: Any) -> bool:
        self._readers.pop(_number(fd), None)
        return super().remove_reader(fd)

    def _run_once(self) -> None:
        """A round of asyncio's, then shorter ones until there is something that only those do."""
        super()._run_once()  # type: ignore[misc]
        ready = self._ready
        while not (self._stopping or self._debug):
            for _ in range(ROUNDS):
                for _ in range(len(ready)):
                    handle = ready.popleft()
                    if not handle._cancelled:
                        handle._run()
                if self._stopping or not ready:
                    break
            if self._stopping or not self._look():
                return

    def _look(self) -> bool:
        """Serves readers that have something to read; False when asyncio has to look."""
        ready, scheduled = self._ready, self._scheduled
        patience = LONGEST_S
        if scheduled:
            first = scheduled[0]
            patience = min(patience, first._when - self.time())
            if patience <= 0 or first._cancelled:
                return False
        events = self._poll(0 if ready else patience, MOST_EVENTS)
        if not events and not ready:
            return False
        readers = self._readers
        for fd, mask in events:
            read = readers.get(fd) if mask == EPOLLIN else None
            if read is None:
                return False
            try:
                read()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": f"reading {fd} failed", "exception": error})
        return True


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


def server_loop() -> asyncio.AbstractEventLoop:
    """A ``ServerLoop``; asyncio's own, and a line in the log, with a Python that it was not made for."""
    selector = EpollSelector()
    usual = asyncio.SelectorEventLoop(selector)
    named = ((usual, LOOP_NAMES), (asyncio.TimerHandle, HANDLE_NAMES), (selector, SELECTOR_NAMES))
    missing = [name for owner, names in named for name in names if not hasattr(owner, name)]
    if missing or not isinstance(vars(usual).get("_ready"), deque):
        why = "this Python's asyncio is built otherwise: calls take more of the processor"
        log.warning("loop.usual", why=why, missing=missing)
        return usual
    usual.close()
    return ServerLoop()
