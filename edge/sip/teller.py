"""Whom a dialog usage tells what happens, and how: in order, never from inside a command."""

from collections import deque
from collections.abc import Callable

from edge.sip.core import Core
from edge.sip.events import InviteEvent


class Teller:
    """The side of an ``Invite`` that its owner listens to."""

    __slots__ = ("_on_event", "_silent", "_waiting", "core")

    def __init__(self, core: Core) -> None:
        self.core = core
        self._on_event: Callable[[InviteEvent], None] | None = None
        self._waiting: deque[InviteEvent] | None = None
        self._silent = False

    @property
    def on_event(self) -> Callable[[InviteEvent], None] | None:
        """Who is told."""
        return self._on_event

    @on_event.setter
    def on_event(self, listener: Callable[[InviteEvent], None] | None) -> None:
        self._on_event = listener
        waiting, self._waiting = self._waiting, None
        for event in waiting or ():
            self.emit(event)

    def emit(self, event: InviteEvent) -> None:
        """Queues an event for the owner."""
        if not self._silent:
            self.core.events.append((self, event))
            if not self.core.busy:
                self.core.wake_up()

    def deliver(self, event: InviteEvent) -> None:
        """Tells the owner, or keeps the event until there is one."""
        if self._silent:
            return
        if self._on_event is not None:
            self._on_event(event)
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(event)
