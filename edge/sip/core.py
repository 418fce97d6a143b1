"""What all usages of one stack share: the transaction layer, who is there, and the events to deliver."""

import re
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol

from edge.sip.avoided import Avoided
from edge.sip.dialog import Dialog, Named
from edge.sip.events import Flow, InviteEvent
from edge.sip.layer import METHODS, TransactionLayer
from edge.sip.message import Request
from edge.sip.printing import Lines
from edge.sip.server_transaction import ServerTransaction
from edge.sip.via import parse_via
from edge.sip.wire import Chance, Wire

METHODS_LINE = ", ".join(METHODS)
ALLOW = ("Allow", METHODS_LINE)
ACCEPT = ("Accept", "application/sdp, multipart/mixed")
SUPPORTED = ("Supported", "100rel, timer, replaces")
_LOOKED_AT: Final = 4096
"""Octets of an unread datagram."""
_TAGS: Final = 4
_TAG: Final = re.compile(rb"tag=([0-9a-zA-Z.-]{1,64})")
_VIA: Final = re.compile(rb"\r\n(?:via|v)[ \t]*+:[ \t]*+([^\r\n,]*+)", re.IGNORECASE)
SDP = ("Content-Type", "application/sdp")


class Objection(NamedTuple):
    """Why a request is not served: status and header lines.  ``closes``: it has too much for a stream."""

    status: int
    lines: Lines = ()
    closes: bool = False


class Told(Protocol):
    """Whom events are for."""

    def deliver(self, event: InviteEvent) -> None:
        """An event for its owner."""
        ...


class Usage(Told, Protocol):
    """An INVITE usage as the stack sees it; ``flow`` is where its INVITE came from, or went to, ``peer_id``
    who that is."""

    flow: Flow
    peer_id: str

    @property
    def role(self) -> Literal["server", "client"]:
        """``server`` for a call to us."""
        ...

    @property
    def request(self) -> Request:
        """The INVITE."""
        ...

    @property
    def state(self) -> str:
        """See ``invite.State``."""
        ...

    @property
    def takes_refer(self) -> bool:
        """Whether the peer may transfer its call."""
        ...

    def dialog_for(self, request: Named) -> Dialog | None:
        """The dialog of this usage that a request is in."""
        ...

    def receive(self, request: Request, dialog: Dialog, transaction: ServerTransaction) -> None:
        """A request within the dialog, in order."""
        ...

    def receive_ack(self, request: Request) -> None:
        """An ACK within the dialog."""
        ...

    def uses(self, flow: Flow) -> bool:
        """Whether its dialog's next request would go over this flow."""
        ...

    def emit(self, event: InviteEvent) -> None:
        """Queues an event for its owner."""
        ...


class Core:
    """The user agent core's shared state (RFC 3261 section 8).

    ``usages`` is keyed by our tag, which is ours alone; ``no_stream`` holds those who took no connection.
    ``wake`` asks for ``Stack.pump`` soon: events wait, or a deadline came nearer; it is not called while
    ``busy``, as the stack then looks itself.
    """

    def __init__(
        self, wire: Wire, clock: Callable[[], float], chance: Chance, wake: Callable[[], None]
    ) -> None:
        layer = TransactionLayer(wire, clock, chance, self.wake_up)
        self.layer = layer
        self.timers = layer.timers
        self.chance = layer.chance
        self.user_agent = "Edge"
        self.busy = False
        self.usages: dict[str, Usage] = {}
        self.no_stream = Avoided(clock)
        self.events: deque[tuple[Told, InviteEvent]] = deque()
        self._wake = wake

    def contact(self, flow: Flow, uri: str = "", user: str = "edge") -> tuple[str, str]:
        """Our Contact toward a flow's peer; as secure as the ``uri`` that was called (8.1.1.8, 12.1.1)."""
        host = self.layer.wire.sent_by(flow)
        if uri[:5].lower() == "sips:":
            return ("Contact", f"<sips:{user}@{host}>")
        transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
        return ("Contact", f"<sip:{user}@{host}{transport}>")

    def in_call(self, data: bytes) -> bool:
        """Whether a datagram, unread, has our tag of a dialog, which only its peer knows, or takes back a
        call that is not answered yet."""
        for found in islice(_TAG.finditer(data, 0, _LOOKED_AT), _TAGS):
            if found[1].decode() in self.usages:
                return True
        top = _VIA.search(data, 0, _LOOKED_AT) if data.startswith(b"CANCEL ") else None
        if top is None:
            return False
        via = parse_via(top[1].decode("utf-8", "surrogateescape"))
        return via is not None and (via.branch, via.host, via.port, "INVITE") in self.layer.servers

    def wake_up(self) -> None:
        """Events wait: they are delivered when the running command is done."""
        if not self.busy:
            self._wake()


def with_sdp(headers: Lines, sdp: bytes) -> Lines:
    """``headers`` with the Content-Type that a body of SDP needs."""
    return (*headers, SDP) if sdp else headers
