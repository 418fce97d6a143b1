"""Connections between nodes: nothing is lost, doubled or out of order on one, until it breaks."""

import itertools
import random
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from edge.sip.events import Destination, Flow
from edge.sip.framer import Framer
from edge.sip.message import Request, Response
from tests.support.virtual_time import VirtualLoop

Address = tuple[str, int]
REFUSED_S: Final = 0.01
"""Seconds until it is known that nobody listens there."""


class Listener(Protocol):
    """A node, as its connections see it."""

    address: Address

    def receive_message(self, message: Request | Response, flow: Flow) -> None: ...

    def lost(self, flow: Flow) -> None: ...


class End(NamedTuple):
    """One end of a connection."""

    node: Listener
    flow: Flow
    framer: Framer


class Line:
    """One connection; ``ends`` are who made it and who took it."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, jitter_s: Callable[[], float]) -> None:
        self._loop, self._chance, self._jitter_s = loop, chance, jitter_s
        self.ends: list[End] = []
        self.up = True
        self._latest = 0.0

    def send(self, data: bytes, origin: Flow) -> None:
        """It arrives, in order, unless the connection breaks before; in pieces, as streams bring it."""
        end = self.ends[self.ends[0].flow is origin]
        late = self._loop.time() + 0.005 + self._chance.random() * self._jitter_s()
        self._latest = max(self._latest + 1e-6, late)
        cut = self._chance.randrange(len(data) + 1)
        self._loop.call_at(self._latest, self._arrive, end, (data[:cut], data[cut:]))

    def _arrive(self, end: End, pieces: tuple[bytes, bytes]) -> None:
        for piece in pieces:
            for frame in end.framer.feed(piece) if self.up else ():
                assert isinstance(frame, Request | Response), frame
                end.node.receive_message(frame, end.flow)

    def end(self) -> None:
        """It breaks: both ends hear of it, and what is under way is lost."""
        if self.up:
            self.up = False
            for end in self.ends:
                self._loop.call_soon(end.node.lost, end.flow)


class Lines:
    """All connections of a network."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, jitter_s: Callable[[], float]) -> None:
        self._loop, self._chance, self._jitter_s = loop, chance, jitter_s
        self._numbers = itertools.count(1)
        self._by_number: dict[int, Line] = {}
        self._by_peer: dict[tuple[Address, Address], int] = {}

    def toward(self, origin: Listener, destination: Destination, listening: Listener | None) -> Flow:
        """The flow of a node to a destination: over the connection there is, or a new one."""
        remote = (destination.host, destination.port)
        known = self._by_peer.get((origin.address, remote))
        if known is not None and self._by_number[known].up:
            return next(end.flow for end in self._by_number[known].ends if end.flow.connection == known)
        line = Line(self._loop, self._chance, self._jitter_s)
        flow = self._end(line, origin, remote)
        self._by_peer[(origin.address, remote)] = flow.connection
        if listening is None:
            self._loop.call_later(REFUSED_S, line.end)
        else:
            self._end(line, listening, (origin.address[0], 40_000 + flow.connection))
        return flow

    def _end(self, line: Line, node: Listener, remote: Address) -> Flow:
        flow = Flow("tcp", node.address, remote, next(self._numbers))
        self._by_number[flow.connection] = line
        line.ends.append(End(node, flow, Framer()))
        return flow

    def send(self, data: bytes, flow: Flow) -> bool:
        """One message; False if its connection is gone."""
        line = self._by_number[flow.connection]
        if line.up and len(line.ends) == 2:
            line.send(data, flow)
        return line.up

    def hang_up(self, flow: Flow) -> None:
        return None

    def alive(self, flow: Flow) -> bool:
        """Whether a flow's connection stands, or is being made."""
        return self._by_number[flow.connection].up

    def broken_by(self, chance: random.Random) -> bool:
        """One of those that stand breaks; False if none does."""
        standing = [line for line in dict.fromkeys(self._by_number.values()) if line.up]
        if standing:
            chance.choice(standing).end()
        return bool(standing)
