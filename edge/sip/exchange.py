"""One request of ours, in a dialog or outside, digest challenges included (RFC 3261 sections 12.2.1, 22)."""

from collections.abc import Callable
from typing import Protocol

from edge.sip.client_transaction import Cause, ClientTransaction
from edge.sip.core import Core
from edge.sip.digest import ClientDigest
from edge.sip.events import Credentials
from edge.sip.layer import TransactionLayer
from edge.sip.message import Headers, Response
from edge.sip.printing import Lines, PrintedRequest

OnAnswer = Callable[[Response], None]


class Requests(Protocol):
    """Who makes the requests: a dialog, or what is asked outside one."""

    def request(
        self, layer: TransactionLayer, method: str, headers: Lines = (), body: bytes = b"", cseq: int = 0
    ) -> PrintedRequest:
        """The next request."""
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
        self.authorization: Lines = ()
        self._digest = None if credentials is None else ClientDigest(credentials, core.chance.token)
        self.transaction: ClientTransaction = self._send(headers)

    def _send(self, headers: Lines) -> ClientTransaction:
        layer = self._core.layer
        request = self._dialog.request(layer, self._method, headers, self._body)
        return layer.request(request, self._receive, self._fail)

    def _receive(self, _: ClientTransaction, response: Response) -> None:
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
        if self._on_answer is not None:
            self._on_answer(made_here(cause))


def made_here(cause: Cause) -> Response:
    """The answer that stands for none (8.1.3.1): 408, or 503 for a transport error."""
    if cause == "timeout":
        return Response(408, "Request Timeout", Headers())
    return Response(503, "Service Unavailable", Headers())
