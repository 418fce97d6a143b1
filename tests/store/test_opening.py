"""The database file over the versions of the program."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from edge.store import opening
from edge.store.opening import MIGRATIONS, SCHEMA, SchemaTooNew, StoreUnusable, prepare, revision
from edge.store.tables import metadata


def test_a_new_database_gets_the_schema_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "edge.db"
    assert prepare(path) is None
    assert revision(path) == SCHEMA
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_current_database_is_left_alone(path: Path) -> None:
    before = path.read_bytes()
    assert prepare(path) is None
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_with_the_remedy(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()
    with pytest.raises(SchemaTooNew, match=r"9999.*run the newer version"):
        prepare(path)


def test_an_older_database_is_migrated_and_a_copy_is_kept(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "migrations"
    for file in MIGRATIONS.rglob("*.py"):
        place = newer / file.relative_to(MIGRATIONS)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    step = "from alembic import op\nimport sqlalchemy as sa\n"
    step += f"revision = '9998'\ndown_revision = '{SCHEMA}'\n"
    step += "def upgrade() -> None:\n    op.create_table('later', sa.Column('id', sa.Text))\n"
    (newer / "versions" / "9998_later.py").write_text(step)
    monkeypatch.setattr(opening, "MIGRATIONS", newer)
    monkeypatch.setattr(opening, "SCHEMA", "9998")
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    db.close()

    copy = prepare(path)

    assert copy is not None
    assert (revision(copy), revision(path)) == (SCHEMA, "9998")
    for file in (copy, path):
        with sqlite3.connect(file) as db:
            assert db.execute("SELECT value FROM meta WHERE key = 'kept'").fetchall() == [("yes",)]
        db.close()


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "edge.db"
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(StoreUnusable, match="not a database"):
        prepare(path)


def test_the_steps_lead_to_the_tables_and_the_constant_names_the_last(path: Path) -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == SCHEMA
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
