"""The SIP messages of a call, bounded: its ladder has a line for each, files keep them whole."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Literal

from edge.sip.events import Flow
from edge.sip.headers import printable

MAX_LINES = 200
MAX_OCTETS = 262_144
MAX_EARLY = 64
MAX_EARLY_LINES = 4

Direction = Literal["in", "out"]
_Seen = tuple[float, Direction, Flow, bytes]
Kept = Callable[[], list[_Seen]]
"""Answers messages as they came and went, secrets and all: to be written without those."""


class Trace:
    """The messages of one call's dialogs, in order.

    A line of the ladder holds seconds since the call's arrival, whether it was received or sent, the peer
    and the start line, which has no secrets in it.  Past ``MAX_LINES``, or ``MAX_OCTETS`` in all, only
    a count is kept.  ``dialogs`` are the SIP Call-IDs that were opened for it.
    """

    __slots__ = ("_lines", "_octets", "_origin", "dialogs", "dropped")

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._lines: list[_Seen] = []
        self._octets = 0
        self.dialogs: list[str] = []
        self.dropped = 0

    def add(self, at: float, direction: Direction, flow: Flow, data: bytes) -> None:
        """Keeps a message (``at``: monotonic seconds)."""
        self._octets += len(data)
        if len(self._lines) >= MAX_LINES or self._octets > MAX_OCTETS:
            self.dropped += 1
            return
        self._lines.append((at, direction, flow, data))

    def lines(self) -> list[dict[str, object]]:
        """The ladder, JSON-ready."""
        return [
            {
                "at_s": round(max(0.0, at - self._origin), 4),
                "direction": direction,
                "peer": f"{flow.transport}:{flow.remote[0]}:{flow.remote[1]}",
                "message": _message(data[:200].partition(b"\r\n")[0]),
            }
            for at, direction, flow, data in self._lines
        ]

    def kept(self, arrived_at: datetime) -> list[_Seen]:
        """The messages, with instants in seconds since 1970; the call arrived at ``arrived_at``."""
        shift = arrived_at.timestamp() - self._origin
        return [(at + shift, direction, flow, data) for at, direction, flow, data in self._lines]


@lru_cache(maxsize=1024)
def _message(start: bytes) -> str:
    return printable(start.decode("utf-8", "surrogateescape"))


class TraceBook:
    """Finds a live call's trace by SIP Call-ID: the endpoint's trace hook.

    A dialog's first messages come before its call has opened a trace for it: they wait here, of the
    last ``MAX_EARLY`` dialogs.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._by_call_id: dict[str, Trace] = {}
        self._early: dict[str, list[_Seen]] = {}

    def open(self, sip_call_id: str, trace: Trace) -> None:
        """Starts to keep the messages of a dialog, with those that came before."""
        self._by_call_id[sip_call_id] = trace
        trace.dialogs.append(sip_call_id)
        for seen in self._early.pop(sip_call_id, ()):
            trace.add(*seen)

    def close(self, trace: Trace) -> None:
        """Stops for all dialogs of a call, except those that another call has opened since."""
        for sip_call_id in trace.dialogs:
            if self._by_call_id.get(sip_call_id) is trace:
                del self._by_call_id[sip_call_id]

    def note(self, direction: Direction, flow: Flow, data: bytes, sip_call_id: str) -> None:
        """Called by the endpoint for every message."""
        trace = self._by_call_id.get(sip_call_id)
        if trace is not None:
            trace.add(self._monotonic(), direction, flow, data)
        elif data.startswith(b"INVITE ") or sip_call_id in self._early:
            self._wait(sip_call_id, (self._monotonic(), direction, flow, data))

    def _wait(self, sip_call_id: str, seen: _Seen) -> None:
        early = self._early.setdefault(sip_call_id, [])
        if len(early) < MAX_EARLY_LINES:
            early.append(seen)
        if len(self._early) > MAX_EARLY:
            del self._early[next(iter(self._early))]
