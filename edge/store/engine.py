"""The repositories' connections to the embedded database: reads beside the writer, short edits."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from edge.store.errors import Down, Duplicate

_BUSY_S = 5.0
_WRITES = "edge_writes"


class Database:
    """An async context manager around the pool; repositories ask it for connections."""

    def __init__(self, path: Path) -> None:
        url = sa.URL.create("sqlite+aiosqlite", database=str(path))
        arguments = {"timeout": _BUSY_S, "isolation_level": None}
        self._engine: AsyncEngine = create_async_engine(
            url, connect_args=arguments, pool_size=4, max_overflow=4
        )
        writer = sa.URL.create("sqlite", database=str(path))
        # A batch of edits is written by one thread in one go: the lock is short, the loop free.
        self._writer = sa.create_engine(
            writer, connect_args={**arguments, "check_same_thread": False}, pool_size=1, max_overflow=0
        )
        for engine in (self._engine.sync_engine, self._writer):
            sa.event.listen(engine, "connect", _prepare)
            sa.event.listen(engine, "begin", _begin)

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._engine.dispose()
        self._writer.dispose()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose reads see one state of the database.  Raises Down."""
        with _translated():
            async with self._engine.connect() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def editing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed and synced on leaving.  Raises Down and Duplicate."""
        with _translated():
            async with self._engine.connect() as connection:
                await connection.execution_options(**{_WRITES: True})
                async with connection.begin():
                    yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """As ``editing``, for a thread of its own: blocks."""
        with _translated(), self._writer.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that turns from reading to writing fails under another writer; one that says so
    # at once waits its turn.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except IntegrityError as error:
        raise Duplicate(str(error.orig).rpartition(".")[2]) from error
    except OperationalError as error:
        raise Down(str(error.orig)) from error
