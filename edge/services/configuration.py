"""Configuration: reads and edits; every edit takes effect on the next call."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from edge.clock import Clock
from edge.ids import new_id
from edge.logs import get_logger
from edge.model.action import Action
from edge.model.base import Record, Stored
from edge.model.block import Block, BlockSpec
from edge.model.buyer import Buyer, BuyerSpec, Group, GroupSpec
from edge.model.calendars import HolidayCalendar, HolidayCalendarSpec
from edge.model.callers import CallerList, CallerListSpec
from edge.model.config import (
    Campaign,
    CampaignSpec,
    Number,
    NumberSpec,
    Prompt,
    Target,
    TargetSpec,
    Trunk,
    TrunkSpec,
)
from edge.model.instants import from_text, to_text
from edge.model.kinds import Kind, Object, Spec
from edge.model.pool import CallTrackingTag, Pool, PoolSpec, TagSpec
from edge.model.publishers import Publisher, PublisherSpec
from edge.model.secrets import in_clear, without_kept
from edge.model.trunk import rewritten_fields, written_fields
from edge.model.types import ExternalId, Name
from edge.routing.presets import NO_PRESETS, Presets
from edge.routing.snapshot import Snapshot
from edge.services.errors import Conflict, Invalid, Stale, field_errors
from edge.services.guard import translated
from edge.services.identity import acting
from edge.services.listing import ListQuery, Page
from edge.services.merge import merge_patch
from edge.services.rules import check, filled, folded, reset_for_patch
from edge.store.audit import Note
from edge.store.bodies import SHAPES
from edge.store.edits import Edit
from edge.store.owners import EVERYWHERE, Within
from edge.store.repository import Objects

T = TypeVar("T")
O = TypeVar("O", bound=Stored)  # noqa: E741


class PromptSpec(Record):
    """What may be written of a prompt after its upload."""

    name: Name
    external_id: ExternalId | None = None


SPECS: dict[Kind, type[BaseModel]] = {
    "trunk": TrunkSpec,
    "number": NumberSpec,
    "campaign": CampaignSpec,
    "target": TargetSpec,
    "buyer": BuyerSpec,
    "group": GroupSpec,
    "prompt": PromptSpec,
    "publisher": PublisherSpec,
    "block": BlockSpec,
    "pool": PoolSpec,
    "call_tracking_tag": TagSpec,
    "calendar": HolidayCalendarSpec,
    "caller_list": CallerListSpec,
}
log = get_logger()


class ConfigurationService:
    """An async context manager: loads the snapshot on entering, ends running edits on leaving.

    Raises the errors of ``edge.services.errors``.  Each of ``on_change`` is called on the loop after each
    edit.
    """

    def __init__(
        self, objects: Objects, clock: Clock, failsafe: Action | None = None, presets: Presets = NO_PRESETS
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._failsafe = failsafe
        self.current = Snapshot.build(failsafe=failsafe, presets=presets)
        self._one_edit = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self.on_change: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        with translated():
            version = await self._objects.version()
            self.current = Snapshot.build(
                await self._all(Trunk, "trunk"),
                await self._all(Number, "number"),
                await self._all(Campaign, "campaign"),
                await self._all(Target, "target"),
                await self._all(Prompt, "prompt"),
                await self._all(Publisher, "publisher"),
                buyers=await self._all(Buyer, "buyer"),
                blocks=await self._all(Block, "block"),
                groups=await self._all(Group, "group"),
                pools=await self._all(Pool, "pool"),
                tags=await self._all(CallTrackingTag, "call_tracking_tag"),
                kept=[
                    *await self._all(HolidayCalendar, "calendar"),
                    *await self._all(CallerList, "caller_list"),
                ],
                failsafe=self._failsafe,
                presets=self.current.presets,
                version=version,
            )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.gather(*self._running, return_exceptions=True)

    async def list(self, kind: Kind, query: ListQuery, within: Within = EVERYWHERE) -> Page[Stored]:
        """A page of the objects of a kind, newest first unless sorted otherwise."""
        with translated(kind):
            items, cursor = await self._objects.list(
                kind, query.filters, query.sort, query.cursor, query.limit, within
            )
        return Page(items, cursor)

    async def get(self, kind: Kind, object_id: str, within: Within = EVERYWHERE) -> Stored:
        """One object."""
        with translated(kind):
            return await self._objects.get(kind, object_id, within)

    async def create(self, kind: Kind, spec: Spec) -> Stored:
        """A new object, stored and in the next snapshot."""
        return await self._alone(self._insert(kind, self._new(kind, _fields(spec))))

    async def create_many(self, kind: Kind, specs: Sequence[Spec]) -> Sequence[Stored]:
        """New objects in one transaction: all of them, or none."""
        items = [self._new(kind, {n: getattr(spec, n) for n in type(spec).model_fields}) for spec in specs]
        return await self._alone(self._insert_many(kind, items))

    def spec_of(self, kind: Kind, fields: Mapping[str, Any]) -> Any:
        """What may be written of a kind, from JSON-ready fields; raises Invalid."""
        return validated(SPECS[kind], fields)

    def rehearse(self, kind: Kind, spec: Spec) -> Stored:
        """The object that ``create`` would make, as far as can be judged without storing it."""
        item = self._new(kind, _fields(spec))
        check(item, self.current)
        return item

    def rehearse_patch(self, kind: Kind, before: Object, changes: Mapping[str, Any]) -> Stored:
        """The object that ``patch`` would make, as far as can be judged without storing it."""
        after = self._patched(kind, before, changes)
        check(after, self.current)
        return after

    async def add_prompt(self, fields: Mapping[str, Any]) -> Prompt:
        """A new prompt; its audio is stored already.  ``fields`` are those of ``Prompt``."""
        item = self._new("prompt", fields)
        assert isinstance(item, Prompt)
        await self._alone(self._insert("prompt", item))
        return item

    async def put_built_in(self, prompt_id: str, fields: Mapping[str, Any]) -> None:
        """Stores a prompt that comes with the product, or its newer version, under a fixed id."""
        await self._alone(self._put_built_in(prompt_id, fields))

    async def patch(
        self, kind: Kind, object_id: str, changes: Mapping[str, Any], expected_version: int | None
    ) -> Stored:
        """A JSON merge patch over what may be written; ``{"set": true}`` leaves a secret as it is."""
        return await self._alone(self._patch(kind, object_id, changes, expected_version))

    async def amend(
        self,
        kind: Kind,
        object_id: str,
        edit: Callable[[Any], Any],
        expected_version: int | None,
        action: str = "change",
    ) -> Stored:
        """Replaces an object by what ``edit`` makes of it; for what a merge patch can not write.

        ``action`` is the audit's word for it.
        """
        return await self._alone(self._amend(kind, object_id, edit, expected_version, action))

    async def replace(self, edits: Sequence[Edit], basis: Snapshot, after: Snapshot) -> None:
        """Many edits as one: all are stored and ``after`` is published, or nothing changes.

        Raises Stale when the configuration is not ``basis`` any more.
        """
        await self._alone(self._replace(edits, basis, after))

    async def delete(self, kind: Kind, object_id: str, expected_version: int | None) -> None:
        """Removes an object that no other names."""
        await self._alone(self._delete(kind, object_id, expected_version))

    def _new(self, kind: Kind, fields: Mapping[str, Any]) -> Object:
        now = self.now()
        shape = SHAPES[kind]
        common = {"id": new_id(shape.prefix), "version": 1, "created_at": now, "updated_at": now}
        return filled(shape.model.model_validate({**fields, **common}), None)

    def now(self) -> datetime:
        """To the millisecond, as it is stored: what is answered equals what is read back."""
        return from_text(to_text(self._clock.utc()))

    async def _insert(self, kind: Kind, item: Object) -> Object:
        check(item, self.current)
        await self._commit(Edit(kind, None, item))
        return item

    async def _insert_many(self, kind: Kind, items: Sequence[Object]) -> Sequence[Object]:
        for item in items:
            check(item, self.current)
        made = self.current.with_changes(items)
        with translated(kind):
            note = Note(acting(), self.now())
            await self._objects.commit([Edit(kind, None, item) for item in items], note)
        self._publish(made)
        log.info("configuration changed", kind=kind, count=len(items), action="create", by=acting())
        return items

    async def _patch(
        self, kind: Kind, object_id: str, changes: Mapping[str, Any], expected: int | None
    ) -> Object:
        def merged(before: Object) -> Object:
            return self._patched(kind, before, changes)

        return await self._amend(kind, object_id, merged, expected, "change")

    async def _amend(
        self, kind: Kind, object_id: str, edit: Callable[[Object], Object], expected: int | None, action: str
    ) -> Object:
        with translated(kind):
            before = await self._objects.get(kind, object_id)
        if expected is not None and before.version != expected:
            raise Stale(before.version)
        after = edit(before)
        if after == before:
            return before
        check(after, self.current)
        after = after.model_copy(update={"version": before.version + 1, "updated_at": self.now()})
        await self._commit(Edit(kind, before, after, action))
        return after

    def _patched(self, kind: Kind, before: Object, changes: Mapping[str, Any]) -> Object:
        spec_model = SPECS[kind]
        kept = without_kept(folded(changes) if isinstance(before, Number) else dict(changes))
        merged = merge_patch(_written(before, spec_model), kept)
        if isinstance(before, Number):
            reset_for_patch(before, merged, kept)
        spec = validated(spec_model, merged)
        fields = {name: getattr(spec, name) for name in spec_model.model_fields}
        if isinstance(before, Trunk):
            fields["overrides"] = rewritten_fields(before.overrides, changes)
        return filled(before.model_copy(update=fields), before)

    async def _put_built_in(self, prompt_id: str, fields: Mapping[str, Any]) -> None:
        known = self.current.prompt(prompt_id)
        item = self._new("prompt", fields).model_copy(update={"id": prompt_id})
        if known is not None:
            newer = {"version": known.version + 1, "created_at": known.created_at}
            item = item.model_copy(update=newer)
        await self._commit(Edit("prompt", known, item))

    async def _delete(self, kind: Kind, object_id: str, expected: int | None) -> None:
        with translated(kind):
            found = await self._objects.get(kind, object_id)
            if isinstance(found, Prompt) and found.built_in:
                raise Conflict("this prompt comes with the product and can not be deleted")
        if expected is not None and found.version != expected:
            raise Stale(found.version)
        await self._commit(Edit(kind, found, None))

    async def _commit(self, edit: Edit) -> None:
        """Stores one edit and its audit, then publishes it.

        The snapshot is made before: what can not be made ready is never stored, for no start could read it.
        """
        put, removed = ([], [edit.item.id]) if edit.after is None else ([edit.after], [])
        made = self.current.with_changes(put, removed)
        with translated(edit.kind):
            await self._objects.commit([edit], Note(acting(), self.now()))
        self._publish(made)
        log.info("configuration changed", kind=edit.kind, id=edit.item.id, action=edit.action, by=acting())

    async def _replace(self, edits: Sequence[Edit], basis: Snapshot, after: Snapshot) -> None:
        if self.current is not basis:
            raise Stale(self.current.version)
        with translated():
            await self._objects.commit(edits, Note(acting(), self.now()), basis.version)
        self._publish(after)
        log.info("configuration replaced", edits=len(edits), version=after.version, by=acting())

    def _publish(self, after: Snapshot) -> None:
        self.current = after
        for changed in self.on_change:
            changed()

    async def _alone(self, edit: Coroutine[Any, Any, T]) -> T:
        """One edit at a time, each to its end: an edit that is stored is always published too."""

        async def run() -> T:
            async with self._one_edit:
                return await edit

        task = asyncio.create_task(run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _all(self, model: type[O], kind: Kind) -> Iterable[O]:
        return [item for item in await self._objects.all(kind) if isinstance(item, model)]


def _fields(spec: Spec) -> dict[str, Any]:
    """The fields of a new object."""
    fields = {name: getattr(spec, name) for name in type(spec).model_fields}
    return {**fields, "overrides": written_fields(spec)} if isinstance(spec, TrunkSpec) else fields


def validated(model: type[BaseModel], fields: Mapping[str, Any]) -> BaseModel:
    """JSON-ready fields as a record; raises Invalid with the path of each wrong one."""
    try:
        return model.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        raise Invalid(field_errors(error)) from None


def _written(item: Object, spec: type[BaseModel]) -> dict[str, Any]:
    """What was written of an object, as JSON, secrets in clear: a patch is merged into it."""
    return in_clear(item, item.model_dump(mode="json", include=set(spec.model_fields)))
