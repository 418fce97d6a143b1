"""The asyncio pump around the stack: sockets, one timer, name resolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.clock import Clock
from edge.sip.events import AccessPolicy, Destination, OutgoingCall
from edge.sip.invite import Invite


@dataclass(frozen=True, slots=True)
class Listen:
    """One listening address: ``udp://0.0.0.0:5060``; port 0 takes a free one."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """``advertised`` is the public host[:port] written to Via and Contact, empty: the socket's own
    (for a wildcard socket: the local address of the route to the peer)."""

    listen: Sequence[Listen]
    advertised: str = ""
    domains: Sequence[str] = ()
    user_agent: str = "Edge"


class Endpoint:
    """Our SIP endpoint, an async context manager: open in the block, drained and closed after it.

    ``on_call`` is called for each new call that the access policy allowed; 100 has been sent.
    ``drain`` makes new INVITEs be answered 503 by whoever owns ``on_call``; the endpoint itself
    goes on with everything in a dialog.
    """

    def __init__(self, config: EndpointConfig, clock: Clock, access: AccessPolicy, on_call: Callable[[Invite], None]) -> None: ...
    async def __aenter__(self) -> "Endpoint": ...
    async def __aexit__(self, *exc: object) -> None: ...
    @property
    def addresses(self) -> Sequence[Listen]:
        """Where we really listen (port 0 filled in)."""
    async def resolve(self, uri: str) -> list[Destination]:
        """The addresses behind a SIP URI, best first; raises ``Unresolvable`` after 2 s."""
    def call(self, outgoing: OutgoingCall) -> Invite:
        """Sends an INVITE; events come to the returned usage's ``on_event``."""
