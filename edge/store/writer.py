"""The call path's writer: commands from the loop, many in one durable commit, answers back.

A thread of its own takes everything that is queued, runs it in one transaction, commits (synced)
and wakes the loop once.  What somebody waits for goes as ``pace`` says; the rest waits for a commit to ride
along with: up to ``RIDE_S`` what gives capacity back, up to ``LINGER_S`` what nobody waits for.  Nothing
here raises at the caller: what could not be written is answered ``Unavailable``, and facts (bridged,
released, over) are kept and written later.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge.alarm import Alarm
from edge.clock import Clock
from edge.logs import get_logger
from edge.model.ledger import CapCount, CapNotice, Command, Connect, Finish, OpenCall, Reserve, Unavailable
from edge.model.visits import Allocate, CountPool, LinkCall, Sweep
from edge.store import ledger
from edge.store.counts import Counts
from edge.store.database import connect, only_server
from edge.store.group import Group
from edge.store.pace import Pace
from edge.store.spool import FACTS, Spool

RIDE_S = 0.008
# A record touches a page of each index: some records together cost little more than one.  A commit that goes
# anyway takes them along when they could not wait for the next: one of their own costs most of all.
LINGER_S = 0.1
# A timer of the loop may ring a little early, by its clock's resolution.
GRAIN_S = 0.001
# What is due so soon goes when another command comes: the loop is awake, and would be woken once more for it.
EARLY_S = 0.002
MAX_QUEUED = 50_000
# What nobody waits for, a call's record above all, wakes the loop no more often than once for so many.
MOST_UNTOLD = 1_000
CLOSE_S = 30.0

Entry = tuple[Command, "asyncio.Future[Any] | None"]
Answered = list[tuple["asyncio.Future[Any]", Any]]

log = get_logger()


class Writer:
    """An async context manager: commands are taken in the block and drained on leaving it.

    ``counts`` is the advisory view for routing; ``recovered`` how many calls a dead server had left
    open; ``on_health`` is called on the loop when the store fails or is back.  Entering raises
    ``sqlite3.Error`` or ``StoreInUse``.
    """

    def __init__(
        self, path: Path, clock: Clock, open_database: Callable[[Path], sqlite3.Connection] = connect
    ) -> None:
        self._path = path
        self._clock = clock
        self._open_database = open_database
        self._queue: queue.SimpleQueue[list[Entry] | None] = queue.SimpleQueue()
        self._buffer: list[Entry] = []
        self._buffer_due = 0.0
        self._records: list[Entry] = []
        self._records_due = 0.0
        self._holders: set[str] = set()
        self._queued = 0
        self._untold = 0
        self._pace = Pace()
        self._held = contextlib.ExitStack()
        self.counts = Counts()
        self.recovered = 0
        self.healthy = True
        self.failure = ""
        self.on_health: Callable[[bool], None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._loop, self._ring)
        await asyncio.to_thread(self._open)
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush(everything=True)
        self._alarm.stop()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join, CLOSE_S)
        if self._thread.is_alive():
            # The disk does not answer: a connection that is in use can not be closed.
            log.error("the store did not finish in time", waited_s=CLOSE_S)
            return
        await asyncio.to_thread(self._held.close)

    @property
    def commits(self) -> int:
        """Transactions committed so far."""
        return self._group.commits

    @property
    def pool_events(self) -> Mapping[str, int]:
        """What happened to all number pools together since the start, by kind."""
        return self._group.pool_events

    @property
    def spooled(self) -> int:
        """Facts that wait for the store to be writable."""
        return len(self._group.spool)

    def submit(self, command: Command) -> "asyncio.Future[Any]":
        """Queues a command; its answer (``edge.model.ledger``) means that it is durable."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._add(command, future)
        return future

    def post(self, command: Command) -> None:
        """Queues a command whose answer nobody waits for."""
        self._add(command, None)

    def _add(self, command: Command, future: "asyncio.Future[Any] | None") -> None:
        if self._queued >= MAX_QUEUED and not isinstance(command, FACTS):
            if future is not None:
                future.set_result(Unavailable("too many commands wait for the store"))
            return
        self._queued += 1
        now = self._loop.time()
        if isinstance(command, Finish) and command.call_id not in self._holders:
            due = now + LINGER_S
            if not self._records:
                self._records_due = due
            self._records.append((command, future))
        else:
            due = self._due(command, now)
            if not self._buffer or due < self._buffer_due:
                self._buffer_due = due
            self._buffer.append((command, future))
        # A call that opens is soon to connect, which the same commit can take.
        early = 0.0 if isinstance(command, OpenCall) else EARLY_S
        if self._buffer and self._buffer_due <= now + early:
            self._flush()
        else:
            self._alarm.by(due)

    def _due(self, command: Command, now: float) -> float:
        """When the command is to be written at the latest (loop seconds)."""
        if isinstance(command, Connect):
            return self._pace.answer()
        if isinstance(command, (Reserve, LinkCall, Allocate)):
            # A call that made its pool number busy gives it back, too.
            if isinstance(command, LinkCall) or (isinstance(command, Reserve) and command.claims):
                self._holders.add(command.call_id)
            return self._pace.soon()
        if isinstance(command, (OpenCall, CountPool, Sweep)):
            return now + LINGER_S
        # It gives back what another call may be waiting for.
        if isinstance(command, Finish):
            self._holders.discard(command.call_id)
        return now + RIDE_S

    def _ring(self) -> None:
        soon = self._loop.time() + GRAIN_S
        dues = [self._buffer_due] if self._buffer else []
        if self._records:
            dues.append(self._records_due)
        if dues and min(dues) <= soon:
            self._flush()
        elif dues:
            self._alarm.by(min(dues))

    def _flush(self, *, everything: bool = False) -> None:
        """Hands over what waits, with the records if they are due before the next time, going by the last."""
        now = self._loop.time()
        next_time = 2 * now - self._pace.last
        self._pace.went(now)
        group, self._buffer = self._buffer, []
        if everything or self._records_due < next_time:
            # Last, since a call's other commands come before its end.
            group += self._records
            self._records = []
        if group:
            self._queue.put(group)
        self._alarm.stop()
        if self._records:
            self._alarm.by(self._records_due)

    def _deliver(self, count: int, answered: Answered, moved: list[CapCount]) -> None:
        self._queued -= count
        self.counts.update(moved)
        for future, answer in answered:
            if not future.done():
                future.set_result(answer)

    def _health_changed(self, healthy: bool, reason: str) -> None:
        self.healthy, self.failure = healthy, reason
        if healthy:
            log.info("the store writes again")
        else:
            log.error("the store can not write: new calls get 503", reason=reason)
        if self.on_health is not None:
            self.on_health(healthy)

    # -- on the writer's thread ---------------------------------------------------------------------

    def _open(self) -> None:
        with contextlib.ExitStack() as held:
            held.enter_context(only_server(self._path))
            db = held.enter_context(contextlib.closing(self._open_database(self._path)))
            spool = Spool(self._path.with_name(self._path.name + ".spool"))
            spool.load()
            self._group = Group(db, spool, self._clock)
            now = self._clock.utc()
            self.recovered = self._group.recover(now)
            self.counts.update(ledger.used_since(db, (now - timedelta(days=2)).date().isoformat()))
            self._held = held.pop_all()

    def _run(self) -> None:
        group, entries, failed = self._group, self._next(None), False
        while entries is not None:
            answers = group.run([command for command, _ in entries])
            # Whoever is refused can see why; whoever hears that it works again finds the counts right.
            if group.failure and not failed:
                self._call(self._health_changed, False, group.failure)
            self._report(entries, answers)
            if failed and not group.failure:
                self._call(self._health_changed, True, "")
            failed = bool(group.failure)
            wait = max(0.0, group.probe_at - self._clock.monotonic()) if failed else None
            entries = self._next(wait)
        group.run([])

    def _next(self, patience_s: float | None) -> list[Entry] | None:
        """Everything queued, waiting for the first; None: the end; empty: time to probe."""
        try:
            entries = self._queue.get(timeout=patience_s)
        except queue.Empty:
            return []
        while entries is not None and not self._queue.empty():
            more = self._queue.get()
            if more is None:
                self._queue.put(None)
                break
            entries += more
        return entries

    def _report(self, entries: list[Entry], answers: list[Any]) -> None:
        moved = self._group.moved()
        self._untold += len(entries)
        pairs = zip(entries, answers, strict=True)
        answered = [(future, answer) for (_, future), answer in pairs if future is not None]
        if answered or moved or self._untold >= MOST_UNTOLD:
            self._call(self._deliver, self._untold, answered, moved)
            self._untold = 0
        notices = self._group.notices()
        if notices:
            self._call(_tell, notices)

    def _call(self, function: Callable[..., None], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:  # the loop is closed: a server that is torn down without leaving our block
            return


def _tell(notices: list[CapNotice]) -> None:
    for notice in notices:
        log.info(
            notice.event,
            cap_id=notice.cap_id,
            owner_id=notice.owner_id,
            window=notice.window,
            used=notice.used,
            limit=notice.limit,
        )
