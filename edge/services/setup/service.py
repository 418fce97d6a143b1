"""The whole set-up: exported, compared, applied as one edit, and taken back to an earlier version.

What takes time runs in a thread that pauses every millisecond or so: calls do not wait for it.
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from edge.model.config import Prompt
from edge.model.kinds import Kind
from edge.routing.everything import everything
from edge.routing.snapshot import Snapshot
from edge.services.configuration import ConfigurationService
from edge.services.errors import NotFound, Stale, StaleBase
from edge.services.guard import translated
from edge.services.listing import ListQuery, Page
from edge.services.prompts import PromptService
from edge.services.setup.document import SECTIONS, Document, Written, read, section_of, trimmed
from edge.services.setup.outcome import Outcome, Place, Plan, Version, Wanted
from edge.services.setup.plan import KIND_OF, plan
from edge.services.setup.portions import let_go
from edge.store.breath import Breath
from edge.store.history import History, Past

_TRIES = 3
T = TypeVar("T")


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No collection meanwhile: hundreds of thousands of new objects would be walked in one go, and the
    loop with them.  What is left of them stays, and is not walked later either."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class SetupService:
    """Raises ``Invalid`` (every mistake with its path), ``StaleBase``, ``NotFound`` and ``StoreDown``."""

    def __init__(self, configuration: ConfigurationService, prompts: PromptService, history: History) -> None:
        self._configuration = configuration
        self._prompts = prompts
        self._history = history
        self._breathe = Breath()
        # One document at a time: two would take each other's core and memory.
        self._one_at_a_time = asyncio.Lock()
        self._known_base: tuple[Snapshot, str, bool] | None = None

    async def export(self) -> tuple[list[bytes], str]:
        """The document as JSON, in pieces, and its base."""
        async with self._one_at_a_time:
            snapshot = self._configuration.current
            with _uncollected():
                written = await asyncio.to_thread(_written, snapshot, self._breathe)
                self._known_base = (snapshot, written.base, written.empty)
                return written.pieces(), written.base

    async def apply(self, raw: bytes | bytearray, *, prune: bool = False, dry_run: bool = False) -> Outcome:
        """What a document changes: all of it or, with ``dry_run`` or a mistake in it, nothing."""
        async with self._one_at_a_time:
            with _uncollected():
                return await self._tried(lambda: self._read(raw, prune, dry_run))

    async def versions(self, query: ListQuery) -> Page[Version]:
        """The edits of the set-up, newest first."""
        with translated("version"):
            rows, cursor = await self._history.versions(query.cursor, query.limit)
        return Page([Version(*row) for row in rows], cursor)

    async def restore(self, version: int, dry_run: bool = False) -> Outcome:
        """The set-up as it was after an earlier edit, as an edit of its own.

        Numbers that came since stay, and so do those that were released before or since.
        """
        async with self._one_at_a_time:
            with _uncollected():
                return await self._tried(lambda: self._restore(version, dry_run))

    async def _tried(self, run: Callable[[], Any]) -> Outcome:
        """Again when an edit by somebody else came in between."""
        for _ in range(_TRIES - 1):
            try:
                return await self._outcome(run)
            except StaleBase:
                raise
            except Stale:
                continue
        return await self._outcome(run)

    async def _outcome(self, run: Callable[[], Any]) -> Outcome:
        found: Outcome = await run()
        return found

    async def _read(self, raw: bytes | bytearray, prune: bool, dry_run: bool) -> Outcome:
        document = await asyncio.to_thread(read, raw, self._breathe)
        return await self._apply(Wanted(document, prune), dry_run)

    async def _restore(self, version: int, dry_run: bool) -> Outcome:
        with translated("version"):
            found = await self._history.since(version)
        if found is None:
            raise NotFound("there is no such version; see setup/versions")
        return await self._apply(await asyncio.to_thread(_as_it_was, found), dry_run)

    async def _apply(self, wanted: Wanted, dry_run: bool) -> Outcome:
        basis = self._configuration.current
        await self._check_base(wanted.document.base, basis)
        now, audio = self._configuration.now(), self._prompts.stored
        made = await asyncio.to_thread(plan, wanted, basis, now, audio, self._breathe)
        if made.edits and not dry_run:
            await self._configuration.replace(made.edits, basis, made.after)
            await self._play(made)
        applied = bool(made.edits) and not dry_run
        after = self._configuration.current if applied else basis
        outcome = Outcome(applied, after.version, await self._base(after), made.changes, made.left)
        # With the snapshots gone, only the edits hold the objects that were, or would have been.
        edits = list(made.edits)
        del made, basis, after
        await asyncio.to_thread(let_go, edits, self._breathe)
        return outcome

    async def _check_base(self, given: str | None, basis: Snapshot) -> None:
        """Raises StaleBase; where nothing is set up yet, nothing can be overwritten."""
        if given is None:
            return
        base = await self._base(basis)
        assert self._known_base is not None
        if given != base and not self._known_base[2]:
            raise StaleBase(basis.version, given[:100], base)

    async def _base(self, snapshot: Snapshot) -> str:
        if self._known_base is None or self._known_base[0] is not snapshot:
            written = await asyncio.to_thread(_written, snapshot, self._breathe)
            self._known_base = (snapshot, written.base, written.empty)
        return self._known_base[1]

    async def _play(self, made: Plan) -> None:
        """Prompts that are new are made ready to be heard, those that are gone forgotten."""
        prompts = await asyncio.to_thread(lambda: [edit for edit in made.edits if edit.kind == "prompt"])
        for edit in prompts:
            if isinstance(edit.after, Prompt):
                await self._prompts.adopt(edit.after)
        for edit in prompts:
            if isinstance(edit.before, Prompt):
                await self._prompts.forget(edit.before)


def _written(snapshot: Snapshot, breathe: Breath) -> Written:
    return Written(((KIND_OF[type(item)], item) for item in everything(snapshot)), breathe)


def _as_it_was(found: Mapping[tuple[str, str], Past]) -> Wanted:
    """What takes the objects that were changed since back to what they were."""
    sections: dict[str, list[Any]] = {}
    remove: set[Place] = set()
    secrets: dict[Place, Mapping[str, str]] = {}
    kinds: Mapping[str, Kind] = {kind: kind for kind in SECTIONS.values()}
    for (named, object_id), past in found.items():
        kind = kinds.get(named)
        if kind is None or past.released:
            continue
        if past.body is None:
            remove.add((kind, object_id))
        elif not past.body.get("built_in"):
            sections.setdefault(section_of(kind), []).append({"id": object_id, **trimmed(kind, past.body)})
            secrets[kind, object_id] = past.secrets
    return Wanted(Document(None, sections), False, frozenset(remove), secrets)
