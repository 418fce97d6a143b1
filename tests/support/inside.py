"""The whole server inside the test's process: on a wall clock that the test sets, and to be broken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge import app
from edge.app import running
from edge.clock import Clock, SystemClock
from edge.settings.load import load
from tests.support.api import Api
from tests.support.ports import own_address
from tests.support.server import ADMIN_TOKEN, settings


class SetClock(SystemClock):
    """The time of day is what the test says and stands still; durations pass as ever."""

    def __init__(self) -> None:
        self._now = self._latest = datetime(2027, 6, 1, 12, tzinfo=UTC)

    def utc(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        """It is this instant now."""
        self._now = instant.astimezone(UTC)
        self._latest = max(self._latest, self._now)

    def another_day(self) -> datetime:
        """Noon of a day that was not yet, two days after all that were."""
        self.set((self._latest + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0))
        return self._now


@dataclass(frozen=True)
class Inside:
    """A running server: its API, and where its SIP is."""

    api: Api
    sip: tuple[str, int]


@asynccontextmanager
async def inside(directory: Path, clock: Clock | None = None, **overrides: str) -> AsyncIterator[Inside]:
    """A server in this process; ``overrides`` are ``EDGE_`` variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings(directory, own_address(), overrides).items():
            if name.startswith("EDGE_"):
                patch.setenv(name, value)
        patch.chdir(directory)
        # What suits a server of its own would last for the tests that come after.
        for name in ("collect_seldom", "use_large_pages"):
            patch.setattr(app, name, lambda: None)
        async with running(load(), clock) as started, Api(started.addresses.admin, ADMIN_TOKEN) as api:
            host, _, port = started.addresses.sip[0].removeprefix("udp://").rpartition(":")
            yield Inside(api, (host, int(port)))
