"""The audit and the versions of the set-up are forgotten when they are too old (Rule: audit)."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.model.config import TrunkSpec
from edge.model.visits import Place, Swept
from edge.model.visits import Sweep as Slice
from edge.services.configuration import ConfigurationService
from edge.services.errors import NotFound
from edge.services.listing import ListQuery
from edge.services.prompts import PromptService
from edge.services.setup.service import SetupService
from edge.settings.load import SettingsError, load
from edge.store.audio import AudioFiles
from edge.store.engine import Database
from edge.store.history import History
from edge.store.repository import Objects
from edge.store.sweeps import SLICE, Sweeper
from tests.services.test_prompts import Loaded

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


class Days(SystemClock):
    """The wall clock, in whole days."""

    day = 0

    def __init__(self) -> None:
        self.utc = lambda: DAY_0 + timedelta(days=self.day)  # type: ignore[method-assign]


@dataclass
class Office:
    """A set-up that is edited now and then; versions are known for 100 days."""

    path: Path
    clock: Days
    configuration: ConfigurationService
    setup: SetupService
    trunk_id: str = ""

    async def edit(self, day: int, name: str) -> int:
        """The trunk gets this name and a password like it; the version of that."""
        self.clock.day = day
        if not self.trunk_id:
            spec = TrunkSpec(name=name, username="u", password=f"pw-{name}")  # type: ignore[arg-type]
            self.trunk_id = (await self.configuration.create("trunk", spec)).id
        else:
            changes = {"name": name, "username": "u", "password": f"pw-{name}"}
            await self.configuration.patch("trunk", self.trunk_id, changes, None)
        return self.configuration.current.version

    async def open(self, day: int) -> None:
        """The trunk needs no password any more."""
        self.clock.day = day
        changes = {"username": None, "password": None, "addresses": ["192.0.2.0/24"]}
        await self.configuration.patch("trunk", self.trunk_id, changes, None)

    async def known(self) -> list[int]:
        return [found.version for found in (await self.setup.versions(ListQuery(limit=100))).items]

    @property
    def trunk(self) -> tuple[str, str]:
        """Its name and its password."""
        trunk = self.configuration.current.trunk(self.trunk_id)
        assert trunk is not None and trunk.password is not None
        return trunk.name, trunk.password.get_secret_value()

    def sweep(self, what: Swept, days: int) -> int:
        """How many slices that took."""
        place: Place | None = ("", "")
        slices = 0
        with sqlite3.connect(self.path) as db:
            while place is not None:
                before = self.clock.utc() - timedelta(days=days)
                place, slices = Sweeper(db).run(Slice(what, before, place)), slices + 1
        db.close()
        return slices

    def rows(self, query: str) -> list[object]:
        with sqlite3.connect(self.path) as db:
            found = [row[0] for row in db.execute(query)]
        db.close()
        return found


@pytest.fixture
async def office(tmp_path: Path, database: Database) -> AsyncIterator[Office]:
    clock = Days()
    async with ConfigurationService(Objects(database), clock) as configuration:
        prompts = PromptService(configuration, AudioFiles(tmp_path), Loaded())  # type: ignore[arg-type]
        setup = SetupService(configuration, prompts, History(database, clock, 100))
        yield Office(tmp_path / "edge.db", clock, configuration, setup)


@pytest.mark.parametrize("swept", [False, True])
async def test_one_can_go_back_to_what_was_a_hundred_days_ago_and_no_further(
    office: Office, *, swept: bool
) -> None:
    """A sweeper that has not come by yet changes nothing."""
    first, second, third = [await office.edit(day, f"day {day}") for day in (0, 10, 50)]
    office.clock.day = 200
    await office.configuration.delete("trunk", office.trunk_id, None)
    last = office.configuration.current.version
    office.clock.day = 210
    if swept:
        office.sweep("secrets", 100)
        office.sweep("audit", 100)
    assert await office.known() == [last, third]
    for version in (first, second):
        with pytest.raises(NotFound):
            await office.setup.restore(version)
    await office.setup.restore(third)
    assert office.trunk == ("day 50", "pw-day 50")


async def test_the_newest_edit_is_remembered_however_old_it_is(office: Office) -> None:
    await office.edit(0, "old")
    newest = await office.edit(1, "new")
    office.clock.day = 5_000
    office.sweep("audit", 100)
    assert office.rows("SELECT DISTINCT version FROM audit") == [newest]
    assert await office.known() == [newest]
    await office.edit(5_000, "wrong")
    await office.setup.restore(newest)
    assert office.trunk[0] == "new"


async def test_passwords_are_forgotten_with_the_versions_and_the_audit_later(office: Office) -> None:
    await office.edit(0, "day 0")
    await office.open(10)
    await office.edit(20, "day 20")
    await office.open(150)
    secrets = "SELECT secrets FROM audit WHERE secrets IS NOT NULL ORDER BY at"
    assert ["pw-day 0" in str(kept) for kept in office.rows(secrets)] == [True, False]
    office.clock.day = 160
    office.sweep("secrets", 100)
    (kept,) = office.rows(secrets)
    assert "pw-day 20" in str(kept)
    office.sweep("audit", 365)
    assert office.rows("SELECT count(*) FROM audit WHERE kind = 'trunk'") == [4]
    office.clock.day = 390
    office.sweep("audit", 365)
    assert office.rows("SELECT count(*) FROM audit WHERE kind = 'trunk'") == [2], "days 20 and 150"


async def test_other_entries_go_by_age_alone_a_slice_at_a_time(office: Office) -> None:
    newest, many = await office.edit(0, "p"), 4 * SLICE + 7
    with sqlite3.connect(office.path) as db:
        days = [(f"aud_x{n:05d}", f"{2020 + n % 4}-06-01T00:00:00.000Z") for n in range(many)]
        columns = "INSERT INTO audit (id, at, by, action, kind, object_id, name, version) VALUES "
        db.executemany(columns + "(?, ?, 'tok', 'lift', 'ban', '192.0.2.1', '', NULL)", days)
        edit = [(f"aud_y{n:05d}", "2026-01-01T00:00:00.000Z", newest) for n in range(many)]
        db.executemany(columns + "(?, ?, 'tok', 'create', 'number', 'num', '', ?)", edit)
    db.close()
    office.clock.day = 900
    assert office.sweep("audit", 365) <= many // SLICE + 3, "the edit that stays is not walked through"
    assert office.rows("SELECT count(*) FROM audit WHERE version IS NULL") == [0]
    assert office.rows(f"SELECT count(*) FROM audit WHERE version = {newest}") == [many + 1]


def test_versions_are_not_kept_for_longer_than_the_audit_that_has_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGE_ADMIN__KEEP_AUDIT_DAYS", "30")
    with pytest.raises(SettingsError, match="keep_versions_days is longer than keep_audit_days"):
        load()
