"""New calls wait until everything else has been read; those that would wait too long are turned away.

In-dialog work and OPTIONS go first.  See ``turned_away`` for what becomes of a new call when the server is
over its capacity.
"""

import re
from collections import deque
from collections.abc import Callable
from typing import Final

from edge.sip.events import Flow
from edge.sip.framer import Held

MAX_WAIT: Final = 0.4
"""Seconds that a new call may wait: less than T1, so that nobody repeats what will be served."""
MAX_WAITING: Final = 2000
AT_ONCE: Final = 15
"""New calls served before the sockets are looked at again."""
SHED_AT_ONCE: Final = 50

MOST_SEARCHED: Final = 64
"""Calls among which one is looked for that is taken back: the newest."""

_BRANCH: Final = re.compile(rb";[ \t]*+branch[ \t]*+=[ \t]*+([^\s;,]{1,256})", re.IGNORECASE)
_IN_DIALOG: Final = re.compile(rb"\r\n(?:to|t)[ \t]*+:[^\r\n]*?;[ \t]*+tag[ \t]*+=", re.IGNORECASE)

Unread = bytes | Held
"""A message that waits: a datagram, or what a stream's framer has cut out."""
Receive = Callable[[Unread, Flow], None]


class Arrivals:
    """The new calls that wait.  ``serve`` takes one in, ``shed`` turns one away; ``again`` asks for
    ``go_on`` soon.  ``clock`` is in seconds and never goes back.  ``limited`` says whether a call was over
    a limit of its source, and is answered already (None: there are no such limits)."""

    def __init__(
        self,
        clock: Callable[[], float],
        serve: Receive,
        shed: Receive,
        again: Callable[[], object],
        *,
        limited: Callable[[bytes, Flow], bool] | None = None,
    ) -> None:
        self._clock = clock
        self._serve = serve
        self._shed = shed
        self._again = again
        self._limited = limited
        self._drained = True
        self._called = False
        self._waiting: deque[tuple[float, Unread, Flow]] = deque()

    def take(self, data: bytes, flow: Flow) -> bool:
        """Keeps a datagram if it is a new call; False for everything else, which goes first."""
        if not is_new_call(data):
            return False
        if self._limited is not None and self._limited(data, flow):
            return True
        self._wait(data, flow)
        return True

    def hold(self, held: Held, flow: Flow) -> None:
        """Keeps a new call of a stream, which nobody tells of reading: whatever else has come goes first,
        and then ``go_on``."""
        self._wait(held, flow)
        if self._drained:
            self._call()

    def bring(self, cancel: bytes) -> None:
        """A call that waits is served before the CANCEL that takes it back, or that would find nothing."""
        found = _BRANCH.search(cancel) if self._waiting else None
        if found is None:
            return
        for back in range(1, min(len(self._waiting), MOST_SEARCHED) + 1):
            _, message, flow = self._waiting[-back]
            if found[1] in (message if isinstance(message, bytes) else message.head):
                del self._waiting[-back]
                self._serve(message, flow)
                return

    def _wait(self, message: Unread, flow: Flow) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._shed(message, flow)
        else:
            self._waiting.append((self._clock(), message, flow))

    def _call(self) -> None:
        """Asks for ``go_on``, once."""
        if not self._called:
            self._called = True
            self._again()

    def read(self, drained: bool) -> None:
        """The sockets were read; ``drained`` when nothing is left in them, so that there is time."""
        self._drained = drained
        if self._waiting:
            self._work()

    def go_on(self) -> None:
        """What was asked for: one more look at those that wait."""
        self._called = False
        self._work()

    def _work(self) -> None:
        """Turns away what waited too long, and serves what there is time for."""
        waiting, overdue = self._waiting, self._clock() - MAX_WAIT
        for _ in range(SHED_AT_ONCE):
            if not waiting or waiting[0][0] > overdue:
                break
            self._shed(*waiting.popleft()[1:])
        for _ in range(min(AT_ONCE, len(waiting)) if self._drained else 0):
            self._serve(*waiting.popleft()[1:])
        if waiting and self._drained:
            self._call()


def is_new_call(data: bytes) -> bool:
    """Whether a message's bytes (its header block will do) are an INVITE outside any dialog."""
    if not data.startswith(b"INVITE "):
        return False
    # As nearly everybody writes it; a message with two To is refused anyway.
    at = data.find(b"\r\nTo:")
    if at >= 0 and b"tag" not in data[at : data.find(b"\r\n", at + 2)].lower():
        return True
    return _IN_DIALOG.search(data) is None
