"""What a document would change here: judged whole, by the rules of single edits, and without an effect.

Everything that is new, changed or gone is put into one future snapshot, and each changed object is
checked among the others as they will be.  So objects of a document may name each other in any order,
and a circle that only the whole document closes is found.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from edge.ids import new_id
from edge.model.config import Campaign, Number, Prompt
from edge.model.kinds import Kind, Object
from edge.model.secrets import HIDDEN, put_secrets, secret_places, secrets_of
from edge.model.trunk import TrunkSpec, written_fields
from edge.routing.everything import everything
from edge.routing.snapshot import Snapshot
from edge.services.configuration import validated
from edge.services.differences import Difference, differences
from edge.services.errors import FieldError, Invalid
from edge.services.rules import CapOwner, check, filled, refuse_leaving, zone_lost
from edge.services.setup.document import (
    SECTIONS,
    SETUP_SPECS,
    Breathe,
    Plain,
    belongs,
    plain,
    section_of,
)
from edge.services.setup.outcome import Change, Place, Plan, Wanted
from edge.services.setup.portions import let_go
from edge.store.bodies import SHAPES, name_of, references
from edge.store.edits import Edit
from edge.store.errors import Reference

MAX_ERRORS = 100
KIND_OF: Mapping[type[Any], Kind] = {shape.model: kind for kind, shape in SHAPES.items()}
_OFTEN = 4
_NEW_CAP = re.compile(r"cap_[A-Za-z0-9_]{1,60}")
Audio = Callable[[str], Mapping[str, Any] | None]


def plan(wanted: Wanted, snapshot: Snapshot, now: datetime, audio: Audio, breathe: Breathe) -> Plan:
    """Raises Invalid with every mistake of the document, 100 at most; empties the document.

    ``audio`` tells the length and codecs of the audio of a hash that is here, else None.
    """
    return _Planner(wanted, snapshot, now, audio, breathe).plan()


class _Refused(Exception):
    """This object is wrong; the errors are noted."""


class _Planner:
    def __init__(
        self, wanted: Wanted, snapshot: Snapshot, now: datetime, audio: Audio, breathe: Breathe
    ) -> None:
        self._wanted = wanted
        self._snapshot = snapshot
        self._now = now
        self._audio = audio
        self._breathe = breathe
        self._errors: list[FieldError] = []
        self._here: dict[Kind, dict[str, Object]] = {kind: {} for kind in SHAPES}
        for item in self._slowly(everything(snapshot)):
            self._here[KIND_OF[type(item)]][item.id] = item
        self._named: dict[Place, str] = {}
        self._edits: list[Edit] = []

    def plan(self) -> Plan:
        """Objects by themselves, then among each other."""
        by_external = self._external_ids()
        for section, items in self._wanted.document.sections.items():
            kind = next(k for k in SHAPES if section_of(k) == section)
            for index, given in enumerate(self._slowly(items)):
                self._read(kind, f"{section}[{index}]", given, by_external)
            # What is read is let go here, and not at once by whoever holds the document.
            let_go(items, self._breathe)
        self._raise()
        left = self._remove()
        self._edits = self._sorted()
        removed = [edit.item.id for edit in self._edits if edit.after is None]
        puts = [edit.after for edit in self._edits if edit.after is not None]
        after = self._snapshot.with_changes(puts, removed)
        self._judge(after)
        self._raise()
        changes = tuple(_change(edit) for edit in self._slowly(self._edits))
        let_go(self._named, self._breathe)
        return Plan(tuple(self._edits), changes, after, left)

    # -- one object -----------------------------------------------------------------------------------

    def _read(self, kind: Kind, where: str, given: Any, by_external: Mapping[tuple[Kind, str], str]) -> None:
        try:
            object_id = self._identify(kind, where, given, by_external)
            before = self._here[kind].get(object_id)
            body = {"id": object_id, **given}
            if before is not None and belongs(before) and body == plain(kind, before):
                return
            after = self._made(kind, where, object_id, before, body)
            if after != before:
                self._edits.append(Edit(kind, before, after))
        except Invalid as error:
            for each in error.errors:
                self._fault(f"{where}.{each.path}" if each.path else where, each.message)
        except _Refused:
            pass

    def _identify(
        self, kind: Kind, where: str, given: Any, by_external: Mapping[tuple[Kind, str], str]
    ) -> str:
        """The id of what a document's entry means: its own, else by its digits or external id."""
        if not isinstance(given, dict):
            raise self._refusal(where, "must be an object")
        prefix = SHAPES[kind].prefix
        found = given.get("id")
        if found is None:
            found = self._known_as(kind, given, by_external)
        if not isinstance(found, str) or not re.fullmatch(rf"{prefix}_[A-Za-z0-9_]{{1,60}}", found):
            remedy = f"choose one for a new object, such as {prefix}_spring, and keep it"
            raise self._refusal(
                f"{where}.id", f"is required: letters, digits and _ after {prefix}_; {remedy}"
            )
        first = self._named.setdefault((kind, found), where)
        if first != where:
            raise self._refusal(f"{where}.id", f"stands at {first} already")
        return found

    def _known_as(self, kind: Kind, given: Plain, by_external: Mapping[tuple[Kind, str], str]) -> str | None:
        digits, external_id = given.get("e164"), given.get("external_id")
        if isinstance(digits, str):
            number = self._snapshot.number(digits)
            return number.id if number is not None else new_id(SHAPES[kind].prefix)
        if isinstance(external_id, str):
            return by_external.get((kind, external_id)) or new_id(SHAPES[kind].prefix)
        return None

    def _made(self, kind: Kind, where: str, object_id: str, before: Object | None, body: Plain) -> Object:
        if before is not None and not belongs(before):
            why = "comes with the product" if isinstance(before, Prompt) else "is released; restore it first"
            raise self._refusal(f"{where}.id", f"this {kind} {why}, and can not be written here")
        fields = {name: value for name, value in body.items() if name != "id"}
        self._fill_secrets(kind, where, object_id, before, fields)
        spec = validated(SETUP_SPECS[kind], fields)
        said = {name: getattr(spec, name) for name in type(spec).model_fields}
        said |= self._heard(kind, before, said)
        if isinstance(before, Number):
            refuse_leaving(before, said["pool_id"])
        if isinstance(spec, TrunkSpec) and "overrides" not in fields:
            said["overrides"] = written_fields(spec)
        caps = tuple(cap for cap in said.get("caps", ()) if cap.id is not None)
        if before is not None:
            changed = filled(before.model_copy(update=said), before, caps)
            if changed == before:
                return before
            return changed.model_copy(update={"version": before.version + 1, "updated_at": self._now})
        common = {"id": object_id, "version": 1, "created_at": self._now, "updated_at": self._now}
        return filled(SHAPES[kind].model.model_validate({**said, **common}), None, caps)

    def _heard(self, kind: Kind, before: Object | None, said: Plain) -> Mapping[str, Any]:
        """What is known of a prompt's audio."""
        if kind != "prompt" or (isinstance(before, Prompt) and before.sha256 == said["sha256"]):
            return {}
        facts = self._audio(said["sha256"])
        if facts is None:
            remedy = "upload that file as a prompt (POST /prompts), or copy the old server's prompts/ here"
            raise Invalid([FieldError("sha256", f"no audio of this hash is here; {remedy}, and apply again")])
        return facts

    def _fill_secrets(
        self, kind: Kind, where: str, object_id: str, before: Object | None, fields: Plain
    ) -> None:
        """Puts the secrets that are set here where the document only says that they are."""
        here = {**self._wanted.secrets.get((kind, object_id), {})}
        here |= {} if before is None else secrets_of(before)
        missing: list[str] = []

        def known(place: str, value: Any) -> Any:
            if value != HIDDEN:
                return value
            if place not in here:
                missing.append(place)
            return here.get(place)

        put_secrets(fields, secret_places(SETUP_SPECS[kind]), known)
        for place in missing:
            remedy = 'give it as {"env": NAME} or {"file": PATH} to edge apply'
            self._fault(f"{where}.{place}", f"is not set on this server; {remedy}")
        if missing:
            raise _Refused

    # -- all of them ----------------------------------------------------------------------------------

    def _remove(self) -> int:
        """Notes what goes; answers how many objects stay without being named."""
        left = 0
        for kind, items in self._here.items():
            for item in self._slowly(items.values()):
                if (kind, item.id) in self._named or not belongs(item):
                    continue
                if kind != "number" and (self._wanted.prune or (kind, item.id) in self._wanted.remove):
                    self._edits.append(Edit(kind, item, None))
                else:
                    left += 1
        return left

    def _judge(self, after: Snapshot) -> None:
        """The rules of single edits, for each object among the others as they will be."""
        gone = {(edit.kind, edit.item.id) for edit in self._edits if edit.after is None}
        coming = {(edit.kind, edit.item.id) for edit in self._edits if edit.after is not None}
        caps: dict[str, str] = {}
        changed = {object_id for _, object_id in gone | coming}
        for edit in self._slowly(self._edits):
            if edit.after is None:
                continue
            where = self._named[edit.kind, edit.item.id]
            for error in self._against_others(edit, edit.after, after, gone, coming):
                self._fault(f"{where}.{error.path}" if error.path else where, error.message)
            self._own_caps(edit.after, where, caps, changed)
        self._unique(gone)
        if gone:
            self._still_named(gone, coming)
        for held in (gone, coming, changed, caps):
            let_go(held, self._breathe)

    def _against_others(
        self, edit: Edit, item: Object, after: Snapshot, gone: set[Place], coming: set[Place]
    ) -> Iterator[FieldError]:
        for reference in references(item):
            place = _place(reference)
            there = place in coming or (reference.id in self._here[place[0]] and place not in gone)
            if not there:
                yield FieldError(reference.path, f"there is no {reference.kind} with the id {reference.id!r}")
        if isinstance(item, Campaign) and isinstance(edit.before, Campaign):
            yield from zone_lost(edit.before, item, after)
        try:
            check(item, after)
        except Invalid as error:
            yield from error.errors

    def _own_caps(self, item: Object, where: str, seen: dict[str, str], changed: set[str]) -> None:
        if not isinstance(item, CapOwner):
            return
        for index, cap in enumerate(item.caps):
            cap_id = cap.id or ""
            owner = self._snapshot.cap_owner(cap_id)
            others = owner not in (None, item.id) and owner not in changed
            if others or seen.setdefault(cap_id, where) != where or not _NEW_CAP.fullmatch(cap_id):
                why = "another object has a cap of this id, or it is none; leave it out for a new cap"
                self._fault(f"{where}.caps[{index}].id", why)

    def _unique(self, gone: set[Place]) -> None:
        """Digits and external ids that another object has, or will have."""
        taken: dict[tuple[Kind, str, str], str] = {}
        changed = {(edit.kind, edit.item.id): edit for edit in self._edits}
        for kind, items in self._here.items():
            for item in self._slowly(items.values()):
                if (kind, item.id) not in changed:
                    taken.update((key, item.id) for key in _unique_keys(kind, item))
        for edit in self._slowly(self._edits):
            for key in _unique_keys(edit.kind, edit.after) if edit.after is not None else ():
                other = taken.setdefault(key, edit.item.id)
                if other != edit.item.id:
                    where = self._named[edit.kind, edit.item.id]
                    self._fault(f"{where}.{key[1]}", f"{edit.kind} {other} has this {key[1]} already")
        let_go(changed, self._breathe)
        let_go(taken, self._breathe)

    def _still_named(self, gone: set[Place], coming: set[Place]) -> None:
        """What would go although something that stays names it."""
        for kind, items in self._here.items():
            for item in self._slowly(items.values()):
                if (kind, item.id) in gone or (kind, item.id) in coming:
                    continue
                for reference in references(item):
                    if _place(reference) in gone:
                        what = f"{reference.kind} {reference.id}"
                        user = f"{kind} {item.id} ({reference.path})"
                        self._fault("", f"{what} can not go: {user} names it; change or remove that too")

    def _external_ids(self) -> dict[tuple[Kind, str], str]:
        return {
            (kind, item.external_id): item.id
            for kind, items in self._here.items()
            for item in self._slowly(items.values())
            if item.external_id is not None
        }

    # -- errors and turns -----------------------------------------------------------------------------

    def _fault(self, path: str, message: str) -> None:
        self._errors.append(FieldError(path, message))
        if len(self._errors) >= MAX_ERRORS:
            self._raise()

    def _refusal(self, path: str, message: str) -> _Refused:
        self._fault(path, message)
        return _Refused()

    def _raise(self) -> None:
        if self._errors:
            errors, self._errors = self._errors, []
            raise Invalid(errors)

    def _slowly(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, with a pause every now and then."""
        for at, item in enumerate(items):
            if at % _OFTEN == 0:
                self._breathe()
            yield item

    def _sorted(self) -> list[Edit]:
        """As a document lists them; not sorted in one go, which no thread could come between."""
        found: dict[tuple[bool, int], list[Edit]] = {}
        for edit in self._slowly(self._edits):
            found.setdefault(_order(edit), []).append(edit)
        return [edit for order in sorted(found) for edit in found[order]]


def _order(edit: Edit) -> tuple[bool, int]:
    """As a document lists them, what goes after what comes."""
    return edit.after is None, list(SECTIONS.values()).index(edit.kind)


def _unique_keys(kind: Kind, item: Object) -> Sequence[tuple[Kind, str, str]]:
    found = [(kind, "external_id", item.external_id)] if item.external_id is not None else []
    return [*found, (kind, "e164", item.e164)] if isinstance(item, Number) else found


def _place(reference: Reference) -> Place:
    return next(kind for kind in SHAPES if kind == reference.kind), reference.id


def _change(edit: Edit) -> Change:
    fields: list[Difference] = []
    if edit.before is not None and edit.after is not None:
        fields += differences(plain(edit.kind, edit.before), plain(edit.kind, edit.after))
        had, has = secrets_of(edit.before), secrets_of(edit.after)
        fields += [Difference(p, HIDDEN, HIDDEN) for p in had if p in has and had[p] != has[p]]
    return Change(edit.action, edit.kind, edit.item.id, name_of(edit.item), tuple(fields))
