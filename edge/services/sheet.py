"""Numbers as CSV: a line of column names, then a number a row."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import phonenumbers

from edge.services.errors import FieldError, Invalid

MAX_ROWS = 2_000
_PLAIN = frozenset(
    {
        "e164", "external_id", "kind", "country", "region", "area_code", "campaign_id", "publisher_id",
        "sub_id", "timezone", "active_from", "active_until", "renews_on", "state",
    }
)  # fmt: skip
_COST = ("monthly_cost_minor", "monthly_cost_currency")
_TAG = re.compile(r"tag:([A-Za-z0-9_]{1,64})")
_MAX_FIELD = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``place`` from 1; ``fields`` as the API's number has them, an empty cell left out."""

    place: int
    fields: Mapping[str, Any]
    errors: tuple[FieldError, ...] = field(default=())


def rows_of(text: str) -> Iterator[Row]:
    """The rows of a CSV text (RFC 4180), separated by commas or semicolons.

    Raises Invalid, before the first row, when it can not be read, when its first line is not made of column
    names, or when there are more than ``MAX_ROWS`` rows.
    """
    names, *table = _table(text.removeprefix("\ufeff")) or [[]]
    _check_names(names)
    if len(table) > MAX_ROWS:
        raise Invalid([FieldError("", f"more than {MAX_ROWS} rows; import them in several files")])
    for place, cells in enumerate(table, 1):
        yield _row(place, names, cells)


def _table(text: str) -> list[list[str]]:
    """The lines that are not empty, whatever ends them."""
    lines = io.StringIO(text, newline=None)
    first = lines.readline()
    lines.seek(0)
    try:
        rows = list(csv.reader(lines, delimiter=";" if first.count(";") > first.count(",") else ","))
    except csv.Error as error:
        raise Invalid([FieldError("", f"is no CSV: {error}")]) from None
    return [row for row in ([cell.strip() for cell in cells] for cells in rows) if any(row)]


def _check_names(names: list[str]) -> None:
    if "e164" not in names:
        raise Invalid([FieldError("", "the first line names the columns; one of them is e164")])
    for name in names:
        if name not in _PLAIN and name not in _COST and not _TAG.fullmatch(name):
            known = ", ".join([*sorted(_PLAIN), *_COST, "tag:KEY"])
            raise Invalid([FieldError(name[:100], f"there is no such column; there are {known}")])
    if len(set(names)) != len(names):
        raise Invalid([FieldError("", "a column is named twice")])


def _row(place: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) > len(names):
        return Row(place, {}, (FieldError("", "has more cells than there are columns"),))
    given = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    errors = [FieldError(name, "is too long") for name, cell in given.items() if len(cell) > _MAX_FIELD]
    fields: dict[str, Any] = {name: cell for name, cell in given.items() if name in _PLAIN}
    fields["e164"] = _e164(given.get("e164", ""), given.get("country"))
    tags = {found[1].lower(): cell for name, cell in given.items() if (found := _TAG.fullmatch(name))}
    if tags:
        fields["tags"] = tags
    if any(name in given for name in _COST):
        errors += _cost(given, fields)
    return Row(place, fields, tuple(errors))


def _e164(text: str, country: str | None) -> str:
    """The digits as E.164: with their ``+``, else as the row's country writes numbers."""
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return text
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _cost(given: Mapping[str, str], fields: dict[str, Any]) -> list[FieldError]:
    minor, currency = (given.get(name, "") for name in _COST)
    if not re.fullmatch(r"\d{1,12}", minor) or not currency:
        return [FieldError(_COST[0], "write whole minor units (cents), and the currency beside them")]
    fields["monthly_cost"] = {"minor": int(minor), "currency": currency}
    return []
