"""What the log says of bad messages: bounded, whatever comes."""

import structlog

from edge.clock import Clock
from edge.sip.events import Flow

log = structlog.get_logger(__name__)


class Complaints:
    """One log line for each bad message, but not more than a hostile peer may make us write."""

    PER_SECOND = 10

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._written = 0
        self._withheld = 0

    def note(self, why: str, flow: Flow) -> None:
        """Writes a line, or counts it as withheld; the next second's first line tells how many."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self.PER_SECOND:
            self._withheld += 1
            return
        self._written += 1
        withheld, self._withheld = self._withheld, 0
        log.info(
            "sip_bad_message", why=why, remote=flow.remote[0], transport=flow.transport, withheld=withheld
        )
