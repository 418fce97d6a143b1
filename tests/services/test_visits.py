"""Visitors at once, against the real writer: nobody's number is given twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.model.pool import CallTrackingTag, Pool
from edge.model.visits import PageView
from edge.routing.snapshot import Snapshot
from edge.services.visits import Asking, VisitService
from edge.settings.sections import PublicSection
from edge.store.duplicates import DuplicateSnippets
from edge.store.engine import Database
from edge.store.opening import prepare
from edge.store.writer import Writer
from tests.routing.world import DIALLED, STAMP, campaign, number
from tests.store.conftest import HandClock


@dataclass
class Configured:
    """A snapshot that stays."""

    current: Snapshot


def configured(size: int) -> Configured:
    pooled = [
        number(id=f"num_p{n}", e164=f"+1800556{n:04d}", campaign_id=None, pool_id="pool_1")
        for n in range(size)
    ]
    pool = Pool(id="pool_1", name="pool", **STAMP)
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
async def visits(tmp_path: Path) -> AsyncIterator[VisitService]:
    path, clock = tmp_path / "edge.db", HandClock()
    prepare(path)
    async with Writer(path, clock) as writer, Database(path) as database:
        limits = PublicSection(allocations_per_minute=10_000)
        yield VisitService(configured(200), writer, DuplicateSnippets(database), clock, limits)


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
