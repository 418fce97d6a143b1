"""One request of ours, in a dialog or outside, digest challenges included (RFC 3261 sections 12.2.1, 22)."""

from collections.abc import Callable
from typing import Final, Protocol

from edge.sip.client_transaction import Cause, ClientTransaction
from edge.sip.core import Core
from edge.sip.digest import ClientDigest
from edge.sip.events import Credentials, Destination, Flow
from edge.sip.layer import TransactionLayer
from edge.sip.message import Headers, Response
from edge.sip.printing import Lines, PrintedRequest

MOST_OVER_UDP: Final = 1300
"""Bytes of a request that may be a datagram where the path's MTU is not known (18.1.1)."""
NO_STREAM_S: Final = 600.0
"""Seconds in which who took no connection is not asked for one again."""

OnAnswer = Callable[[Response], None]


class Requests(Protocol):
    """Who makes the requests: a dialog, or what is asked outside one.  ``local_cseq`` is the last one's."""

    local_cseq: int

    def request(
        self,
        layer: TransactionLayer,
        method: str,
        headers: Lines = (),
        body: bytes = b"",
        cseq: int = 0,
        *,
        flow: Flow | None = None,
    ) -> PrintedRequest:
        """The next request, or one more of that ``cseq``; ``flow`` is another way than the usual one."""
        ...

    def stream(self, flow: Flow) -> Destination | None:
        """Where it goes if it is too big for a datagram over this flow; None if nowhere else."""
        ...

    def first_line(self) -> tuple[str, list[str]]:
        """Its Request-URI and Route values."""
        ...


class Exchange:
    """Sends a request and hands its final answer to ``on_answer`` (408 or 503 if there is none).

    For an INVITE every 2xx is handed over, repeated ones too; ``authorization`` is what it was accepted with.
    """

    __slots__ = (
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
        self.authorization: Lines = ()
        self._digest = None if credentials is None else ClientDigest(credentials, core.chance.token)
        self.transaction: ClientTransaction = self._send(headers)

    def _send(self, headers: Lines) -> ClientTransaction:
        layer = self._core.layer
        request = self._dialog.request(layer, self._method, headers, self._body)
        if len(request.data) > MOST_OVER_UDP:
            request = self._by_stream(request, headers)
        return layer.request(request, self._receive, self._fail)

    def _by_stream(self, request: PrintedRequest, headers: Lines) -> PrintedRequest:
        big = by_stream(self._core, self._dialog, request, headers, self._body, cseq=self._dialog.local_cseq)
        if big is None:
            return request
        self._datagram = request
        return big

    def _receive(self, _: ClientTransaction, response: Response) -> None:
        self._datagram = None
        if response.status < 200:
            return
        digest = self._digest
        if digest is not None and response.status in (401, 407) and digest.accept(response):
            self.authorization = digest.headers(self._method, self._dialog.first_line()[0])
            self.transaction = self._send((*self._headers, *self.authorization))
            return
        if self._on_answer is not None:
            self._on_answer(response)

    def _fail(self, _: ClientTransaction, cause: Cause) -> None:
        datagram, self._datagram = self._datagram, None
        if datagram is not None and cause == "unreachable":
            takes_no_stream(self._core, datagram)
            self.transaction = self._core.layer.request(datagram, self._receive, self._fail)
            return
        if self._on_answer is not None:
            self._on_answer(made_here(cause))


def by_stream(
    core: Core, requests: Requests, datagram: PrintedRequest, headers: Lines, body: bytes, *, cseq: int
) -> PrintedRequest | None:
    """A request that is too big for a datagram, as it goes over a connection (18.1.1); None: it does not."""
    if datagram.flow.transport != "udp":
        return None
    stream = requests.stream(datagram.flow)
    if stream is None or core.no_stream.holds(stream):
        return None
    flow = core.layer.wire.route(stream)
    return requests.request(core.layer, datagram.method, headers, body, cseq, flow=flow)


def takes_no_stream(core: Core, datagram: PrintedRequest) -> None:
    """Its peer took no connection: this one goes as a datagram all the same, and others later at once."""
    core.no_stream.add(Destination("tcp", *datagram.flow.remote), NO_STREAM_S)


def made_here(cause: Cause) -> Response:
    """The answer that stands for none (8.1.3.1): 408, or 503 for a transport error."""
    if cause == "timeout":
        return Response(408, "Request Timeout", Headers())
    return Response(503, "Service Unavailable", Headers())
