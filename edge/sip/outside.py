"""Requests of ours outside any dialog (RFC 3261 section 8.1): OPTIONS and REGISTER."""

from collections.abc import Callable
from itertools import chain

from edge.sip.core import ALLOW, Core
from edge.sip.events import Flow, OutgoingCall, OutgoingRequest
from edge.sip.exchange import Exchange
from edge.sip.headers import refuse_breaks
from edge.sip.layer import TransactionLayer
from edge.sip.message import Response
from edge.sip.printing import Lines, PrintedRequest, print_lines, print_message
from edge.sip.wire import Wire


class Outside:
    """Makes one request and what repeats it with credentials; see ``exchange.Requests``."""

    def __init__(self, core: Core, outgoing: OutgoingRequest, flow: Flow) -> None:
        self._outgoing = outgoing
        self._flow = flow
        self._call_id = outgoing.call_id or core.chance.token() + core.chance.token()
        self._tag = core.chance.token()
        self._cseq = outgoing.cseq - 1
        contact = core.contact(flow, outgoing.request_uri, outgoing.contact_user)
        self._tail = print_lines((contact, ALLOW, ("User-Agent", core.user_agent)))

    def first_line(self) -> tuple[str, list[str]]:
        """The Request-URI; there is no route set."""
        return self._outgoing.request_uri, []

    def streams(self, flow: Flow) -> bool:
        """Unless UDP was asked for."""
        return self._outgoing.stream_if_big

    def hop(self, wire: Wire) -> Flow:
        """The same place, over another connection if the last one is gone."""
        if not wire.alive(self._flow):
            self._flow = wire.route(self._outgoing.destination)
        return self._flow

    def request(
        self, layer: TransactionLayer, method: str, headers: Lines = (), body: bytes = b""
    ) -> PrintedRequest:
        """The next request."""
        self._cseq += 1
        outgoing, flow = self._outgoing, self.hop(layer.wire)
        via, branch = layer.via(flow)
        head = (
            f"{method} {outgoing.request_uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n"
            f"From: {outgoing.from_};tag={self._tag}\r\nTo: {outgoing.to}\r\n"
            f"Call-ID: {self._call_id}\r\nCSeq: {self._cseq} {method}\r\n{self._tail}"
        )
        return PrintedRequest(print_message(head, headers, body), method, branch, self._call_id, flow)


def ask(core: Core, outgoing: OutgoingRequest, flow: Flow, on_answer: Callable[[Response], None]) -> Exchange:
    """Sends it; ``on_answer`` hears the final answer, 408 or 503 if there is none."""
    outside = Outside(core, outgoing, flow)
    return Exchange(
        core,
        outside,
        outgoing.method,
        outgoing.headers,
        on_answer=on_answer,
        credentials=outgoing.credentials,
    )


def check_lines(outgoing: OutgoingCall | OutgoingRequest) -> None:
    """Refuses what would become a header line, or a request, of its own."""
    more = outgoing.route if isinstance(outgoing, OutgoingCall) else ()
    said = (outgoing.request_uri, outgoing.from_, outgoing.to, outgoing.contact_user, outgoing.call_id, *more)
    refuse_breaks("".join(chain(said, *outgoing.headers)))
