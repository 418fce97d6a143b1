"""A store in memory that counts slots as the real one does, and can be out of order for a while."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final

from edge.model.ledger import Command, Connect, Finish, HandBack, OpenCall, Release, Reserve, Unavailable
from edge.store.slots import Slots
from edge.store.spool import FACTS
from tests.support.virtual_time import VirtualLoop

COMMIT_S: Final = 0.003


class Store:
    """Runs commands in order, each a moment later.  ``finished`` counts the records by call.

    While it is not ``healthy`` requests are refused, and facts wait until it is ``back``.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._queue: deque[tuple[Command, asyncio.Future[Any] | None]] = deque()
        self._kept: deque[Command] = deque()
        self._over: set[str] = set()
        self.slots = Slots(lambda _: (0, 0))
        self.healthy = True
        self.finished: Counter[str] = Counter()
        self.records: list[Mapping[str, Any]] = []

    def submit(self, command: Command) -> "asyncio.Future[Any]":
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._add(command, answer)
        return answer

    def post(self, command: Command) -> None:
        self._add(command, None)

    def back(self) -> None:
        """It can write again."""
        self.healthy = True
        while self._kept:
            self._run(self._kept.popleft())

    def _add(self, command: Command, answer: "asyncio.Future[Any] | None") -> None:
        self._queue.append((command, answer))
        self._loop.call_later(COMMIT_S, self._next)

    def _next(self) -> None:
        command, answer = self._queue.popleft()
        if self.healthy:
            said = self._run(command)
        else:
            said = Unavailable("out of order")
            if isinstance(command, FACTS):
                self._kept.append(command)
        if answer is not None and not answer.done():
            answer.set_result(said)

    def _run(self, command: Command) -> Any:
        slots, said = self.slots, None
        match command:
            case OpenCall(call_id=call_id):
                self._begin(call_id)
            case Reserve():
                said = self._reserve(command)
            case Connect(call_id=call_id, attempt=attempt):
                slots.use(call_id, attempt, ("attempt", "connect"))
            case Release(call_id=call_id, attempt=attempt):
                slots.release(call_id, attempt, unbridged=command.unbridged)
            case HandBack(call_id=call_id, attempt=attempt, cap_ids=caps):
                slots.hand_back(call_id, attempt, caps, "", to=(command.to_call_id, command.to_attempt))
            case Finish(call_id=call_id):
                slots.end(call_id, unbridged=command.unbridged)
                self._over.add(call_id)
                self.finished[call_id] += 1
                self.records.append(command.told())
        slots.settle()
        return said

    def _reserve(self, command: Reserve) -> Any:
        slots, call_id = self.slots, command.call_id
        if not self._begin(call_id):
            return Unavailable("the call is over")
        wanted = (call_id, command.attempt, command.claims, "")
        giver = command.instead_of
        full = slots.take(*wanted) if giver is None else slots.take_over(*wanted, giver=giver)
        if full is None and command.attempt > 0:
            slots.use(call_id, command.attempt, ("attempt",))
        return full

    def _begin(self, call_id: str) -> bool:
        if call_id not in self._over:
            self.slots.begin(call_id)
        return call_id not in self._over
