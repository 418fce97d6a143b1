"""The SIP messages of a call, bounded: its ladder has a line for each, files keep them whole."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from typing import Literal

from edge.sip.events import Flow
from edge.sip.headers import printable
from edge.sip.redaction import without, without_traces

MAX_LINES = 200
MAX_OCTETS = 262_144
MAX_EARLY = 64
MAX_EARLY_LINES = 4
MOST_SHARING = 8
"""Calls that are told of the messages of one Call-ID: the newest."""

MOST_START = 200
_NO_ROOM = 40
"""Octets of a start line, at most, in which no secret has room."""

Direction = Literal["in", "out"]
_Seen = tuple[float, Direction, Flow, bytes]
Kept = Callable[[], list[_Seen]]
"""Answers messages as they came and went, secrets and all: to be written without those."""


class Trace:
    """The messages of one call's dialogs, in order.

    A line of the ladder holds seconds since the call's arrival, whether it was received or sent, the peer
    and the start line.  Past ``MAX_LINES``, or ``MAX_OCTETS`` in all, only a count is kept.  ``dialogs`` are
    the SIP Call-IDs that were opened for it, ``secrets`` what is shown nowhere.
    """

    __slots__ = ("_lines", "_octets", "_origin", "dialogs", "dropped", "secrets")

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self._lines: list[_Seen] = []
        self._octets = 0
        self.dialogs: list[str] = []
        self.dropped = 0
        self.secrets: set[bytes] | None = None

    def hide(self, secret: str) -> None:
        """A target is told it (the call's key), and may say it again wherever it likes."""
        if self.secrets is None:
            self.secrets = set()
        self.secrets.add(secret.encode())

    def shown(self, text: str) -> str:
        """What a peer said, as records and logs may have it."""
        return without_traces(self.secrets, text) if self.secrets else text

    def add(self, at: float, direction: Direction, flow: Flow, data: bytes) -> None:
        """Keeps a message (``at``: monotonic seconds)."""
        self._octets += len(data)
        if len(self._lines) >= MAX_LINES or self._octets > MAX_OCTETS:
            self.dropped += 1
            return
        self._lines.append((at, direction, flow, data))

    def lines(self) -> list[dict[str, object]]:
        """The ladder, JSON-ready."""
        origin, hidden = self._origin, self.secrets
        lines: list[dict[str, object]] = []
        for at, direction, flow, data in self._lines:
            start = _start_line(data)
            if hidden and len(start) > _NO_ROOM:
                start = _start_line(without(hidden, data[: 2 * MOST_START]))
            host, port = flow.remote
            lines.append(
                {
                    # Tenths of milliseconds, at a fifth of what round() takes.
                    "at_s": int((at - origin) * 1e4 + 0.5) / 1e4 if at > origin else 0.0,
                    "direction": direction,
                    "peer": f"{flow.transport}:{host}:{port}",
                    "message": _message(start),
                }
            )
        return lines

    def kept(self, arrived_at: datetime) -> list[_Seen]:
        """The messages, with instants in seconds since 1970; the call arrived at ``arrived_at``."""
        shift = arrived_at.timestamp() - self._origin
        secrets = self.secrets or ()
        return [
            (at + shift, direction, flow, without(secrets, data)) for at, direction, flow, data in self._lines
        ]

    def since_the_last_arrival(self, sip_call_id: str) -> list[_Seen]:
        """From the newest INVITE of that Call-ID on that came in; nothing without one."""
        named = sip_call_id.encode("utf-8", "surrogateescape")
        for place in range(len(self._lines) - 1, -1, -1):
            _, direction, _, data = self._lines[place]
            if direction == "in" and data.startswith(b"INVITE ") and named in data:
                return self._lines[place:]
        return []


def _start_line(data: bytes) -> bytes:
    return data[:MOST_START].partition(b"\r\n")[0]


@lru_cache(maxsize=1024)
def _message(start: bytes) -> str:
    return printable(start.decode("utf-8", "surrogateescape"))


class _Several:
    """The traces of calls with one Call-ID: a call that comes back to us may have kept it."""

    __slots__ = ("traces",)

    def __init__(self, traces: tuple[Trace, ...]) -> None:
        self.traces = traces

    def add(self, at: float, direction: Direction, flow: Flow, data: bytes) -> None:
        """Each keeps the message."""
        for trace in self.traces:
            trace.add(at, direction, flow, data)


class TraceBook:
    """Finds a live call's trace by SIP Call-ID: the endpoint's trace hook.

    A dialog's first messages come before its call has opened a trace for it: they wait here, of the
    last ``MAX_EARLY`` dialogs of peers that ``knows`` knows, and of as many of strangers, who may log in.
    """

    def __init__(
        self, monotonic: Callable[[], float], knows: Callable[[str], bool] = lambda host: True
    ) -> None:
        self._monotonic = monotonic
        self._knows = knows
        self._by_call_id: dict[str, Trace | _Several] = {}
        self._early: dict[str, list[_Seen]] = {}
        self._strange: dict[str, list[_Seen]] = {}

    def open(self, sip_call_id: str, trace: Trace, *, arrived: bool = False) -> None:
        """Starts to keep the messages of a dialog, with those that came before.  ``arrived``: the call has
        just come in; if another one has its Call-ID, that one heard of it."""
        trace.dialogs.append(sip_call_id)
        known = self._of(sip_call_id)
        if not known:
            self._by_call_id[sip_call_id] = trace
            for seen in self._early.pop(sip_call_id, None) or self._strange.pop(sip_call_id, []):
                trace.add(*seen)
        elif trace not in known:
            for seen in known[-1].since_the_last_arrival(sip_call_id) if arrived else ():
                trace.add(*seen)
            self._by_call_id[sip_call_id] = _Several((*known, trace)[-MOST_SHARING:])
            secrets = set().union(*[one.secrets or () for one in (*known, trace)])
            for one in (*known, trace):
                one.secrets = secrets

    def close(self, trace: Trace) -> None:
        """Stops for all dialogs of a call; others that have opened them go on."""
        for sip_call_id in trace.dialogs:
            left = tuple(other for other in self._of(sip_call_id) if other is not trace)
            if left:
                self._by_call_id[sip_call_id] = _Several(left) if len(left) > 1 else left[0]
            else:
                self._by_call_id.pop(sip_call_id, None)

    def secrets(self, sip_call_id: str) -> Collection[bytes]:
        """What must be shown nowhere of the messages of a dialog."""
        known = self._of(sip_call_id)
        return (known[-1].secrets or ()) if known else ()

    def note(self, direction: Direction, flow: Flow, data: bytes, sip_call_id: str) -> None:
        """Called by the endpoint for every message."""
        trace = self._by_call_id.get(sip_call_id)
        if trace is not None:
            trace.add(self._monotonic(), direction, flow, data)
        elif data.startswith(b"INVITE ") or sip_call_id in self._early or sip_call_id in self._strange:
            self._wait(sip_call_id, (self._monotonic(), direction, flow, data))

    def _of(self, sip_call_id: str) -> tuple[Trace, ...]:
        found = self._by_call_id.get(sip_call_id)
        if found is None:
            return ()
        return found.traces if isinstance(found, _Several) else (found,)

    def _wait(self, sip_call_id: str, seen: _Seen) -> None:
        early = self._early.get(sip_call_id) or self._strange.get(sip_call_id)
        if early is not None:
            if len(early) < MAX_EARLY_LINES:
                early.append(seen)
            return
        _, direction, flow, _ = seen
        waiting = self._early if direction == "out" or self._knows(flow.remote[0]) else self._strange
        waiting[sip_call_id] = [seen]
        if len(waiting) > MAX_EARLY:
            del waiting[next(iter(waiting))]
