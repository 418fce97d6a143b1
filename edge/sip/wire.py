"""What the sans-IO stack asks of its surroundings: a way out for bytes, and chance."""

from collections.abc import Callable
from typing import Literal, Protocol

from edge.sip.events import Destination, Flow

Trace = Callable[[Literal["in", "out"], Flow, bytes, str], None]
"""Called with every message of a call: direction, flow, its bytes, and the SIP Call-ID."""


class Wire(Protocol):
    """The way out.  Nothing here blocks, raises, or calls the stack back at once."""

    def send(self, data: bytes, flow: Flow) -> bool:
        """Sends one message; False when that failed at once.

        What fails later is told to ``Stack.transport_failed``, or to its ``undelivered``.
        """
        ...

    def route(self, destination: Destination, local: tuple[str, int] | None = None) -> Flow:
        """The flow to a destination: the listener to use, and an open connection if there is one.

        A datagram leaves through the listener ``local``, if there is one of that address."""
        ...

    def way(self, host: str) -> object:
        """What a dialog keeps while its requests go to a host other than the one it came from or went to:
        answers will come from there."""
        ...

    def alive(self, flow: Flow) -> bool:
        """Whether a flow's connection still stands (always, for UDP)."""
        ...

    def hang_up(self, flow: Flow) -> None:
        """Closes a flow's connection, if it has one, once what was sent has gone."""
        ...

    def sent_by(self, flow: Flow) -> str:
        """``host[:port]`` for our Via and Contact toward this flow's peer (the advertised one behind NAT)."""
        ...


class Chance(Protocol):
    """The source of what must not be guessed: tags, branches, Call-IDs; and of back-off times."""

    def token(self) -> str:
        """16 hexadecimal digits, 64 bits of chance, never given twice."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A number between the two."""
        ...
