"""A database of its own for every test, a clock that is set by hand, and commands with fewer words."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.store.opening import prepare

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class HandClock:
    """Both clocks, moved by ``advance``."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The octets of a migrated, empty database: a migration takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "edge.db"
    prepare(path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, empty_database: bytes) -> Path:
    """A migrated, empty database."""
    path = tmp_path / "edge.db"
    path.write_bytes(empty_database)
    return path


Query = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def query(path: Path) -> Query:
    """What another process sees in the file: only what is committed."""

    def run(statement: str, *values: object) -> list[tuple[object, ...]]:
        with sqlite3.connect(path) as db:
            found = db.execute(statement, values).fetchall()
        db.close()
        return found

    return run
