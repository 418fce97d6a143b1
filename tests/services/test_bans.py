"""Bans over a restart: what goes on, what has ended, who is known now, and how much is written."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from edge.model.bans import Banned
from edge.services.bans import KeptBans
from edge.sip.bans import LONGEST_S, MAX_BANS, MEMORY_S, Ban
from edge.sip.guard import Guard
from edge.store.bans import BanRecords
from edge.store.engine import Database
from edge.store.sources import SLICE
from tests.store.conftest import NOON
from tests.support.known import Known

STRANGER = "203.0.113.9"


class Clock:
    """Time of day, and a monotonic clock that begins anew at each start of the machine."""

    def __init__(self, passed_s: float, began_s: float) -> None:
        self.passed_s, self.began_s = passed_s, began_s

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s - self.began_s


class World:
    """A database, and servers that are started on it one after another."""

    def __init__(self, database: Database) -> None:
        self.records = BanRecords(database)
        self.sources = Known()
        self.passed_s = 0.0

    @asynccontextmanager
    async def server(self) -> AsyncIterator[Guard]:
        """One start; its monotonic clock is at zero then."""
        self.clock = Clock(self.passed_s, self.passed_s)
        guard = Guard(self.clock.monotonic, self.sources)
        async with KeptBans(guard, self.records, self.clock) as self.kept:
            yield guard
        self.passed_s = self.clock.passed_s


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_a_ban_goes_on_after_a_restart_and_ends_when_it_would_have(world: World) -> None:
    async with world.server() as guard:
        guard.offend(STRANGER, "scanner")
        world.clock.passed_s += 100
    async with world.server() as guard:
        (ban,) = guard.active(10)
        assert (ban.source, ban.reason, ban.times, ban.until) == (STRANGER, "scanner", 1, 500)
        assert not guard.admits(STRANGER)
        world.clock.passed_s += 501
        assert guard.admits(STRANGER)


async def test_a_ban_for_datagrams_holds_for_those_alone_after_a_restart_too(world: World) -> None:
    async with world.server() as guard:
        guard.offend(STRANGER, "scanner")
        guard.offend("203.0.113.10", "scanner", certain=True)
    async with world.server() as guard:
        assert not guard.admits(STRANGER) and guard.lets_in(STRANGER)
        assert not guard.admits("203.0.113.10") and not guard.lets_in("203.0.113.10")


async def test_a_further_ban_is_longer_after_a_restart_too_for_a_day(world: World) -> None:
    async with world.server() as guard:
        guard.offend(STRANGER, "scanner")
        world.clock.passed_s += 1000
    async with world.server() as guard:
        assert guard.active(10) == []
        guard.offend(STRANGER, "scanner")
        assert guard.active(10)[0].times == 2
        world.clock.passed_s += 2000 + MEMORY_S
    async with world.server() as guard:
        guard.offend(STRANGER, "scanner")
        assert guard.active(10)[0].times == 1


async def test_who_has_become_known_is_not_banned_again(world: World) -> None:
    async with world.server() as guard:
        for host in (STRANGER, "203.0.113.10"):
            guard.offend(host, "scanner")
    world.sources.hosts.add(STRANGER)
    async with world.server() as guard:
        assert [ban.source for ban in guard.active(10)] == ["203.0.113.10"]
    world.sources.hosts.clear()
    async with world.server() as guard:
        assert [ban.source for ban in guard.active(10)] == ["203.0.113.10"]


async def test_a_lifted_ban_is_forgotten_at_once(world: World) -> None:
    async with world.server() as guard:
        for host in (STRANGER, "203.0.113.10"):
            guard.offend(host, "scanner")
        await world.kept.write()
        guard.lift(STRANGER)
        await world.kept.write()
        assert [row.source for row in await world.records.all(NOON, 10)] == ["203.0.113.10"]


@pytest.mark.parametrize(
    ("since_s", "until_s", "left_s"),
    [
        (-100, 500, 500),
        (365 * 86_400, 365 * 86_400 + 600, 600),
        (-100, 365 * 86_400, LONGEST_S - 100),
        (-2 * 365 * 86_400, 365 * 86_400, 0),
    ],
    ids=["right", "noted by a clock that was a year ahead", "without an end", "of years"],
)
async def test_no_ban_outlasts_the_longest_whatever_clock_it_was_noted_by(
    world: World, since_s: float, until_s: float, left_s: float
) -> None:
    since, until = (NOON + timedelta(seconds=seconds) for seconds in (since_s, until_s))
    world.records.put([Banned(STRANGER, "scanner", since, until, 1, 0)])
    async with world.server() as guard:
        assert [(ban.since, ban.until) for ban in guard.active(10)] == (
            [(min(since_s, 0), left_s)] * (left_s > 0)
        )
        assert guard.admits(STRANGER) == (left_s == 0)
    rows = await world.records.all(NOON - timedelta(days=1), 10)
    assert [row.until for row in rows] == [NOON + timedelta(seconds=left_s)] * (left_s > 0), "as it holds"


async def test_a_write_that_the_end_finds_under_way_is_not_repeated_beside_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, under_way, go_on = list[str](), threading.Event(), threading.Event()
    put = world.records.put

    def slowly(rows: Iterable[Banned]) -> None:
        kept = list(rows)
        written.extend(row.source for row in kept)
        under_way.set()
        assert go_on.wait(60)
        put(kept)

    monkeypatch.setattr(world.records, "put", slowly)
    async with world.server() as guard:
        guard.offend(STRANGER, "scanner")
        writing = asyncio.create_task(world.kept.write())
        assert await asyncio.to_thread(under_way.wait, 60)
        writing.cancel()  # as the end of the server, or of a request to the API, does
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert written == [STRANGER]
    assert [row.source for row in await world.records.all(NOON, 10)] == [STRANGER]


async def test_what_is_kept_is_bounded_and_only_what_has_changed_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    put = world.records.put
    async with world.server() as guard:
        for n in range(MAX_BANS + SLICE):
            guard.remember([Ban(f"10.0.{n >> 8}.{n & 255}", "flood", n / 1e4, 600.0)])
        await world.kept.write()
        monkeypatch.setattr(
            world.records, "put", lambda rows: put(written.append(row.source) or row for row in rows)
        )
        world.clock.passed_s += 10
        guard.offend(STRANGER, "scanner", certain=True)
        await world.kept.write()
        assert written == [STRANGER]
        rows = await world.records.all(NOON, 3 * MAX_BANS)
        assert len(rows) == MAX_BANS and rows[-1].source == STRANGER
