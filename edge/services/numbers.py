"""Numbers in quantity: taken from stock, imported from CSV, changed many at a time.

Every row and every number is judged by itself, so that one that is refused keeps no other from
its edit; doing the same again changes nothing.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edge.model.config import NewNumber, Number, NumberSpec
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, FieldError, Invalid, ServiceError, StoreDown
from edge.services.guard import translated
from edge.services.listing import ListQuery
from edge.services.sheet import Row, rows_of
from edge.store.numbers import NumberRecords

MAX_AT_ONCE = 500
_FROM_STOCK = ("kind", "country", "area_code")
# Rows judged before the loop gets a turn: a row takes some 200 µs.
_SLICE = 25

Verdict = Literal["created", "updated", "unchanged", "refused", "skipped"]


@dataclass(frozen=True, slots=True)
class NumberResult:
    """What became of one row or one number; ``row`` counts from 1, the line of names not included."""

    result: Verdict
    row: int | None = None
    id: str | None = None
    e164: str | None = None
    errors: tuple[FieldError, ...] = ()


class NumberService:
    """Raises ``Invalid``, ``Conflict``, ``NotFound`` and ``StoreDown``."""

    def __init__(self, configuration: ConfigurationService, records: NumberRecords) -> None:
        self._configuration = configuration
        self._records = records
        self._one_take = asyncio.Lock()

    async def create(self, new: NewNumber) -> Number:
        """A number of these digits; without any, the longest-unused available one of that kind."""
        fields = {name: getattr(new, name) for name in new.model_fields_set}
        if new.e164 is not None:
            made = await self._configuration.create("number", NumberSpec.model_validate(fields))
        else:
            made = await self._take(new)
        assert isinstance(made, Number)
        return made

    async def _take(self, new: NewNumber) -> Any:
        if new.kind is None or new.country is None:
            why = "is required, or kind and country to take a number from stock"
            raise Invalid([FieldError("e164", why)])
        written = new.model_dump(mode="json", include=new.model_fields_set)
        changes = {name: value for name, value in written.items() if name not in ("e164", *_FROM_STOCK)}
        async with self._one_take:
            with translated("number"):
                found = await self._records.longest_unused(new.kind, new.country, new.area_code)
            if found is None:
                where = f"{new.kind} numbers of {new.country} {new.area_code or ''}".rstrip()
                raise Conflict(f"there are no available {where} in stock; import some first")
            return await self._configuration.patch("number", found[0], changes, found[1])

    async def import_csv(self, text: str, dry_run: bool) -> Sequence[NumberResult]:
        """A result for every row of a CSV text; ``dry_run`` only tells what would become of each."""
        results = []
        seen: set[str] = set()
        for row in rows_of(text):
            if row.place % _SLICE == 0:
                await asyncio.sleep(0)
            results.append(await self._import(row, dry_run, seen))
        return results

    async def _import(self, row: Row, dry_run: bool, seen: set[str]) -> NumberResult:
        e164 = str(row.fields.get("e164", "")) or None
        try:
            if row.errors:
                raise Invalid(row.errors)
            if e164 in seen:
                raise Invalid([FieldError("e164", "stands in a row before already")])
            seen.add(str(e164))
            known = self._configuration.current.number(str(e164))
            if known is not None and known.release is not None:
                raise Conflict(f"this number is {known.state}; restore it, or make it available by hand")
            if known is None:
                return await self._new(row, dry_run)
            return await self._change(known, row.fields, dry_run, row.place)
        except StoreDown:
            raise
        except ServiceError as error:
            return NumberResult("refused", row.place, None, e164, _errors(error))

    async def _new(self, row: Row, dry_run: bool) -> NumberResult:
        spec = self._configuration.spec_of("number", row.fields)
        if dry_run:
            self._configuration.rehearse("number", spec)
            return NumberResult("created", row.place, None, str(row.fields["e164"]))
        made = await self._configuration.create("number", spec)
        assert isinstance(made, Number)
        return NumberResult("created", row.place, made.id, made.e164)

    async def bulk_update(
        self, ids: Sequence[str], filters: Mapping[str, str], changes: Mapping[str, Any], dry_run: bool
    ) -> Sequence[NumberResult]:
        """The same merge patch to each of ``ids``, else to every number that matches ``filters``.

        Raises Invalid when more than ``MAX_AT_ONCE`` match.
        """
        if "e164" in changes:
            raise Invalid([FieldError("changes.e164", "digits belong to one number; change it by itself")])
        results = []
        for number_id in dict.fromkeys(ids) if ids else [n.id for n in await self.matching(filters)]:
            known = self._configuration.current.number_by_id(number_id)
            results.append(await self._bulk_change(number_id, known, changes, dry_run))
        return results

    async def matching(self, filters: Mapping[str, str]) -> Sequence[Number]:
        """The numbers that match, at most ``MAX_AT_ONCE``; raises Invalid when there are more."""
        found = await self._configuration.list("number", ListQuery(filters, limit=MAX_AT_ONCE))
        if found.next_cursor is not None:
            raise Invalid([FieldError("filter", f"matches more than {MAX_AT_ONCE} numbers; narrow it")])
        return [item for item in found.items if isinstance(item, Number)]

    async def _bulk_change(
        self, number_id: str, known: Number | None, changes: Mapping[str, Any], dry_run: bool
    ) -> NumberResult:
        if known is None:
            missing = (FieldError("id", "there is no such number"),)
            return NumberResult("refused", None, number_id, None, missing)
        try:
            return await self._change(known, changes, dry_run, None)
        except StoreDown:
            raise
        except ServiceError as error:
            return NumberResult("refused", None, number_id, known.e164, _errors(error))

    async def _change(
        self, known: Number, changes: Mapping[str, Any], dry_run: bool, row: int | None
    ) -> NumberResult:
        if dry_run:
            after = self._configuration.rehearse_patch("number", known, changes)
        else:
            after = await self._configuration.patch("number", known.id, changes, None)
        same = after.model_dump(exclude=_STAMPS) == known.model_dump(exclude=_STAMPS)
        return NumberResult("unchanged" if same else "updated", row, known.id, known.e164)


_STAMPS = {"version", "updated_at"}


def _errors(error: ServiceError) -> tuple[FieldError, ...]:
    return tuple(_each(error))


def _each(error: ServiceError) -> Iterator[FieldError]:
    if isinstance(error, Invalid):
        yield from error.errors
    else:
        yield FieldError("", str(error))
