"""Conditions on a call's tags and facts."""

from typing import Annotated, Literal, Self

import re2
from pydantic import Field, StringConstraints, model_validator

from edge.model.base import Record

Operator = Literal[
    "==", "!=", "<", "<=", ">", ">=", "contains", "begins", "regex", "in", "exists", "not_exists"
]  # fmt: skip
FilterKey = Annotated[str, StringConstraints(pattern=r"^(tag:)?[A-Za-z0-9_]{1,64}$", to_lower=True)]
FilterValue = Annotated[str, StringConstraints(max_length=1000)]

_PATTERN_CHARACTERS = 500
_LARGEST_NUMBER = 1 << 63
_PATTERN_BYTES = 1 << 20


def compiled(pattern: str) -> "re2._Regexp[str]":
    """The regular expression (RE2's syntax: matching takes time linear in the text, whatever is written).

    Raises ``ValueError`` for one that is wrong, or too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError("value is no regular expression that RE2 reads (no look-around, no \\1)") from None


class Filter(Record):
    """One condition (Rule: filters): ``key`` is a fact of the call or a tag, ``tag:KEY`` only a tag.

    ``in`` takes ``values``, ``exists`` and ``not_exists`` take none, the others take ``value``.
    """

    key: FilterKey
    op: Operator
    value: FilterValue | int | float | bool | None = None
    values: Annotated[tuple[FilterValue, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.op == "in") != bool(self.values):
            raise ValueError("values belong to the operator 'in', and it needs some")
        if (self.op in ("in", "exists", "not_exists")) != (self.value is None):
            raise ValueError("value belongs to every operator but 'in', 'exists' and 'not_exists'")
        # NaN fits no comparison.
        if isinstance(self.value, int | float) and not abs(self.value) <= _LARGEST_NUMBER:
            raise ValueError("a number to compare with lies within 2^63; write a longer one as a text")
        if self.op == "regex":
            if not isinstance(self.value, str) or len(self.value) > _PATTERN_CHARACTERS:
                raise ValueError(f"a regular expression is a text of {_PATTERN_CHARACTERS} characters")
            compiled(self.value)
        return self


Filters = Annotated[tuple[Filter, ...], Field(max_length=50)]
