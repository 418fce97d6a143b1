"""The worker's loop: plain level-triggered epoll, one timer, no asyncio.

Wakes are never coalesced: waiting for company would only delay packets.
"""

import select
import time
from collections.abc import Callable
from typing import Final

from edge.media.pacer import Pacer
from edge.media.timerfd import Timer

Handler = Callable[[float], None]
"""Called with ``now`` (monotonic seconds) when its descriptor is readable."""

Fault = Callable[[BaseException], None]

_EVENTS_A_ROUND: Final = 64
"""Bounds how long the paced streams wait behind a burst of packets."""


class Reactor:
    """Descriptors with their handlers, and paced steps.  A context manager: closes epoll and timer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.pacer = Pacer()
        self.on_fault: Fault = _raise
        self.failed: set[int] = set()
        """Descriptors whose handler failed: they are not watched any more."""
        self._handlers: dict[int, Handler] = {}
        self._epoll = select.epoll()
        self._timer = Timer()
        self._armed: int | None = None
        self.watch(self._timer.fd, self._on_timer)

    def __enter__(self) -> "Reactor":
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()
        self._timer.close()
        self._handlers.clear()

    def watch(self, fd: int, handler: Handler) -> None:
        """Calls the handler whenever the descriptor is readable."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)
        self.failed.discard(fd)

    def watch_writable(self, fd: int, wanted: bool) -> None:
        """The handler of a watched descriptor is called when it is writable, too."""
        self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def unwatch(self, fd: int) -> None:
        """Before the descriptor is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)
        self.failed.discard(fd)

    def run_once(self, timeout: float = -1) -> None:
        """Waits for work (seconds; -1: for ever) and does one round of it."""
        events = self._epoll.poll(timeout, _EVENTS_A_ROUND)
        now = self.clock()
        handlers = self._handlers
        fd = -1
        try:
            for fd, _ in events:
                handler = handlers.get(fd)
                if handler is not None:
                    handler(now)
        except Exception as error:  # one leg's fault must not end the others' calls
            self._drop(fd, error)
        # Asked here rather than in there, since this is done for each packet or few.
        if self.pacer.next_tick != self._armed:
            self._arm()

    def _drop(self, fd: int, error: Exception) -> None:
        """A handler that failed is not called again: level-triggered, it would fail for ever."""
        if fd != self._timer.fd:
            self.unwatch(fd)
            self.failed.add(fd)
        self.on_fault(error)

    def _on_timer(self, now: float) -> None:
        self._armed = None
        self.pacer.run(int(now * 1000))

    def _arm(self) -> None:
        wanted = self.pacer.next_tick
        if wanted is not None and wanted != self._armed:
            self._timer.set(wanted)
            self._armed = wanted


def _raise(error: BaseException) -> None:
    raise error
