"""Brings the database file to this program's schema, keeping a copy of what was there before."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

SCHEMA = "0015"
MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaTooNew(Exception):
    """The database was written by a newer version of this program."""


class StoreUnusable(Exception):
    """The database can not be opened or migrated; the text says why and what to do."""


def prepare(path: Path) -> Path | None:
    """Creates or migrates the database; answers the copy of the old one, if there was one to migrate.

    Blocks: run it before the loop serves, or in a thread.  Raises SchemaTooNew and StoreUnusable.
    """
    with _explained(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = revision(path)
        if found == SCHEMA:
            return None
        _refuse_newer(path, found)
        copy = _copy(path, found) if found is not None else None
        _migrate(path)
    return copy


def revision(path: Path) -> str | None:
    """The schema revision in the file; None when there is no file, or nothing in it."""
    if not path.exists():
        return None
    with contextlib.closing(sqlite3.connect(path)) as db:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        if db.execute(query).fetchone() is None:
            return None
        row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _refuse_newer(path: Path, found: str | None) -> None:
    known = {file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}
    if found is not None and found not in known:
        remedy = "run the newer version of edge, or go back to the copy it kept beside the database"
        raise SchemaTooNew(f"{path} has schema {found}; this program knows up to {SCHEMA}: {remedy}")


def _copy(path: Path, found: str) -> Path:
    copy = path.with_name(f"{path.name}.before-{SCHEMA}-from-{found}")
    with contextlib.closing(sqlite3.connect(path)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    copy.chmod(0o600)
    return copy


def _migrate(path: Path) -> None:
    # Only a migration needs these; a server whose schema is right starts without them.
    import sqlalchemy as sa  # noqa: PLC0415
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    path.touch(mode=0o600)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnusable(f"{path}: {error.strerror}; is data_dir writable?") from error
    except sqlite3.Error as error:
        raise StoreUnusable(f"{path}: {error}") from error
