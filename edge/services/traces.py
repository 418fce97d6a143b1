"""The SIP messages of calls, kept in files: written by a thread, a minute a file, the oldest given up first.

A file holds one entry a call: a line of JSON that says what follows, then the messages one after
the other.  Secrets are removed before anything is written.
"""

import asyncio
import json
import queue
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from pydantic_core import to_json

from edge.calls.trace import Kept
from edge.logs import get_logger
from edge.services.pcap import Message
from edge.sip.redaction import all_without_secrets

log = get_logger("edge.traces")

TRACES: Final = "traces"
"""The directory of traces, in the server's data directory."""
MAX_WAITING: Final = 2_000
AT_ONCE: Final = 100
_PAUSE_S: Final = 0.25
"""Calls that end within this time are written together: a wake and a file opened cost more than an entry."""
_MODE: Final = 0o700


class _Entry(NamedTuple):
    call_id: str
    ended_at: datetime
    kept: Kept


class TraceFiles:
    """An async context manager.  ``max_octets`` bounds the directory; 0 keeps nothing."""

    def __init__(self, directory: Path, max_octets: int) -> None:
        self._directory = directory
        self._max_octets = max_octets
        self._waiting: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: Path | None = None
        self._since = 0  # octets written since the directory was looked at
        self._failing = False

    async def __aenter__(self) -> Self:
        if self._max_octets:
            self._thread = threading.Thread(target=self._write_all, name="traces", daemon=True)
            self._thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._thread is not None:
            self._waiting.put(None)
            await asyncio.to_thread(self._thread.join, 10)

    def keep(self, call_id: str, ended_at: datetime, kept: Kept) -> None:
        """Takes a call's messages, never waiting: with too much to do they are given up."""
        if self._thread is not None and self._waiting.qsize() < MAX_WAITING:
            self._waiting.put(_Entry(call_id, ended_at, kept))

    async def messages(self, call_id: str, ended_at: datetime) -> Sequence[Message]:
        """A call's messages in order; none when they were not kept, or are gone."""
        return await asyncio.to_thread(self._read, call_id, ended_at)

    # -- the thread ---------------------------------------------------------------------------------------

    def _write_all(self) -> None:
        over = False
        while not over:
            entries, over = self._next()
            try:
                for _, found in groupby(entries, _minute):
                    self._write(list(found))
                self._failing = False
            except OSError as error:
                if not self._failing:
                    log.error("traces.not_written", reason=str(error))
                self._failing = True
            except Exception:
                log.exception("traces.broke")

    def _next(self) -> tuple[list[_Entry], bool]:
        """What waits, at least one; and whether it is the last."""
        entries: list[_Entry] = []
        entry = self._waiting.get()
        if entry is not None:
            time.sleep(_PAUSE_S)
        while entry is not None:
            entries.append(entry)
            if len(entries) == AT_ONCE or self._waiting.empty():
                return entries, False
            entry = self._waiting.get()
        return entries, True

    def _write(self, entries: Sequence[_Entry]) -> None:
        """Writes entries of one minute."""
        path = self._path(entries[0].ended_at)
        if path != self._last or self._since * 10 > self._max_octets:
            path.parent.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self._tidy()
            self._since = 0
        self._last = path
        data = b"".join(map(_packed_if_it_can_be, entries))
        with path.open("ab") as file:
            file.write(data)
        self._since += len(data)

    def _tidy(self) -> None:
        """Gives up the oldest minutes of a directory that is too large: the present one, if that alone is."""
        files = sorted(self._directory.glob("*.trace"))
        sizes = [file.stat().st_size for file in files]
        total = sum(sizes)
        for file, size in zip(files, sizes, strict=True):
            if total <= self._max_octets:
                break
            file.unlink(missing_ok=True)
            total -= size

    # -- reading --------------------------------------------------------------------------------------------

    def _path(self, ended_at: datetime) -> Path:
        return self._directory / f"{ended_at.astimezone(UTC):%Y-%m-%dT%H%M}.trace"

    def _read(self, call_id: str, ended_at: datetime) -> Sequence[Message]:
        try:
            with self._path(ended_at).open("rb") as file:
                while line := file.readline():
                    head = json.loads(line)
                    if head["id"] == call_id:
                        return _unpacked(head["messages"], file.read(head["octets"]))
                    file.seek(head["octets"] + 1, 1)
        except (OSError, ValueError, KeyError):
            return ()
        return ()


def _minute(entry: _Entry) -> int:
    return int(entry.ended_at.timestamp()) // 60


def _packed_if_it_can_be(entry: _Entry) -> bytes:
    """A call whose messages can not be rendered (a bug) loses them; the others of the file do not."""
    try:
        return _packed(entry)
    except Exception:
        log.exception("trace.not_made", call_id=entry.call_id)
        return b""


def _packed(entry: _Entry) -> bytes:
    kept = entry.kept()
    texts = all_without_secrets([data for _, _, _, data in kept])
    body = b"".join(texts)
    heads = [
        (at, *flow.remote, *flow.local, octets)
        if direction == "in"
        else (at, *flow.local, *flow.remote, octets)
        for (at, direction, flow, _), octets in zip(kept, map(len, texts), strict=True)
    ]
    head = {"id": entry.call_id, "octets": len(body), "messages": heads}
    return to_json(head) + b"\n" + body + b"\n"


def _unpacked(heads: Sequence[Any], body: bytes) -> list[Message]:
    found, at = [], 0
    for at_s, source, source_port, target, target_port, octets in heads:
        data = body[at : at + octets]
        found.append(Message(at_s, (source, source_port), (target, target_port), data))
        at += octets
    return found
