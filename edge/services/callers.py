"""Callers: the lists that targets take or refuse them by, in bulk, and their past as a decision needs it."""

import asyncio
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.logs import get_logger
from edge.model.callers import CallerPast
from edge.model.types import is_e164
from edge.routing.e164 import normalise
from edge.services.configuration import ConfigurationService
from edge.services.errors import FieldError, Invalid
from edge.services.guard import translated
from edge.services.listing import Page
from edge.store.callers import CallerRecords
from edge.store.errors import Down

MOST_NUMBERS = 1_000_000
"""Numbers of one list."""
_MOST_REFUSALS = 100
_SLICE = 500
Mode = Literal["add", "replace", "remove"]
log = get_logger("edge.callers")


@dataclass(frozen=True, slots=True)
class Written:
    """What an upload came to; ``refused`` rows are those that are no phone numbers, 100 at most."""

    added: int = 0
    removed: int = 0
    count: int = 0
    refused: tuple[FieldError, ...] = field(default=())


class CallerService:
    """Raises ``NotFound``, ``Invalid``, ``Conflict``, ``Stale`` and ``StoreDown``."""

    def __init__(self, configuration: ConfigurationService, records: CallerRecords) -> None:
        self._configuration = configuration
        self._records = records

    async def past(self, caller: str) -> CallerPast:
        """What is known of a caller; never raises: a store that can not answer knows nobody."""
        try:
            return await self._records.past(caller)
        except Down as error:
            log.error("callers.unreadable", error=str(error))
            return CallerPast(readable=False)

    async def write(self, list_id: str, text: str, mode: Mode, country: str) -> Written:
        """Numbers, one a row of a CSV text (its first cell), put on a list or taken off it.

        Numbers without ``+`` are read as ``country`` writes them.  Each portion holds as soon as it is
        written, so that doing the same again after a failure completes it.
        """
        await self._configuration.get("caller_list", list_id)
        numbers, refused = await _numbers(text, country)
        if mode == "replace" and not numbers:
            raise Invalid([FieldError("", "no row is a phone number: the list stays as it is")])
        with translated("caller list"):
            if mode == "remove":
                removed = await self._records.remove(list_id, numbers)
                return Written(0, removed, await self._records.count(list_id), refused)
            there = await self._records.all(list_id)
            gone = there - numbers if mode == "replace" else set()
            if len((there - gone) | numbers) > MOST_NUMBERS:
                raise Invalid([FieldError("", f"a list has {MOST_NUMBERS} numbers at most")])
            added = await self._records.add(list_id, numbers - there)
            removed = await self._records.remove(list_id, gone)
            return Written(added, removed, await self._records.count(list_id), refused)

    async def numbers(self, list_id: str, after: str | None, limit: int) -> Page[str]:
        """A page of a list's numbers, in their order."""
        await self._configuration.get("caller_list", list_id)
        if after is not None and not is_e164(after):
            raise Invalid([FieldError("cursor", "the cursor is not one of ours; start without it")])
        with translated("caller list"):
            found = await self._records.numbers(list_id, after or "", limit + 1)
        return Page(found[:limit], found[limit - 1] if len(found) > limit else None)

    async def delete(self, list_id: str, expected: int | None) -> None:
        """Removes a list that no target names, with its numbers."""
        await self._configuration.delete("caller_list", list_id, expected)
        with translated("caller list"):
            await self._records.remove(list_id, await self._records.all(list_id))


async def _numbers(text: str, country: str) -> tuple[set[str], tuple[FieldError, ...]]:
    """The numbers of a CSV text, and the rows that are none; a first row without digits is a heading."""
    found: set[str] = set()
    refused: list[FieldError] = []
    for row, cell in _cells(text):
        if row % _SLICE == 0:
            await asyncio.sleep(0)
        number = normalise(cell, country)
        if number is not None:
            found.add(number)
        elif row > 1 or any(char.isdigit() for char in cell):
            refused.append(FieldError(f"row {row}", "is no phone number; write E.164, such as +13125550101"))
    return found, tuple(refused[:_MOST_REFUSALS])


def _cells(text: str) -> Iterator[tuple[int, str]]:
    try:
        for row, cells in enumerate(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=None)), 1):
            if cells and cells[0].strip():
                yield row, cells[0].strip()
    except csv.Error as error:
        raise Invalid([FieldError("", f"is no CSV: {error}")]) from None


def told(numbers: Sequence[str]) -> list[dict[str, str]]:
    """The numbers as they are answered."""
    return [{"number": number} for number in numbers]
