"""Calls: records of those that are over, and those that live now."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from edge.calls.recordings import RecordingKind, name_of
from edge.services.audit import AuditService
from edge.services.errors import Conflict, NotFound
from edge.services.guard import translated
from edge.services.listing import ListQuery, Page
from edge.services.pcap import Message
from edge.services.traces import TraceFiles
from edge.store.audit import Entry
from edge.store.calls import CallRecords
from edge.store.owners import EVERYWHERE, Within

_PIECE = 200
RECORDINGS: Final = "recordings"
"""The directory of recordings, in the server's data directory."""


class LiveCalls(Protocol):
    """The switch, as far as the API needs it."""

    def live(self) -> Sequence[str]:
        """The ids of the live calls, oldest first."""
        ...

    def look(self, call_id: str) -> Mapping[str, Any] | None:
        """A live call; None if none has that id."""
        ...

    def hang_up(self, call_id: str, by: str = "admin") -> bool:
        """Ends a live call; False if there is none of that id."""
        ...


class CallService:
    """Raises ``NotFound``, ``Invalid`` (a bad cursor), ``Conflict`` and ``StoreDown``."""

    def __init__(
        self,
        records: CallRecords,
        live: LiveCalls,
        recordings: Path,
        audit: AuditService,
        *,
        traces: TraceFiles,
    ) -> None:
        self._records = records
        self._audit = audit
        self._recordings = recordings
        self._live = live
        self._traces = traces

    async def list(self, query: ListQuery, within: Within = EVERYWHERE) -> Page[Mapping[str, Any]]:
        """A page of records of calls that are over, newest first unless sorted otherwise."""
        with translated("call"):
            items, cursor = await self._records.list(
                query.filters, query.sort, query.cursor, query.limit, within
            )
        return Page(items, cursor)

    async def get(self, call_id: str, within: Within = EVERYWHERE) -> Mapping[str, Any]:
        """A call's record; of a live call, what is known of it so far."""
        live = self._live.look(call_id)
        if live is not None:
            if not _is_within(live, within):
                raise NotFound("there is no such call")
            return live
        with translated("call"):
            return await self._records.get(call_id, within)

    async def live(self, within: Within = EVERYWHERE) -> Sequence[Mapping[str, Any]]:
        """The calls that live now; looked at in pieces, for thousands at once would hold the loop."""
        found: list[Mapping[str, Any]] = []
        for at, call_id in enumerate(self._live.live(), 1):
            if at % _PIECE == 0:
                await asyncio.sleep(0)
            call = self._live.look(call_id)
            if call is not None and _is_within(call, within):
                found.append(call)
        return found

    async def messages(self, call_id: str) -> Sequence[Message]:
        """The SIP messages of a call that is over, whole; none when they are kept no more."""
        if self._live.look(call_id) is not None:
            raise Conflict("this call lives; its messages can be read when it is over")
        with translated("call"):
            call = await self._records.get(call_id)
        return await self._traces.messages(call_id, datetime.fromisoformat(call["ended_at"]))

    async def trace(self, call_id: str) -> Sequence[Mapping[str, Any]]:
        """The SIP ladder of a call that is over."""
        if self._live.look(call_id) is not None:
            raise Conflict("this call lives; its trace can be read when it is over")
        with translated("call"):
            return await self._records.trace(call_id)

    async def recording(self, call_id: str, kind: RecordingKind, within: Within = EVERYWHERE) -> Path:
        """The WAV file of a call's recording or voicemail; NotFound says why there is none."""
        call = await self.get(call_id, within)
        if self._live.look(call_id) is not None:
            raise Conflict(f"this call lives; its {kind} can be read when it is over")
        made = call.get(kind)
        if made is None:
            raise NotFound(f"this call has no {kind}")
        if made["state"] != "ready":
            raise NotFound(f"the {kind} of this call failed: {made['reason']}")
        name = name_of(call_id, datetime.fromisoformat(call["started_at"]), kind)
        path = self._recordings / f"{name}.wav"
        if not await asyncio.to_thread(path.is_file):
            raise NotFound(f"the {kind} of this call is gone: its file was removed")
        return path

    async def hangup(self, call_id: str) -> None:
        """Ends a live call; Conflict if it is over already."""
        call = self._live.look(call_id) or {}
        if self._live.hang_up(call_id):
            await self._audit.note(Entry("hangup", "call", call_id, str(call.get("called", "")), call))
            return
        with translated("call"):
            await self._records.get(call_id)
        raise Conflict("this call is over already")


def _is_within(call: Mapping[str, Any], within: Within) -> bool:
    return all(call.get(name) == value for name, value in within.items())
