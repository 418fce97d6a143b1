"""Visitors at once, against the real writer: nobody's number is given twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from edge.model.pool import CallTrackingTag, Pool
from edge.model.visits import PageView
from edge.routing.snapshot import Snapshot
from edge.services.visits import Asking, Shown, VisitService
from edge.settings.sections import PublicSection
from edge.store.duplicates import DuplicateSnippets
from edge.store.engine import Database
from edge.store.writer import Writer
from tests.routing.world import DIALLED, STAMP, campaign, number
from tests.store.conftest import HandClock


@dataclass
class Configured:
    """A snapshot that stays."""

    current: Snapshot


def configured(size: int, **rules: Any) -> Configured:
    codes = (312, 773) if rules else (800,)
    pooled = [
        number(
            id=f"num_p{n}",
            e164=f"+1{code}556{n:04d}",
            area_code=f"{code}",
            campaign_id=None,
            pool_id="pool_1",
        )
        for n, code in zip(range(size), cycle(codes), strict=False)
    ]
    pool = Pool(id="pool_1", name="pool", **rules, **STAMP)
    tag = CallTrackingTag(
        id="ctt_1",
        name="tag",
        campaign_id="cmp_1",
        primary_number_id="num_1",
        number_to_replace=DIALLED,
        capture_user_data=True,
        pool_id="pool_1",
        **STAMP,
    )
    return Configured(
        Snapshot.build(numbers=[number(), *pooled], campaigns=[campaign()], pools=[pool], tags=[tag])
    )


@pytest.fixture
def path(tmp_path: Path, empty_database: bytes) -> Path:
    path = tmp_path / "edge.db"
    path.write_bytes(empty_database)
    return path


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def visits(path: Path, clock: HandClock) -> AsyncIterator[VisitService]:
    async with serving(path, clock, configured(200)) as service:
        yield service


@asynccontextmanager
async def serving(path: Path, clock: HandClock, configuration: Configured) -> AsyncIterator[VisitService]:
    async with Writer(path, clock) as writer, Database(path) as database:
        limits = PublicSection(allocations_per_minute=10_000)
        yield VisitService(configuration, writer, DuplicateSnippets(database), clock, limits)


async def test_two_thousand_at_once_for_two_hundred_numbers(visits: VisitService) -> None:
    async def ask(n: int) -> str | None:
        asking = Asking(f"198.51.{n % 250}.{n // 250}")
        answer = await visits.numbers("cmp_1", f"visitor-{n}", PageView(), {}, asking)
        (shown,) = answer.shown
        return shown.e164 if shown.is_pool else None

    given = await asyncio.gather(*(ask(n) for n in range(2_000)))
    numbers = [each for each in given if each is not None]
    assert (len(numbers), len(set(numbers)), given.count(None)) == (200, 200, 1_800)
    again = await asyncio.gather(*(ask(n) for n in range(2_000)))
    assert again == given


async def test_an_ipv6_network_is_one_address(visits: VisitService) -> None:
    async def ask(n: int, address: str) -> bool:
        answer = await visits.numbers("cmp_1", f"visitor-{n}", PageView(), {}, Asking(address))
        return answer.shown[0].is_pool

    given = [await ask(n, f"2001:db8:0:1::{n:x}") for n in range(22)]
    assert given == [True] * 20 + [False] * 2
    assert await ask(99, "2001:db8:0:2::1")


async def test_whose_number_went_on_gets_another_one_only_within_its_address_s_share(
    path: Path, clock: HandClock
) -> None:
    """Three of ten: a page that comes back asks as a new one does."""
    async with serving(path, clock, configured(10)) as visits:

        async def shown(visitor: str, address: str) -> Shown:
            answer = await visits.numbers("cmp_1", visitor, PageView(), {}, Asking(address))
            return answer.shown[0]

        home, before = "192.0.2.1", []
        for n in range(3):
            before.append((f"before-{n}", await shown(f"before-{n}", home)))
        clock.advance(360)
        assert all([(await shown(f"elsewhere-{n}", f"198.51.100.{n}")).is_pool for n in range(10)])
        clock.advance(360)
        assert [(await shown(f"now-{n}", home)).is_pool for n in range(2)] == [True, True]
        again = []
        for visitor, old in before:
            touched = visits.activity(old.impression_id or "", visitor, old.generation, {}, Asking(home))
            again.append(await touched)
        assert [told and (told.is_pool, told.reason) for told in again] == [
            (True, None),
            (False, "rate_limited"),
            (False, "rate_limited"),
        ]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count FROM pool_counts WHERE event = 'throttled'").fetchall() == [(2,)]


@pytest.mark.parametrize("by", ["page view", "use"])
async def test_an_address_does_not_come_to_more_than_its_share_by_visits_that_lapsed(
    path: Path, clock: HandClock, by: str
) -> None:
    """Their links still hold, so that each would have its own number again."""
    async with serving(path, clock, configured(10)) as visits:
        bot, before = Asking("192.0.2.1"), []
        for n in range(9):
            (shown,) = (await visits.numbers("cmp_1", f"visitor-{n}", PageView(), {}, bot)).shown
            before.append(shown)
            clock.advance(0 if n % 3 < 2 else 360)
        assert all(shown.is_pool for shown in before)
        again: list[Shown | None] = []
        for n, old in enumerate(before):
            if by == "use":
                again.append(await visits.activity(old.impression_id or "", f"visitor-{n}", 1, {}, bot))
            else:
                again += (await visits.numbers("cmp_1", f"visitor-{n}", PageView(), {}, bot)).shown
        kept = [told is None or told.is_pool for told in again]
        assert kept == [True] * 3 + [False] * 6
        assert {told.reason for told in again[3:] if told} == {"rate_limited"}
        (other,) = (await visits.numbers("cmp_1", "another", PageView(), {}, Asking("198.51.100.1"))).shown
        assert other.is_pool


async def test_what_an_address_holds_is_learnt_again_after_a_restart(path: Path, clock: HandClock) -> None:
    async def held(visits: VisitService, *visitors: str) -> list[bool]:
        asked = [await visits.numbers("cmp_1", v, PageView(), {}, Asking("192.0.2.1")) for v in visitors]
        return [answer.shown[0].is_pool for answer in asked]

    async with serving(path, clock, configured(10)) as visits:
        assert await held(visits, "visitor-a", "visitor-b", "visitor-c") == [True] * 3
    async with serving(path, clock, configured(10)) as visits:
        assert await held(visits, "visitor-a", "visitor-b", "visitor-c", "visitor-d") == [True] * 3 + [False]


async def test_whose_number_went_on_gets_another_one_of_its_area_code(path: Path, clock: HandClock) -> None:
    one_area = configured(2, area_code_match="visitor")
    async with serving(path, clock, one_area) as visits:

        async def shown(visitor: str, code: str = "") -> Shown:
            answer = await visits.numbers("cmp_1", visitor, PageView(), {"area_code": code}, Asking(visitor))
            return answer.shown[0]

        first = [await shown("visitor-a", "312"), await shown("visitor-b", "773")]
        clock.advance(400)
        taken = [await shown("visitor-c", "312"), await shown("visitor-d", "773")]
        assert [s.e164[:5] for s in first + taken] == ["+1312", "+1773"] * 2
        clock.advance(400)
        told = await visits.activity(first[1].impression_id or "", "visitor-b", 1, {}, Asking("visitor-b"))
        assert told is not None and told.e164[:5] == "+1773"
