"""Finding calls again."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.model.ledger import Finish
from edge.store.calls import CallRecords
from edge.store.database import connect
from edge.store.engine import Database
from edge.store.errors import Missing
from edge.store.group import Group
from edge.store.spool import Spool
from edge.store.writer import Writer
from tests.store.conftest import HandClock
from tests.support.commands import finish
from tests.support.steps import Steps


def call(n: int) -> Finish:
    return finish(
        f"call_{n}",
        "busy" if n % 2 else "connected",
        caller=f"+1202555010{n % 3}",
        started_at=f"2026-11-22T12:00:0{n // 2}.000Z",
        trace=[{"at_s": 0.0, "message": "INVITE"}],
    )


@pytest.fixture
async def records(path: Path, clock: HandClock) -> AsyncIterator[CallRecords]:
    async with Writer(path, clock) as writer:
        for n in range(8):
            writer.post(call(n))
    async with Database(path) as database:
        yield CallRecords(database)


async def ids(records: CallRecords, limit: int = 10, sort: str | None = None, **filters: str) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        items, cursor = await records.list(filters, sort, cursor, limit)
        found += [str(item["id"]).removeprefix("call_") for item in items]
        if cursor is None:
            return found


async def test_newest_first_in_pages(records: CallRecords) -> None:
    assert await ids(records, limit=3) == list("76543210")
    assert await ids(records, limit=3, sort="started_at") == list("01234567")


async def test_filters(records: CallRecords) -> None:
    assert await ids(records, caller="+12025550101") == list("741")
    assert await ids(records, disposition="busy", number="+18005550100") == list("7531")
    assert await ids(records, since="2026-11-22T12:00:01.000Z", until="2026-11-22T12:00:03.000Z") == list(
        "5432"
    )
    assert await ids(records, trunk_id="other") == []


async def test_one_record_and_its_trace(records: CallRecords) -> None:
    record = await records.get("call_3")
    assert (record["disposition"], record["caller"]) == ("busy", "+12025550100")
    assert "trace" not in record
    assert await records.trace("call_3") == [{"at_s": 0.0, "message": "INVITE"}]
    with pytest.raises(Missing):
        await records.get("call_9")


def test_a_new_callers_record_costs_the_same_however_often_its_number_was_called(
    path: Path, clock: HandClock
) -> None:
    with contextlib.closing(connect(path)) as db:
        group, steps = Group(db, Spool(path.with_name("spool")), clock), Steps(db)

        def cost(n: int) -> int:
            ended = finish(f"call_{n:03}", caller=f"+1202555{n:04}", number_id="num_1")
            return steps.of(lambda: group.run([ended]))

        costs = [cost(n) for n in range(200)]
        assert 0 < costs[-1] < 2 * costs[1]
