"""What the four transaction machines share (RFC 3261 section 17, with RFC 6026).

Each machine is a literal table: its key is (state, event), its value (next state, action).  What
has no row is ignored.  Events of a client: ``1xx`` ``2xx`` ``3xx+`` (answers), ``error`` (transport)
and the timers' letters.  Events of a server: ``request`` (a retransmission), ``ack``, ``send 1xx`` …
and the timers' letters.
"""

from collections.abc import Callable
from typing import ClassVar, Protocol

from edge.sip.events import Flow
from edge.sip.timers import LIMIT, T1, Timer, Timers

Table = dict[tuple[str, str], tuple[str, str]]
Rows = dict[tuple[str, str], tuple[str, Callable[..., None]]]


class Outlet(Protocol):
    """What transactions share: timers, the way out for bytes, and the tables they are found in."""

    timers: Timers

    def send(self, data: bytes, flow: Flow, call_id: str) -> bool:
        """One message out; False when that failed at once."""
        ...

    def dial_back(self, flow: Flow, host: str, port: int) -> Flow:
        """A new connection to the peer of a flow whose own is gone; ``host`` and ``port`` of its Via."""
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


class Transaction(Timer):
    """What the four machines share.  One timer runs at most.

    While something is repeated, that timer is the next repetition, or what is left of 64*T1.  A
    transaction that only lingers is a timer itself: a server keeps thousands of them.
    """

    __slots__ = ("_event", "_interval", "_left", "_outlet", "_timer", "call_id", "data", "flow", "state")
    rows: ClassVar[Rows]

    def __init__(self, outlet: Outlet, flow: Flow, call_id: str, data: bytes, state: str) -> None:
        self._outlet = outlet
        self._interval = T1
        self._left = LIMIT
        self._event = ""
        self._timer: Timer | None = None
        self.action = None
        self.call_id = call_id
        self.data = data
        self.flow = flow
        self.state = state

    def step(self, event: str, message: object = None) -> None:
        """One event through the table; what has no row is ignored."""
        row = self.rows.get((self.state, event))
        if row is not None:
            self.state, action = row
            action(self, message)

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats for us (then the timers of repetition and waiting are off)."""
        return self.flow.transport != "udp"

    def absorb(self, _: object) -> None:
        """Nothing to do: the row only says that the event is known."""

    def _wait(self, delay: float, event: str) -> None:
        if self._timer is not None:
            self._timer.action = None
        self._event = event
        self._timer = self._outlet.timers.start(delay, self)

    def _linger(self, delay: float, event: str) -> None:
        """Stays for late copies: nothing depends on when exactly that ends."""
        if self._timer is not None:
            self._timer.action = None
            self._timer = None
        self._event = event
        self.action = self  # until it is called, or stopped
        self._outlet.timers.linger(delay, self)

    def _repeat_after(self, interval: float, event: str, limit_event: str) -> None:
        if interval >= self._left:
            self._wait(self._left, limit_event)
            return
        self._left -= interval
        self._interval = interval
        self._wait(interval, event)

    def __call__(self) -> None:
        """The timer ran out.  (It calls the transaction itself: a bound method would be one more object
        to keep for each tombstone.)"""
        self._timer = None
        self.step(self._event)

    def stop_timer(self) -> None:
        """Cancels what runs."""
        self.action = None
        if self._timer is not None:
            self._timer.action = None
            self._timer = None
