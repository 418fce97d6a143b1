"""The peer's offers within a dialog: re-INVITE, UPDATE, and the offer in a PRACK.

RFC 3261 section 14, RFC 3311, RFC 3262 section 5.
"""

from typing import Final, Literal

from edge.sip.core import SDP, SUPPORTED
from edge.sip.dialog import Dialog
from edge.sip.events import Acked, Offered
from edge.sip.message import Request
from edge.sip.offering import OfferingUsage, is_open
from edge.sip.printing import Lines
from edge.sip.server_transaction import InviteServer, ServerTransaction
from edge.sip.unacked import UnackedAnswer

_METHODS: Final[dict[str, Literal["INVITE", "UPDATE", "PRACK"]]] = {
    "INVITE": "INVITE",
    "UPDATE": "UPDATE",
    "PRACK": "PRACK",
}


class PeerOffer:
    """The peer's re-INVITE or UPDATE, while it waits for the owner's word.

    Of one that is taken back (CANCEL) the owner hears as it speaks: until then there is no other, which would
    get the word about the first.
    """

    __slots__ = ("_late", "_request", "_taken_back", "_transaction", "_usage")

    def __init__(self, usage: OfferingUsage) -> None:
        self._usage = usage
        self._transaction: ServerTransaction | None = None
        self._request: Request | None = None
        self._late = False
        self._taken_back = False

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

    def accept(self, sdp: bytes) -> bool:
        """200 with our answer (or our offer, if they asked for one); False if they have taken it back."""
        usage, request, transaction = self._usage, self._request, self._take()
        if request is None or transaction is None or usage.dialog is None:
            return False
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
        return True

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
            self._usage.emit(Acked(request.body, unanswered=not request.body))
        self._usage.own_offer.go_on()

    def cancelled(self, transaction: ServerTransaction, cancel: Request) -> None:
        """The peer took its re-INVITE back."""
        if transaction is self._transaction:
            self._take()
            self._taken_back = True
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
        elif not is_open(usage) or usage.unacked is not None or usage.own_offer.pending or self._taken_back:
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
        self._taken_back = False
        return transaction

    def _answer_headers(self, request: Request) -> Lines:
        usage = self._usage
        return (usage.contact_line(), usage.allow, SUPPORTED, *usage.expiry_answer(request))
