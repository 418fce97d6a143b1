"""Callers by what is known of them: the lists they are on, and the calls they have made before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from edge.model.base import Record, Stored
from edge.model.types import ExternalId, Name, Reference

Days = Annotated[int, Field(ge=1, le=3650)]
ListIds = Annotated[tuple[Reference, ...], Field(max_length=20)]
After = Literal["connected", "converted"]


class CallerListSpec(Record):
    """A list of callers; its numbers are written by a path of their own (Rule: caller lists)."""

    name: Name
    external_id: ExternalId | None = None


class CallerList(Stored, CallerListSpec):
    """A stored list of callers."""


class Duplicates(Record):
    """No second call of a caller within ``days`` of one that was ``after`` connected to, or converted
    with, this target (``scope`` ``target``) or any target of its buyer (Rule: duplicates)."""

    scope: Literal["target", "buyer"] = "target"
    after: After = "connected"
    days: Days = 30


class DuplicateRouting(Record):
    """Where a caller goes who was connected (or converted) within ``days`` before, on the same campaign."""

    handling: Literal["normal", "to_original", "away_from_original"] = "normal"
    after: After = "connected"
    days: Days = 30


class CallersWanted(Record):
    """Whose calls a target takes: none of ``suppression_list_ids``, only those of ``book_list_ids`` if it
    names any, and no ``duplicates``."""

    suppression_list_ids: ListIds = ()
    book_list_ids: ListIds = ()
    duplicates: Duplicates | None = None


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call of the same caller that is over; ``target_id`` and ``buyer_id`` are who took it."""

    number_id: str | None
    campaign_id: str | None
    target_id: str | None
    buyer_id: str | None
    at: datetime
    converted: bool = False


@dataclass(frozen=True, slots=True)
class CallerPast:
    """What is known of a caller: the ids of the lists it is on, its calls, newest first.

    ``readable`` is False when the store could not be asked: nobody knows then who is on a list.
    """

    lists: frozenset[str] = frozenset()
    calls: tuple[PastCall, ...] = ()
    readable: bool = True


NO_PAST = CallerPast()
