"""The transaction layer: the tables of transactions, the counters, and the one way out for bytes."""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from edge.sip.client_transaction import ClientTransaction, InviteClient, OnFailure, OnResponse, RequestClient
from edge.sip.derived import cancel_for
from edge.sip.events import Destination, Flow
from edge.sip.message import Request, Response
from edge.sip.printing import PrintedRequest
from edge.sip.server_transaction import InviteServer, RequestServer, ServerKey, ServerTransaction
from edge.sip.timers import Timers
from edge.sip.wire import Chance, Trace, Wire

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "PRACK")
"""What we understand; also our Allow header."""

RECEIVED: Final = {method: f"received_{method.lower()}" for method in METHODS}
_RECEIVED_STATUS = ("", *[f"received_{n}xx" for n in range(1, 7)])
_SENT = {
    method.encode()[:3]: f"sent_{method.lower()}" for method in (*METHODS, "REGISTER", "NOTIFY")
}  # three letters tell them apart
_STATUS = {
    b"1": "sent_1xx",
    b"2": "sent_2xx",
    b"3": "sent_3xx",
    b"4": "sent_4xx",
    b"5": "sent_5xx",
    b"6": "sent_6xx",
}

_QUOTED = re.compile(rb"([A-Z]{3,9}) [^\r\n]{1,400}\r\nVia: [^\r\n;]{1,300};branch=(z9hG4bK[0-9a-f]{1,64});")


class TransactionLayer:
    """All transactions of one stack; what the machines call their ``Outlet``.

    ``counters`` has bounded names: ``received_<method>``, ``received_<n>xx``, ``sent_…`` the same,
    ``retransmissions``, ``dropped_<why>``, ``parse_error_<status>``.
    """

    def __init__(
        self, wire: Wire, clock: Callable[[], float], chance: Chance, wake: Callable[[], None]
    ) -> None:
        self.wire = wire
        self.chance = chance
        self.timers = Timers(clock, wake)
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.trace: Trace | None = None
        self.clients: dict[tuple[str, str], ClientTransaction] = {}
        self._on_stream: dict[int, set[ClientTransaction]] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.merges: set[tuple[str, ...]] = set()

    def __len__(self) -> int:
        return len(self.clients) + len(self.servers)

    # -- out -------------------------------------------------------------------------------------

    def send(self, data: bytes, flow: Flow, call_id: str) -> bool:
        """One message out, counted and traced; False when that failed at once."""
        start = data[:3]
        self.counters[_STATUS[data[8:9]] if start == b"SIP" else _SENT[start]] += 1
        if self.trace is not None:
            self.trace("out", flow, data, call_id)
        return self.wire.send(data, flow)

    def dial_back(self, flow: Flow, host: str, port: int) -> Flow:
        """A new connection to the peer of a flow whose own is gone, at the port of its Via (18.2.2); over TLS
        it must be the host that the Via names."""
        name = (flow.name or host) if flow.transport == "tls" else ""
        return self.wire.route(Destination(flow.transport, flow.remote[0], port, name))

    def send_again(self, data: bytes, flow: Flow, call_id: str) -> bool:
        """The same, counted as a retransmission."""
        self.counters["retransmissions"] += 1
        return self.send(data, flow, call_id)

    def repeat(self, request: PrintedRequest, hop: Callable[[Wire], Flow] | None = None) -> PrintedRequest:
        """A request of ours once more, over another connection where its own is gone: that of the next
        ``hop`` of its dialog, or to where it went; answers how it went."""
        flow = request.flow
        if self.send_again(request.data, flow, request.call_id) or not flow.connection:
            return request
        again = request._replace(flow=hop(self.wire) if hop is not None else self._dial_again(flow))
        self.send(again.data, again.flow, again.call_id)
        return again

    def _dial_again(self, flow: Flow) -> Flow:
        return self.wire.route(Destination(flow.transport, *flow.remote, flow.name))

    def via(self, flow: Flow) -> tuple[str, str]:
        """A new Via value for a request over ``flow``, and its branch."""
        branch = f"z9hG4bK{self.chance.token()}"
        return f"SIP/2.0/{flow.transport.upper()} {self.wire.sent_by(flow)};branch={branch};rport", branch

    def revive(self, lost: ClientTransaction) -> None:
        """An INVITE that rings goes on over another connection, its own being gone; its CANCEL does not."""
        cancel = self.clients.get((lost.key[0], "CANCEL"))
        if cancel is not None:
            cancel.end()
        lost.flow = self._dial_again(lost.flow)
        lost.state = "proceeding"
        self._enter(lost)

    def _enter(self, transaction: ClientTransaction) -> None:
        self.clients[transaction.key] = transaction
        if transaction.flow.connection:
            self._on_stream.setdefault(transaction.flow.connection, set()).add(transaction)

    def request(
        self, request: PrintedRequest, on_response: OnResponse, on_failure: OnFailure
    ) -> ClientTransaction:
        """Starts a client transaction."""
        kind = InviteClient if request.method == "INVITE" else RequestClient
        transaction = kind(self, request, on_response=on_response, on_failure=on_failure)
        self._enter(transaction)
        transaction.start()
        return transaction

    def cancel(self, invite: ClientTransaction, reason: str | None) -> None:
        """CANCEL of an INVITE of ours that has had a provisional answer (9.1)."""
        data = cancel_for(invite.data, reason)
        printed = PrintedRequest(data, "CANCEL", invite.key[0], invite.call_id, invite.flow)
        self.request(printed, _ignore, _ignore)

    # -- in --------------------------------------------------------------------------------------

    def receive_response(self, response: Response) -> None:
        """Hands an answer to its transaction (17.1.3); strays are dropped."""
        self.counters[_RECEIVED_STATUS[response.status // 100]] += 1
        transaction = self.clients.get((response.branch, response.cseq_method))
        if transaction is None:
            self.counters["dropped_stray_response"] += 1
        else:
            transaction.receive(response)

    def serve(self, request: Request, key: ServerKey, flow: Flow, to_tag: str | None) -> ServerTransaction:
        """Starts a server transaction; ``flow`` is where its answers go."""
        kind = InviteServer if request.method == "INVITE" else RequestServer
        transaction = kind(self, request, key, flow, to_tag)
        self.servers[key] = transaction
        return transaction

    def guard_merges(self, transaction: ServerTransaction, merge_key: tuple[str, ...]) -> None:
        """Other branches of this request will be known as merged (8.2.2.2)."""
        transaction.merge_key = merge_key
        self.merges.add(merge_key)

    def transport_failed(self, flow: Flow) -> None:
        """A connection broke, or could not be made: its pending requests failed (8.1.3.1)."""
        for transaction in tuple(self._on_stream.get(flow.connection, ())):
            transaction.step("error")

    def undelivered(self, data: bytes) -> None:
        """A datagram of ours did not leave, or ICMP quotes it: its request failed, unless it was answered.

        Anyone may send ICMP, but only who saw the request knows its branch, which must be quoted.
        """
        found = _QUOTED.match(data)
        if found is None:
            return
        transaction = self.clients.get((found[2].decode(), found[1].decode()))
        if transaction is not None and transaction.state in ("calling", "trying"):
            transaction.step("error")

    # -- the tables ------------------------------------------------------------------------------

    def forget_client(self, key: tuple[str, str]) -> None:
        """Takes a client transaction out of its table."""
        gone = self.clients.pop(key, None)
        if gone is not None and gone.flow.connection:
            others = self._on_stream.get(gone.flow.connection, set())
            others.discard(gone)
            if not others:
                self._on_stream.pop(gone.flow.connection, None)

    def forget_server(self, key: ServerKey, merge_key: tuple[str, ...] | None) -> None:
        """Takes a server transaction out of its tables."""
        self.servers.pop(key, None)
        if merge_key is not None:
            self.merges.discard(merge_key)


def _ignore(*_: object) -> None:
    """Nothing depends on the answer to a CANCEL: the INVITE's own tells (9.1)."""
