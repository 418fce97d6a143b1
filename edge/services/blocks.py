"""Blocks of callers by the file: a row each, every row judged by itself."""

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from edge.model.block import BlockSpec
from edge.routing.e164 import normalise
from edge.services.configuration import ConfigurationService
from edge.services.errors import FieldError, Invalid
from edge.services.numbers import NumberResult

MAX_ROWS = 20_000
# Rows made and stored at a time: together they hold neither the loop nor the database for long.
_SLICE = 200
_COLUMNS = ("pattern", "reason", "campaign_id", "external_id")


class BlockService:
    """Raises ``Invalid`` and ``StoreDown``."""

    def __init__(self, configuration: ConfigurationService) -> None:
        self._configuration = configuration

    async def import_csv(self, text: str, dry_run: bool, country: str) -> Sequence[NumberResult]:
        """A result for every row of a CSV text whose first line names the columns, ``pattern`` among them.

        Numbers without ``+`` are read as ``country`` writes them.  What is blocked already is
        ``unchanged``: importing the same file again changes nothing.
        """
        results: list[NumberResult] = []
        seen: set[tuple[str | None, str]] = set()
        taken = {block.external_id for block in self._configuration.current.blocks.all()} - {None}
        rows = list(_rows(text))
        for start in range(0, len(rows), _SLICE):
            specs = []
            await asyncio.sleep(0)
            for place, fields in rows[start : start + _SLICE]:
                judged = self._judged(place, fields, country, seen, taken)
                if isinstance(judged, NumberResult):
                    results.append(judged)
                else:
                    results.append(NumberResult("created", place, None, judged.pattern))
                    specs.append(judged)
            await self._store(specs, dry_run)
        return results

    def _judged(
        self,
        place: int,
        fields: Mapping[str, str],
        country: str,
        seen: set[tuple[str | None, str]],
        taken: set[str | None],
    ) -> BlockSpec | NumberResult:
        written = fields.get("pattern", "")
        pattern = normalise(written, country) or written
        campaign_id = fields.get("campaign_id")
        try:
            spec: BlockSpec = self._configuration.spec_of("block", {**fields, "pattern": pattern})
        except Invalid as error:
            return NumberResult("refused", place, None, written, error.errors)
        if campaign_id is not None and self._configuration.current.campaign(campaign_id) is None:
            why = FieldError("campaign_id", f"there is no campaign with the id {campaign_id!r}")
            return NumberResult("refused", place, None, written, (why,))
        known = self._configuration.current.blocks.of_pattern(campaign_id, pattern)
        if known is not None or (campaign_id, pattern) in seen:
            return NumberResult("unchanged", place, known.id if known is not None else None, pattern)
        if spec.external_id is not None and spec.external_id in taken:
            why = FieldError("external_id", "another block has this external_id")
            return NumberResult("refused", place, None, written, (why,))
        seen.add((campaign_id, pattern))
        taken.add(spec.external_id)
        return spec

    async def _store(self, specs: Sequence[BlockSpec], dry_run: bool) -> None:
        if specs and not dry_run:
            await self._configuration.create_many("block", specs)


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=None), restkey="more")
        names = reader.fieldnames or []
        if "pattern" not in names or not set(names) <= set(_COLUMNS):
            why = f"the first line names the columns: pattern, and any of {', '.join(_COLUMNS[1:])}"
            raise Invalid([FieldError("", why)])
        for place, row in enumerate(reader, 1):
            if place > MAX_ROWS:
                raise Invalid([FieldError("", f"has more than {MAX_ROWS} rows")])
            yield place, {name: cell.strip() for name, cell in row.items() if name in _COLUMNS and cell}
    except csv.Error as error:
        raise Invalid([FieldError("", f"is no CSV: {error}")]) from None
