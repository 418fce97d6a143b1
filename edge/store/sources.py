"""What is kept of the sources of SIP messages: tables with a row for each."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

import sqlalchemy as sa

from edge.store.engine import Database

R = TypeVar("R")

SLICE: Final = 500
"""Rows of one transaction, so that nobody waits long for the lock."""


class SourceRows(ABC, Generic[R]):
    """One such table, by its key.  Methods may raise ``Down``."""

    table: sa.Table

    def __init__(self, database: Database) -> None:
        self._database = database
        (self._key,) = self.table.primary_key.columns

    def put(self, rows: Iterable[R]) -> None:
        """Keeps these, besides the others; blocks."""
        insert = self.table.insert().prefix_with("OR REPLACE")
        for some in _sliced(rows):
            with self._database.writing() as connection:
                connection.execute(insert, [self._columns(row) for row in some])

    def drop(self, sources: Iterable[str]) -> None:
        """Forgets these sources; blocks."""
        for some in _sliced(sources):
            with self._database.writing() as connection:
                connection.execute(self.table.delete().where(self._key.in_(some)))

    @abstractmethod
    def _columns(self, row: R) -> dict[str, object]: ...


T = TypeVar("T")


def _sliced(things: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(things)
    while some := list(islice(rest, SLICE)):
        yield some
