"""The two clocks: monotonic seconds for SIP, media and durations; UTC for schedules and records.

Cores never read a clock: they are given ``now``, or one of these.
"""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Both clocks; tests bring one that they can set."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards."""
        ...

    def utc(self) -> datetime:
        """The wall clock, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clocks."""

    # The system's functions themselves: a call asks for the time some forty times.
    monotonic = staticmethod(time.monotonic)

    utc = staticmethod(partial(datetime.now, UTC))
