"""What is kept no longer leaves, and whoever asks can not tell whether it has left yet."""

import asyncio
from datetime import timedelta
from pathlib import Path

from edge.clock import SystemClock
from edge.model.ledger import Unavailable
from edge.model.visits import Sweep
from edge.services.retention import KeptDays, RetentionService
from edge.store.sweeps import SLICE
from edge.store.writer import Writer
from tests.tracking.pool_world import START, PoolWorld

DAY = 86_400


def kept(pool: PoolWorld, table: str = "impressions", column: str = "visitor_id") -> list[str]:
    return [row[0] for row in pool.db.execute(f"SELECT {column} FROM {table} ORDER BY {column}")]


def test_visits_go_but_not_those_that_calls_belong_to(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a-called", 0)
    pool.call(10, call_id="c1")
    pool.hang_up("c1", 20)
    pool.visit("b-superseded", 400)
    pool.visit("c-missed", 410)
    pool.visit("d-newest", 9 * DAY)
    pool.sweep(9 * DAY)
    assert kept(pool) == ["a-called", "d-newest"]
    pool.sweep(100 * DAY)
    assert kept(pool) == ["a-called", "d-newest"], "the newest visit of a number says since when it is unused"


def test_what_was_used_lately_stays_however_long_ago_it_began(path: Path) -> None:
    pool = PoolWorld(path, 2)
    given = pool.visit("a", 0)
    for hour in range(1, 13):
        pool.touch("a", given, hour * 7_200)
    pool.visit("b", DAY)
    pool.visit("c", DAY)
    pool.sweep(DAY - 10)
    assert kept(pool) == ["a", "b", "c"]


def test_more_than_a_slice_of_everything(path: Path) -> None:
    pool, many = PoolWorld(path, 1), 407
    assert many > 2 * SLICE
    said = [("cmp", f"+{n:07d}", f"2026-11-{10 + n % 20}T00:00:00.000Z", "{}") for n in range(many)]
    pool.db.executemany("INSERT INTO enrichments VALUES (?, ?, ?, ?)", said)
    hours = [(f"pool_{n % 3}", f"{1100 + n}-01-01T00", "misses", 1) for n in range(1_000)]
    pool.db.executemany("INSERT INTO pool_counts VALUES (?, ?, ?, ?)", hours)
    for n in range(many):
        pool.visit(f"v{n:04d}", n)
    pool.sweep(many - 10)
    newest = "v0360"
    assert kept(pool) == [newest, *(f"v{n:04d}" for n in range(many - 10, many))]
    assert kept(pool, "enrichments", "posted_at")[0] >= "2026-11-22T10"
    assert kept(pool, "pool_counts", "hour")[0] >= "2026-11-22T10"
    assert len([hour for hour in kept(pool, "pool_counts", "hour") if hour > "2027"]) == 73


def test_nobody_can_tell_a_late_sweeper(tmp_path: Path, empty_database: bytes) -> None:
    """The same days with a sweeper that never comes and one that comes after each step."""
    told = []
    for swept in (False, True):
        path = tmp_path / f"{swept}.db"
        path.write_bytes(empty_database)
        pool = PoolWorld(path, 3)
        answers: list[object] = []
        first = pool.visit("a", 0)
        missed = [pool.visit(who, 1) for who in "bcd"][-1]
        for day in (1, 2, 8, 9, 20):
            now, since = day * DAY, START + timedelta(days=day - 7)
            if swept:
                pool.sweep((day - 7) * DAY)
                pool.restart()
            for who, given in (("a", first), ("d", missed)):
                found = pool.touch(who, given, now, known_since=since)
                answers.append(found and (found.given and (found.given.generation, found.given.member)))
            late = pool.visit(f"new{day}", now + 10)
            answers.append((late.generation, late.member))
            link = pool.call(now + 20, "n1", f"c{day}")
            answers.append(link and (link.visitor_id, link.attribution))
            pool.hang_up(f"c{day}", now + 30)
        told.append(answers)
    assert told[0] == told[1]
    assert None in told[0], "a page that was left open for too long is told that it is not known"


async def test_the_service_sweeps_through_the_writer_and_gives_up_while_it_can_not(path: Path) -> None:
    pool = PoolWorld(path, 1)
    pool.visit("a", 0)
    pool.visit("b", 10)
    pool.visit("c", 10 * DAY)
    pool.db.close()
    clock = SystemClock()
    clock.utc = lambda: START + timedelta(days=10)  # type: ignore[method-assign]
    async with (
        Writer(path, clock) as writer,
        RetentionService(writer, clock, KeptDays(7), lambda: START) as service,
    ):
        await service.sweep()
    pool.restart()
    assert kept(pool) == ["c"]
    asked: list[Sweep] = []

    class Down:
        def submit(self, command: Sweep) -> "asyncio.Future[object]":
            asked.append(command)
            future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            future.set_result(Unavailable("the disk is full"))
            return future

    await RetentionService(Down(), clock, KeptDays(7), lambda: START).sweep()
    assert len(asked) == 1
