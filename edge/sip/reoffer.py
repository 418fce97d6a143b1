"""Offers within a dialog: re-INVITE and UPDATE, both ways (RFC 3261 section 14, RFC 3311).

Before the call is answered only UPDATE may carry one, once a reliable 18x has completed the first
exchange (RFC 3262 section 5).
"""

from typing import Final, Literal, Protocol

from edge.sip.core import ALLOW, SDP, SUPPORTED, Core
from edge.sip.dialog import Dialog
from edge.sip.events import Acked, Credentials, Ended, Flow, InviteEvent, OfferAnswered, Offered, OfferRefused
from edge.sip.exchange import Exchange
from edge.sip.message import Request, Response
from edge.sip.printing import Lines
from edge.sip.server_transaction import InviteServer, ServerTransaction
from edge.sip.timers import LIMIT, Timer
from edge.sip.unacked import UnackedAnswer

MAX_GLARES = 5
SOON: Final = LIMIT / 4
"""Seconds for the answer to an offer that somebody's UPDATE waits for, and twice that in all."""
_METHODS: Final[dict[str, Literal["INVITE", "UPDATE", "PRACK"]]] = {
    "INVITE": "INVITE", "UPDATE": "UPDATE", "PRACK": "PRACK",
}  # fmt: skip


class OfferingUsage(Protocol):
    """The usage that the offers belong to."""

    core: Core
    dialog: Dialog | None
    flow: Flow
    request: Request
    credentials: Credentials | None
    unacked: UnackedAnswer | None
    told: bytes

    def contact_line(self) -> tuple[str, str]:
        """Our Contact."""
        ...

    def expiry_answer(self, request: Request) -> Lines:
        """What a 2xx says of session timers."""
        ...

    def expiry_lines(self) -> Lines:
        """What a re-INVITE says of session timers."""
        ...

    def expiry_agreed(self, response: Response) -> None:
        """A 2xx to our re-INVITE."""
        ...

    @property
    def peer_offer(self) -> "PeerOffer":
        """The peer's re-INVITEs and UPDATEs."""
        ...

    @property
    def own_offer(self) -> "OwnOffer":
        """Our re-INVITEs."""
        ...

    @property
    def role(self) -> str:
        """``client`` owns the Call-ID."""
        ...

    @property
    def state(self) -> str:
        """``up`` once the first ACK has been sent or received."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the first exchange was complete before the answer."""
        ...

    @property
    def peer_updates(self) -> bool:
        """Whether the peer takes UPDATE."""
        ...

    def emit(self, event: InviteEvent) -> None:
        """Queues an event for the owner."""
        ...

    def await_ack(self, unacked: UnackedAnswer) -> None:
        """A 2xx of ours has been sent and is repeated."""
        ...

    def on_no_ack(self) -> None:
        """No ACK came to a 2xx of ours."""
        ...

    def break_off(self, event: Ended) -> None:
        """The dialog can not go on."""
        ...


class PeerOffer:
    """The peer's re-INVITE or UPDATE, while it waits for the owner's word."""

    __slots__ = ("_late", "_request", "_transaction", "_usage")

    def __init__(self, usage: OfferingUsage) -> None:
        self._usage = usage
        self._transaction: ServerTransaction | None = None
        self._request: Request | None = None
        self._late = False

    @property
    def pending(self) -> bool:
        """Whether an offer of the peer has no answer yet."""
        return self._transaction is not None

    def receive_invite(self, request: Request, transaction: ServerTransaction) -> None:
        """A re-INVITE."""
        if not self._refused_as_crossing(transaction):
            transaction.respond(100)
            transaction.owner = self
            self._ask(request, transaction)

    def receive_update(self, request: Request, dialog: Dialog, transaction: ServerTransaction) -> None:
        """An UPDATE: without SDP it only refreshes the target."""
        if not request.body:
            dialog.refresh(request)
            transaction.respond(200, headers=self._answer_headers(request))
        elif self._usage.settled and dialog is not self._usage.dialog:
            self._not_now(transaction)  # of another fork than the one that counts
        elif not self._refused_as_crossing(transaction):
            self._ask(request, transaction)

    def receive_in_prack(self, request: Request, transaction: ServerTransaction) -> None:
        """An offer in the PRACK of a 18x that held our answer."""
        if not self._refused_as_crossing(transaction):
            self._ask(request, transaction)

    def accept(self, sdp: bytes) -> None:
        """200 with our answer (or our offer, if they asked for one)."""
        usage, request, transaction = self._usage, self._request, self._take()
        if request is None or transaction is None or usage.dialog is None:
            return
        usage.dialog.refresh(request)
        self._late = request.method == "INVITE" and not request.body
        headers = self._answer_headers(request)
        headers = (*headers, SDP) if sdp else headers
        transaction.respond(200, headers=headers, body=sdp)
        if isinstance(transaction, InviteServer):
            cseq = request.cseq
            usage.await_ack(UnackedAnswer(usage.core.timers, transaction, cseq, usage.on_no_ack))
        else:
            usage.own_offer.go_on()

    def refuse(self, status: int, reason: str | None = None) -> None:
        """Refuses it: the peer goes on as before (14.2)."""
        transaction = self._take()
        if transaction is not None:
            transaction.respond(status, reason)
            self._usage.own_offer.go_on()

    def acked(self, request: Request) -> None:
        """The ACK to our 200: with an answer if the offer in it was ours."""
        if self._late:
            self._late = False
            self._usage.emit(Acked(request.body))
        self._usage.own_offer.go_on()

    def cancelled(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The peer took its re-INVITE back."""
        if transaction is self._transaction:
            self._take()
            transaction.respond(487)
            self._usage.own_offer.go_on()

    def close(self) -> None:
        """The call ends: what is pending is answered (15.1.2)."""
        transaction = self._take()
        if transaction is not None:
            transaction.respond(487)

    def _refused_as_crossing(self, transaction: ServerTransaction) -> bool:
        usage = self._usage
        early = usage.state in ("trying", "early")
        if self.pending or (early and not usage.settled):  # 14.2: an earlier one has no answer yet
            self._not_now(transaction)
        elif not _open(usage) or usage.unacked is not None or usage.own_offer.pending:
            transaction.respond(491)  # 14.2, RFC 3311 5.2
        else:
            return False
        return True

    def _not_now(self, transaction: ServerTransaction) -> None:
        after = str(int(self._usage.core.chance.uniform(0, 10)))
        transaction.respond(500, headers=(("Retry-After", after),))

    def _ask(self, request: Request, transaction: ServerTransaction) -> None:
        self._request = request
        self._transaction = transaction
        self._usage.emit(Offered(request.body, _METHODS[request.method]))

    def _take(self) -> ServerTransaction | None:
        transaction, self._transaction, self._request = self._transaction, None, None
        return transaction

    def _answer_headers(self, request: Request) -> Lines:
        usage = self._usage
        return (usage.contact_line(), ALLOW, SUPPORTED, *usage.expiry_answer(request))


def _open(usage: OfferingUsage) -> bool:
    """Whether offers may pass at all, in this state."""
    return usage.state == "up" or (usage.settled and usage.state in ("early", "proceeding"))


class OwnOffer:
    """Our re-INVITE or UPDATE: one at a time, the next one waits.

    ``soon``: it is an UPDATE if the peer takes one, which is answered without asking anybody, and
    else a re-INVITE that is given up in time for the peer's own UPDATE that waits for it.
    """

    __slots__ = (
        "_ack", "_asked", "_exchange", "_glares", "_method", "_quiet", "_sdp", "_soon", "_timer", "_usage",
        "_wanted",
    )  # fmt: skip

    def __init__(self, usage: OfferingUsage) -> None:
        self._usage = usage
        self._wanted: bytes | None = None
        self._sdp = b""
        self._exchange: Exchange | None = None
        self._ack: tuple[int, bytes, Flow] | None = None
        self._asked = False
        self._glares = 0
        self._quiet = False
        self._soon = False
        self._method = "INVITE"
        self._timer: Timer | None = None

    @property
    def pending(self) -> bool:
        """Whether our offer has no final answer yet, or its late offer no ACK."""
        return self._exchange is not None

    def want(self, sdp: bytes, *, quiet: bool = False, soon: bool = False) -> None:
        """Offers as soon as nothing else is under way; ``quiet`` is a refresh, of which nobody is told."""
        if quiet and (self.pending or self._wanted is not None or self._timer is not None):
            return  # what is under way refreshes too
        self._wanted, self._quiet, self._soon = sdp, quiet, soon
        self._glares = 0
        self.go_on()

    def go_on(self) -> None:
        """Sends what waits, if the way is free."""
        usage = self._usage
        busy = (
            self.pending or self._timer is not None or usage.peer_offer.pending or usage.unacked is not None
        )
        if self._wanted is not None and not busy and _open(usage):
            self._sdp, self._wanted = self._wanted, None
            self._send()

    def ack(self, sdp: bytes) -> None:
        """Our answer to the offer that the peer's 200 made."""
        if self._asked:
            self._asked = False
            self._send_ack(sdp)
            self._done()

    def close(self) -> None:
        """The call ends: a 200 that is under way still gets its ACK, nothing else happens."""
        self._wanted = None
        self._stop_timer()
        if self._asked:
            self.ack(b"")
        elif self._exchange is not None:  # the peer may have forgotten it, and would never answer
            self._usage.core.timers.start(LIMIT, self._exchange.transaction.end)

    def _send(self) -> None:
        usage = self._usage
        if usage.dialog is None:
            return
        self._ack = None
        early = usage.state != "up"
        self._method = "UPDATE" if early or (self._soon and self._sdp and usage.peer_updates) else "INVITE"
        headers = (usage.contact_line(), ALLOW, *usage.expiry_lines(), *((SDP,) if self._sdp else ()))
        self._exchange = Exchange(
            usage.core,
            usage.dialog,
            self._method,
            headers,
            self._sdp,
            on_answer=self._answered,
            credentials=usage.credentials,
        )
        self._timer = usage.core.timers.start(SOON if self._soon else LIMIT, self._overdue)

    def _answered(self, response: Response) -> None:
        self._stop_timer()
        if response.status < 300:
            self._accepted(response)
        elif self._exchange is not None:
            self._exchange = None
            self._refused(response)

    def _accepted(self, response: Response) -> None:
        usage = self._usage
        if self._ack is not None or self._exchange is None or usage.dialog is None:
            self._ack_again(response)
            return
        usage.dialog.refresh(response)
        quiet, usage.told = self._quiet, self._sdp or usage.told
        self._ack = (response.cseq, b"", usage.flow)
        if self._method == "UPDATE":
            self._done()
        elif self._sdp or usage.state != "up":
            self._send_ack(b"")
            self._done()
        else:
            self._asked = True
        usage.expiry_agreed(response)
        if not quiet:
            usage.emit(OfferAnswered(response.body))

    def _send_ack(self, sdp: bytes) -> None:
        usage = self._usage
        if self._ack is None or usage.dialog is None:
            return
        cseq = self._ack[0]
        headers = (SDP,) if sdp else ()
        ack = usage.dialog.request(usage.core.layer, "ACK", headers, sdp, cseq)
        self._ack = (cseq, ack.data, ack.flow)
        usage.core.layer.send(ack.data, ack.flow, ack.call_id)

    def _ack_again(self, response: Response) -> None:
        if self._ack is not None and self._ack[0] == response.cseq and self._ack[1] and self._usage.dialog:
            self._usage.core.layer.send_again(self._ack[1], self._ack[2], self._usage.dialog.call_id)

    def _refused(self, response: Response) -> None:
        usage = self._usage
        if response.status in (408, 481):  # 12.2.1.2
            usage.break_off(Ended("gone" if response.status == 481 else "timeout", None))
        elif response.status == 491 and self._glares < MAX_GLARES:
            self._glares += 1
            self._timer = usage.core.timers.start(self._back_off(), self._retry)
        else:
            if not self._quiet:
                usage.emit(OfferRefused(response.status, response.reason))
            self.go_on()

    def _back_off(self) -> float:
        """Seconds in units of 10 ms: the owner of the Call-ID waits longer (14.1)."""
        low, high = (2.1, 4.0) if self._usage.role == "client" else (0.0, 2.0)
        return round(self._usage.core.chance.uniform(low, high), 2)

    def _retry(self) -> None:
        self._timer = None
        if self._wanted is None:
            self._wanted = self._sdp
        self.go_on()

    def _overdue(self) -> None:
        """No final answer: it is taken back, and then given up."""
        exchange = self._exchange
        if exchange is None:
            return
        usage, layer = self._usage, self._usage.core.layer
        transaction = exchange.transaction
        if self._method == "INVITE" and transaction.state == "proceeding":
            layer.cancel(transaction, None)
        self._timer = usage.core.timers.start(SOON if self._soon else LIMIT, self._given_up)

    def _given_up(self) -> None:
        self._timer = None
        if self._exchange is not None:
            self._exchange.transaction.end()
            self._exchange = None
            if not self._quiet:
                self._usage.emit(OfferRefused(408, "Request Timeout"))
            self.go_on()

    def _done(self) -> None:
        self._exchange = None
        self.go_on()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
