"""What the four transaction machines share (RFC 3261 section 17, with RFC 6026).

Each machine is a literal table: its key is (state, event), its value (next state, action).  What
has no row is ignored.  Events of a client: ``1xx`` ``2xx`` ``3xx+`` (answers), ``error`` (transport)
and the timers' letters.  Events of a server: ``request`` (a retransmission), ``ack``, ``send 1xx`` …
and the timers' letters.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, Protocol

from edge.sip.events import Flow
from edge.sip.message import Response
from edge.sip.timers import T1, Timer, Timers

Table = dict[tuple[str, str], tuple[str, str]]
Rows = dict[tuple[str, str], tuple[str, Callable[..., None]]]


class Outlet(Protocol):
    """What transactions share: timers, the way out for bytes, and the tables they are found in."""

    timers: Timers

    def send(self, data: bytes, flow: Flow, call_id: str) -> bool:
        """One message out; False when that failed at once."""
        ...

    def dial_back(self, flow: Flow, port: int) -> Flow:
        """A new connection to the peer of a flow whose own is gone, at the port of its Via (18.2.2)."""
        ...

    def send_again(self, data: bytes, flow: Flow, call_id: str) -> bool:
        """The same, counted as a retransmission."""
        ...

    def forget_client(self, key: tuple[str, str]) -> None:
        """Takes a client transaction out of its table."""
        ...

    def forget_server(self, key: tuple[str | int | None, ...], merge_key: tuple[str, ...] | None) -> None:
        """Takes a server transaction out of its tables."""
        ...


def compile_table(table: Table, owner: type) -> Rows:
    """A table with its actions' names replaced by the functions of ``owner``."""
    return {key: (state, getattr(owner, action)) for key, (state, action) in table.items()}


class Transaction:
    """What the four machines share.  At most two timers run: a repetition, and an end."""

    __slots__ = ("_interval", "_limit", "_outlet", "_repeat", "call_id", "data", "flow", "state")
    rows: ClassVar[Rows]

    def __init__(self, outlet: Outlet, flow: Flow, call_id: str, state: str) -> None:
        self._outlet = outlet
        self._interval = T1
        self._repeat: Timer | None = None
        self._limit: Timer | None = None
        self.call_id = call_id
        self.data = b""
        self.flow = flow
        self.state = state

    def step(self, event: str, message: Response | None = None) -> None:
        """One event through the table; what has no row is ignored."""
        row = self.rows.get((self.state, event))
        if row is not None:
            self.state, action = row
            action(self, message)

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats for us (then the timers of repetition and waiting are off)."""
        return self.flow.transport != "udp"

    def absorb(self, _: Response | None) -> None:
        """Nothing to do: the row only says that the event is known."""

    def _limit_after(self, delay: float, event: str) -> None:
        self.stop_timers()
        self._limit = self._outlet.timers.start(delay, partial(self.step, event))

    def _repeat_after(self, delay: float, event: str) -> None:
        self._interval = delay
        self._repeat = self._outlet.timers.start(delay, partial(self.step, event))

    def stop_timers(self) -> None:
        """Cancels what runs."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
