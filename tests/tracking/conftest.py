"""An empty database for every test."""

from pathlib import Path

import pytest

from edge.store.opening import prepare


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The octets of a migrated, empty database."""
    path = tmp_path_factory.mktemp("empty") / "edge.db"
    prepare(path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, empty_database: bytes) -> Path:
    """A migrated, empty database."""
    path = tmp_path / "edge.db"
    path.write_bytes(empty_database)
    return path
