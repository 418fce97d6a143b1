"""What outbound trunks use, kept while their calls are up."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import cast

from edge.services.outbound import OutboundService
from edge.store.usage import TrunkUsage
from tests.calls.test_outbound import answered, started, taken

DAY, NEXT = date(2026, 11, 28), date(2026, 11, 29)


class Kept:
    """The store's table."""

    saved: tuple[date, Mapping[date, Mapping[str, float]]] | None = None

    async def load(self) -> None:
        return None

    async def save(self, day: date, days: Mapping[date, Mapping[str, float]]) -> None:
        self.saved = day, days


async def test_what_a_call_that_is_up_has_used_is_kept_too() -> None:
    """Or a crash forgets hours of calls, which could be used a second time."""
    now, load = started(datetime(2026, 11, 28, 23, tzinfo=UTC))
    kept = Kept()
    async with OutboundService(cast(TrunkUsage, kept), load):
        answered(taken(load, max_minutes_per_day=300))
        now.pass_s(5400)  # of which half an hour is the next day's
    assert kept.saved == (NEXT, {DAY: {"trk_1": 3600.0}, NEXT: {"trk_1": 1800.0}})
    _, again = started(now.at)
    again.restore(*kept.saved)
    assert again.used("trk_1") == (0, 30.0)


async def test_nothing_is_written_while_nothing_is_used() -> None:
    _, load = started()
    kept = Kept()
    async with OutboundService(cast(TrunkUsage, kept), load):
        pass
    assert kept.saved is None
