"""Pages of a list: the words in which the API asks for one and is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One page wanted: ``filters`` by field name (texts, already validated), ``sort`` a field name
    with an optional leading ``-`` for descending, ``cursor`` as answered by the page before,
    ``limit`` 1 to 500."""

    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str | None = None
    cursor: str | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """The items of one page and the cursor of the next, None on the last."""

    items: Sequence[T_co]
    next_cursor: str | None = None
