"""What is asked of a set-up, and what that comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from edge.model.kinds import Kind
from edge.routing.snapshot import Snapshot
from edge.services.differences import Difference
from edge.services.setup.document import Document
from edge.store.edits import Edit

Place = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one object, field by field (none for one that is new or goes)."""

    action: str
    kind: Kind
    id: str
    name: str
    fields: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits, what they come to in words, the snapshot after them, and how many objects that the
    document does not name are ``left`` as they are."""

    edits: tuple[Edit, ...]
    changes: tuple[Change, ...]
    after: Snapshot
    left: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document and what is meant with it.

    ``prune``: what it does not name goes, numbers excepted.  ``remove``: these go.  ``secrets``:
    those of objects that come back, by their place and path.
    """

    document: Document
    prune: bool = False
    remove: frozenset[Place] = frozenset()
    secrets: Mapping[Place, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done, or would be (``applied`` false): the set-up's version and base after it."""

    applied: bool
    version: int
    base: str
    changes: tuple[Change, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Version:
    """One edit of the set-up: its number, when and by whom, and how many objects it changed."""

    version: int
    at: datetime
    by: str
    changes: int
