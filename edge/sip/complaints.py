"""What the log says of bad messages: bounded, whatever comes."""

import structlog

from edge.clock import Clock
from edge.logs import Sparing
from edge.sip.events import Flow

log = structlog.get_logger(__name__)


class Complaints:
    """One log line for each bad message, but not more than a hostile peer may make us write."""

    def __init__(self, clock: Clock) -> None:
        self._sparing = Sparing(clock.monotonic)

    def note(self, why: str, flow: Flow) -> None:
        """Writes a line, or counts it as withheld; the next second's first line tells how many."""
        withheld = self._sparing.allows()
        if withheld is not None:
            where = {"remote": flow.remote[0], "transport": flow.transport}
            log.info("sip_bad_message", why=why, **where, withheld=withheld)
