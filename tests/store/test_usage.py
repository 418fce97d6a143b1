"""The use of outbound trunks, kept."""

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from edge.store.engine import Database
from edge.store.opening import prepare
from edge.store.usage import TrunkUsage

TODAY, BEFORE = date(2026, 11, 28), date(2026, 11, 27)


async def test_the_days_that_were_kept_are_found(path: Path) -> None:
    days = {BEFORE: {"trk_1": 12.5}, TODAY: {"trk_1": 600.0, "trk_2": 1.0}}
    async with Database(path) as database:
        usage = TrunkUsage(database)
        assert await usage.load() is None
        await usage.save(BEFORE, {})
        await usage.save(TODAY, days)
        assert await usage.load() == (TODAY, days)


async def test_what_a_server_of_before_kept_of_its_one_day_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        kept = '{"day": "2026-11-28", "seconds": {"trk_1": 600.0}}'
        db.execute("INSERT INTO meta VALUES ('trunk_seconds', ?)", (kept,))
        db.execute("UPDATE alembic_version SET version_num = '0013'")
        db.commit()
    prepare(path)
    async with Database(path) as database:
        assert await TrunkUsage(database).load() == (TODAY, {TODAY: {"trk_1": 600.0}})
