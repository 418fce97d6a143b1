"""Logins over a restart: who is no stranger, as which trunk, for how long, and how often it is written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from edge.calls.ports import RefusedCall
from edge.calls.sources import LEAST_MESSAGES, Sources
from edge.model.bans import LoggedIn
from edge.networks import Networks
from edge.routing.snapshot import Snapshot
from edge.services.logins import GRAIN_S, KeptLogins
from edge.sip.guard import FREE_S, PROVEN_S, Guard
from edge.sip.meters import Allowance
from edge.store.engine import Database
from edge.store.logins import LoginRecords
from tests.calls.test_access import BY_LOGIN, trunk
from tests.services.test_bans import Clock
from tests.store.conftest import NOON

PHONE, OTHER = "203.0.113.9", "203.0.113.10"
ONE = trunk(max_cps=1, **BY_LOGIN)
TWO = trunk("trk_2", **{**BY_LOGIN, "username": "them"})


class World:
    """A database, and servers that are started on it one after another."""

    def __init__(self, database: Database) -> None:
        self.records = LoginRecords(database)
        self.current = Snapshot.build(trunks=[ONE, TWO])
        self.passed_s = 0.0

    def note(self, refused: RefusedCall) -> None:
        raise AssertionError(refused)

    def log_in(self, host: str = PHONE, as_whom: object = ONE) -> None:
        self.sources.logged_in(host, as_whom)  # type: ignore[arg-type]
        self.guard.proven(host)

    def heard(self, host: str = PHONE) -> bool:
        """Whether it is heard, whatever is sent in its name."""
        self.guard.offend(host, "scanner")
        return all(self.guard.admits(host) for _ in range(300))

    @asynccontextmanager
    async def server(self) -> AsyncIterator[None]:
        """One start; its monotonic clock is at zero then."""
        self.clock = Clock(self.passed_s, self.passed_s)
        nobody = Networks.of(())
        self.sources = Sources(self, self, self.clock, most=1e4, proxies=nobody, never_ban=nobody)
        self.guard = Guard(self.clock.monotonic, self.sources)
        async with KeptLogins(self.guard, self.sources, self.records, self.clock) as self.kept:
            yield
        self.passed_s = self.clock.passed_s


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_who_has_logged_in_is_no_stranger_after_a_restart_for_as_long_as_it_would_have_been(
    world: World,
) -> None:
    async with world.server():
        world.log_in()
        world.log_in(OTHER)
        world.log_in(OTHER, TWO)
        world.clock.passed_s += 1000
    async with world.server():
        assert world.heard() and world.heard(OTHER) and not world.heard("203.0.113.11")
        assert world.sources.allowance(PHONE, dialled=False) == Allowance("trk_1", LEAST_MESSAGES)
        assert world.sources.allowance(OTHER, dialled=False) == Allowance(OTHER, 1e4), "it is shared"
        world.clock.passed_s += PROVEN_S - 1000 - FREE_S
        assert world.heard()
        world.clock.passed_s += FREE_S
        assert not world.heard()
    assert await world.records.all(NOON, 10) == []


async def test_who_was_banned_since_is_forgotten_and_so_is_whose_trunk_is_none_any_more(world: World) -> None:
    async with world.server():
        world.log_in()
        world.log_in(OTHER, TWO)
        for _ in range(20):
            world.guard.offend(PHONE, "wrong credentials", certain=True)
    world.current = Snapshot.build(trunks=[ONE, trunk("trk_2", addresses=("192.0.2.1/32",), **BY_LOGIN)])
    async with world.server():
        assert not world.heard() and not world.heard(OTHER)
    world.current = Snapshot.build()
    async with world.server():
        assert not world.heard(OTHER)


async def test_a_clock_that_was_ahead_makes_nobody_known_for_longer_than_a_day(world: World) -> None:
    world.records.put([LoggedIn(PHONE, "trk_1", NOON + timedelta(days=365))])
    async with world.server():
        world.clock.passed_s += PROVEN_S - FREE_S
        assert world.heard()
        world.clock.passed_s += FREE_S
        assert not world.heard()


async def test_a_phone_that_logs_in_with_every_call_is_written_once_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    put = world.records.put
    monkeypatch.setattr(
        world.records, "put", lambda rows: put(written.append(row.address) or row for row in rows)
    )
    async with world.server():
        world.clock.passed_s += FREE_S
        for _ in range(20):
            world.log_in()
            await world.kept.write()
            world.clock.passed_s += 100
        assert written == [PHONE]
        world.clock.passed_s += GRAIN_S
        world.log_in()
        await world.kept.write()
        assert written == [PHONE] * 2
