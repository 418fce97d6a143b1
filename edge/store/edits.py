"""Edits of the configuration: any number of objects in one transaction, with their audit."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from edge.model.kinds import Kind, Object
from edge.model.secrets import hidden, secrets_of
from edge.store.audit import Entry, Note, row_of
from edge.store.bodies import COMMON, SHAPES, name_of, references, to_row
from edge.store.breath import Breath
from edge.store.errors import Dangling, InUse, Missing, Outdated, Reference
from edge.store.tables import audit, meta, tokens
from edge.store.tables import object_references as links

# Ids in one statement: SQLite takes 32,766 parameters at most.
_PORTION = 500
VERSION = "configuration_version"
_MOST_USERS = 20
_OFTEN = 10
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of one object: ``before`` None, it is new; ``after`` None, it goes.

    ``action`` is the audit's word for it: create, change or delete unless said otherwise.
    """

    kind: Kind
    before: Object | None
    after: Object | None
    action: str = ""

    def __post_init__(self) -> None:
        if not self.action:
            usual = "create" if self.before is None else "delete" if self.after is None else "change"
            object.__setattr__(self, "action", usual)

    @property
    def item(self) -> Object:
        """The object, after the edit if it is still there."""
        found = self.after or self.before
        assert found is not None
        return found


class Batch:
    """Edits made ready to be written: what takes time is done before the database is locked."""

    def __init__(self, edits: Sequence[Edit], note: Note, expected: int | None) -> None:
        self._edits = edits
        self._expected = expected
        self._rows: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in SHAPES}
        self._links: list[dict[str, Any]] = []
        self._audit: list[dict[str, Any]] = []
        breathe = self._breathe = Breath()
        for at, edit in enumerate(edits):
            if at % _OFTEN == 0:
                # Made in a thread: the loop takes its turn.
                breathe()
            if edit.after is not None:
                self._rows[edit.kind].append(to_row(edit.kind, edit.after))
                self._links += _links(edit.kind, edit.after)
            self._audit.append(_audited(edit, note))

    def write(self, connection: sa.Connection) -> int:
        """Writes all or raises Missing, Outdated, Dangling or InUse; answers the new version.

        Whatever an object refers to may come with the same batch, in any order.
        """
        version = _grown(connection, self._expected)
        for kind in SHAPES:
            self._replace(connection, kind)
        _insert(connection, links, self._links)
        for row in self._audit:
            row["version"] = version
        _insert(connection, audit, self._audit)
        _refuse_dangling(connection, self._links)
        _refuse_used(connection, [(e.kind, e.item.id) for e in self._edits if e.after is None])
        return version

    def let_go(self) -> None:
        """Forgets the rows bit by bit: a hundred thousand that go at once stop every thread meanwhile."""
        for rows in (*self._rows.values(), self._links, self._audit):
            while rows:
                del rows[-_OFTEN:]
                self._breathe()

    def _replace(self, connection: sa.Connection, kind: Kind) -> None:
        """The old rows go first: what is unique may move from one object to another."""
        table = SHAPES[kind].table
        old = {e.before.id: e.before.version for e in self._edits if e.kind == kind and e.before is not None}
        for ids in portions(old):
            found = connection.execute(sa.select(table.c.id, table.c.version).where(table.c.id.in_(ids)))
            _expect({row.id: row.version for row in found}, {each: old[each] for each in ids})
            connection.execute(table.delete().where(table.c.id.in_(ids)))
            connection.execute(links.delete().where(links.c.from_kind == kind, links.c.from_id.in_(ids)))
        _insert(connection, table, self._rows[kind])


def _audited(edit: Edit, note: Note) -> dict[str, Any]:
    """The audit's row, with the secrets that the edit takes away."""
    before, after = edit.before, edit.after
    entry = Entry(edit.action, edit.kind, edit.item.id, name_of(edit.item), _shown(before), _shown(after))
    left = {} if after is None else secrets_of(after)
    had = {} if before is None else secrets_of(before)
    return row_of(note, entry, secrets={path: value for path, value in had.items() if path not in left})


def _shown(item: Object | None) -> dict[str, Any] | None:
    return None if item is None else hidden(item, item.model_dump(mode="json", exclude=set(COMMON)))


def _links(kind: Kind, item: Object) -> list[dict[str, Any]]:
    return [
        {"from_kind": kind, "from_id": item.id, "path": r.path, "to_kind": r.kind, "to_id": r.id}
        for r in references(item)
    ]


def _grown(connection: sa.Connection, expected: int | None) -> int:
    """The configuration's next version; raises Outdated when the present one is not as expected."""
    found = connection.scalar(sa.select(meta.c.value).where(meta.c.key == VERSION))
    now = 1 if found is None else int(found)
    if expected is not None and now != expected:
        raise Outdated(now)
    if found is None:
        connection.execute(meta.insert().values(key=VERSION, value=str(now + 1)))
    else:
        connection.execute(meta.update().where(meta.c.key == VERSION).values(value=str(now + 1)))
    return now + 1


def _expect(found: dict[str, int], wanted: dict[str, int]) -> None:
    for object_id, version in wanted.items():
        if object_id not in found:
            raise Missing
        if found[object_id] != version:
            raise Outdated(found[object_id])


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    for some in portions(rows):
        connection.execute(table.insert(), some)


def _refuse_dangling(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    wanted: dict[Kind, set[str]] = {}
    for row in rows:
        wanted.setdefault(row["to_kind"], set()).add(row["to_id"])
    there: set[tuple[str, str]] = set()
    for kind, ids in wanted.items():
        table = SHAPES[kind].table
        for some in portions(ids):
            found = connection.execute(sa.select(table.c.id).where(table.c.id.in_(some)))
            there.update((kind, object_id) for object_id in found.scalars())
    missing = [row for row in rows if (row["to_kind"], row["to_id"]) not in there]
    if missing:
        raise Dangling([Reference(row["path"], row["to_kind"], row["to_id"]) for row in missing])


def _refuse_used(connection: sa.Connection, gone: Sequence[tuple[Kind, str]]) -> None:
    for kind, object_id in gone:
        users = connection.execute(
            sa.select(links.c.path, links.c.from_kind, links.c.from_id)
            .where(links.c.to_kind == kind, links.c.to_id == object_id)
            .limit(_MOST_USERS)
        )
        found = [Reference(*row) for row in users.all()]
        if kind in ("publisher", "buyer"):
            owned = sa.select(tokens.c.id).where(tokens.c[f"{kind}_id"] == object_id).limit(_MOST_USERS)
            found += [Reference(f"{kind}_id", "token", each) for each in connection.scalars(owned)]
        if found:
            raise InUse(found)


def portions(items: Iterable[T]) -> Iterator[list[T]]:
    """The items, 500 at a time."""
    rest = iter(items)
    while some := list(itertools.islice(rest, _PORTION)):
        yield some
