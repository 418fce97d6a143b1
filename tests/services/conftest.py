"""Services on a database of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.clock import SystemClock
from edge.services.configuration import ConfigurationService
from edge.store.engine import Database
from edge.store.opening import prepare
from edge.store.repository import Objects


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("empty") / "edge.db"
    prepare(path)
    return path.read_bytes()


@pytest.fixture
async def database(tmp_path: Path, empty_database: bytes) -> AsyncIterator[Database]:
    path = tmp_path / "edge.db"
    path.write_bytes(empty_database)
    async with Database(path) as database:
        yield database


@pytest.fixture
async def service(database: Database) -> AsyncIterator[ConfigurationService]:
    async with ConfigurationService(Objects(database), SystemClock()) as service:
        yield service
