"""One request of ours, in a dialog or outside, digest challenges included (RFC 3261 sections 12.2.1, 22)."""

from collections.abc import Callable
from typing import Final, Protocol

from edge.sip.client_transaction import Cause, ClientTransaction, OnResponse
from edge.sip.core import Core
from edge.sip.digest import ClientDigest
from edge.sip.events import Credentials, Destination, Flow
from edge.sip.layer import TransactionLayer
from edge.sip.message import Headers, Response
from edge.sip.printing import Lines, PrintedRequest, with_via
from edge.sip.timers import LIMIT
from edge.sip.wire import Wire

MOST_OVER_UDP: Final = 1300
"""Bytes of a request that may be a datagram where the path's MTU is not known (18.1.1)."""
NO_STREAM_S: Final = 600.0
"""Seconds in which who took no connection, or said nothing over it, is not asked for one again."""
IN_DIALOG: Final = ("BYE", "INVITE", "UPDATE", "PRACK")
"""What is said once more as its connection ends: an idle one may be gone long since."""
HARMLESS: Final = (*IN_DIALOG, "REGISTER", "OPTIONS")
"""What can be asked twice and mean the same."""
SILENT_S: Final = 5.0
"""Seconds in which an INVITE that went by TCP for its size has some answer: 100 takes 0.2 (17.2.1)."""

OnAnswer = Callable[[Response], None]


class Streaming(Protocol):
    """Whose requests may go by TCP."""

    def streams(self, flow: Flow) -> bool:
        """Whether what is too big for a datagram over this flow goes by TCP, to the same address."""
        ...


class Requests(Streaming, Protocol):
    """Who makes the requests: a dialog, or what is asked outside one."""

    def request(
        self, layer: TransactionLayer, method: str, headers: Lines = (), body: bytes = b""
    ) -> PrintedRequest:
        """The next request."""
        ...

    def first_line(self) -> tuple[str, list[str]]:
        """Its Request-URI and Route values."""
        ...

    def hop(self, wire: Wire) -> Flow:
        """Where it goes: over another connection if the last one is gone."""
        ...


class Exchange:
    """Sends a request and hands its final answer to ``on_answer`` (408 or 503 if there is none).

    For an INVITE every 2xx is handed over, repeated ones too; ``authorization`` is what it was accepted with.
    What is said ``IN_DIALOG`` goes once more over another connection if its own ends before the answer: who
    has heard it already has lost nothing, and an INVITE goes as it was, for its answers may be on their way.
    So does what answers a challenge and does no harm twice: some end the connection with it.
    """

    __slots__ = (
        "_again",
        "_body",
        "_core",
        "_datagram",
        "_dialog",
        "_digest",
        "_headers",
        "_method",
        "_on_answer",
        "authorization",
        "transaction",
    )

    def __init__(
        self,
        core: Core,
        dialog: Requests,
        method: str,
        headers: Lines = (),
        body: bytes = b"",
        *,
        on_answer: OnAnswer | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._core = core
        self._dialog = dialog
        self._method = method
        self._headers = headers
        self._body = body
        self._on_answer = on_answer
        self._datagram: PrintedRequest | None = None
        self._again = method in IN_DIALOG
        self.authorization: Lines = ()
        self._digest = None if credentials is None else ClientDigest(credentials, core.chance.token)
        self.transaction: ClientTransaction = self._send(headers)

    def _send(self, headers: Lines) -> ClientTransaction:
        layer = self._core.layer
        request = self._dialog.request(layer, self._method, headers, self._body)
        if len(request.data) > MOST_OVER_UDP:
            request = self._by_stream(request)
        return layer.request(request, self._receive, self._fail)

    def _send_authorized(self, digest: ClientDigest) -> None:
        """Answers what challenges there have been, with a new count for each nonce."""
        self.authorization = digest.headers(self._method, self._dialog.first_line()[0])
        self.transaction = self._send((*self._headers, *self.authorization))

    def _by_stream(self, request: PrintedRequest) -> PrintedRequest:
        big = by_stream(self._core, self._dialog, request)
        if big is None:
            return request
        self._datagram = request
        if self._method == "INVITE":
            self._core.timers.start(SILENT_S, lambda: self._nothing_heard(request))
        return big

    def _nothing_heard(self, datagram: PrintedRequest) -> None:
        """It took the connection, and says nothing, unless the owner has given the request up."""
        if self._datagram is datagram and self.transaction.state != "terminated":
            self.transaction.end()
            self._fail(self.transaction, "timeout")

    def _receive(self, _: ClientTransaction, response: Response) -> None:
        self._datagram = None
        if response.status < 200:
            return
        digest = self._digest
        if digest is not None and response.status in (401, 407) and digest.accept(response):
            self._again = self._method in HARMLESS
            self._send_authorized(digest)
            return
        if self._on_answer is not None:
            self._on_answer(response)

    def leave_to(self, on_response: OnResponse) -> None:
        """The owner has given it up: answers go elsewhere for a while, and it is not made once more."""
        self._datagram = None
        self.transaction.leave_to(on_response)
        self._core.timers.start(LIMIT, self.transaction.end)  # the peer may have forgotten it

    def _fail(self, lost: ClientTransaction, cause: Cause) -> None:
        datagram, self._datagram = self._datagram, None
        if datagram is not None:
            takes_no_stream(self._core, datagram.flow)
            self.transaction = self._core.layer.request(datagram, self._receive, self._fail)
            return
        if cause == "unreachable" and self._again and self.transaction.reliable:
            self._again = False
            self._go_elsewhere(lost)
            return
        if self._on_answer is not None:
            self._on_answer(made_here(cause))

    def _go_elsewhere(self, lost: ClientTransaction) -> None:
        layer = self._core.layer
        if (
            self._method == "INVITE"
            and (flow := self._dialog.hop(layer.wire)).transport == lost.flow.transport
        ):
            copy = PrintedRequest(lost.data, "INVITE", lost.key[0], lost.call_id, flow)
            self.transaction = layer.request(copy, self._receive, self._fail)
        elif self._digest is not None:
            self._send_authorized(self._digest)
        else:
            self.transaction = self._send(self._headers)


def connection_for(core: Core, requests: Streaming, flow: Flow) -> Flow | None:
    """The connection for what is too big for a datagram over ``flow`` (18.1.1); None: it goes as one."""
    if flow.transport != "udp" or not requests.streams(flow):
        return None
    stream = Destination("tcp", *flow.remote)
    return None if core.no_stream.holds(stream) else core.layer.wire.route(stream)


def by_stream(core: Core, requests: Streaming, datagram: PrintedRequest) -> PrintedRequest | None:
    """A request that is too big for a datagram, as it goes over a connection; None: it does not."""
    flow = connection_for(core, requests, datagram.flow)
    if flow is None:
        return None
    via, branch = core.layer.via(flow)
    return PrintedRequest(with_via(datagram.data, via), datagram.method, branch, datagram.call_id, flow)


def takes_no_stream(core: Core, flow: Flow) -> None:
    """Who is dialled by this flow has no use for a connection: others go as datagrams later at once."""
    core.no_stream.add(Destination("tcp", *flow.remote), NO_STREAM_S)


def made_here(cause: Cause) -> Response:
    """The answer that stands for none (8.1.3.1): 408, or 503 for a transport error.  No peer has said it,
    and who reads of it must not think so."""
    if cause == "timeout":
        return Response(408, "No Answer", Headers())
    return Response(503, "Not Reachable", Headers())
