"""Who changed what: read, and written for what is no edit of the database."""

from collections.abc import Mapping
from typing import Any

from edge.clock import Clock
from edge.logs import get_logger
from edge.services.errors import StoreDown
from edge.services.guard import translated
from edge.services.identity import acting
from edge.services.listing import ListQuery, Page
from edge.store.audit import AuditTrail, Entry, Note

log = get_logger()


class AuditService:
    """Edits of the configuration, tokens and cap resets are noted by the store, in their transaction."""

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock

    async def list(self, query: ListQuery) -> Page[Mapping[str, Any]]:
        """A page of entries, the newest first; raises Invalid (a bad cursor) and StoreDown."""
        with translated("entry"):
            items, cursor = await self._trail.list(query.filters, query.cursor, query.limit)
        return Page(items, cursor)

    async def note(self, entry: Entry) -> None:
        """Tells what was done just now; a store that can not write leaves it in the log alone, for
        a call can be ended, and a ban lifted, without it."""
        by = acting()
        try:
            with translated("entry"):
                await self._trail.add(Note(by, self._clock.utc()), entry)
        except StoreDown as error:
            log.error("audit.not_written", action=entry.action, id=entry.object_id, by=by, reason=str(error))
