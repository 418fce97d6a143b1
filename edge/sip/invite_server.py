"""A call to us: from its INVITE to the ACK of our answer (RFC 3261 sections 13.3, 9.2, 15)."""

from typing import Final, Literal

from edge.sip.core import ALLOW, SUPPORTED, Core, with_sdp
from edge.sip.dialog import Dialog, dialog_to_us
from edge.sip.events import Acked, Cancelled, EarlyAnswer, Ended, Flow
from edge.sip.grammar import decimal
from edge.sip.invite import Invite
from edge.sip.message import Request
from edge.sip.printing import Lines
from edge.sip.reason import reason_in
from edge.sip.reliable import ReliableAnswers, wants
from edge.sip.server_transaction import InviteServer, ServerTransaction
from edge.sip.timers import LongTimer, Timer
from edge.sip.unacked import UnackedAnswer

MOST_PATIENCE: Final = 86_400
"""Seconds after which an INVITE expires at the latest, if it is to expire at all."""
REFRESH: Final = 60.0
"""Seconds between repetitions of a provisional answer, so that proxies do not give up (13.3.1.1)."""

HANG_UP: Final = {  # state: what a hang-up of ours means in it
    "trying": "decline",
    "early": "decline",
    "answered": "leave_once_acked",  # section 15: no BYE before the ACK
    "up": "say_bye",
}


class ServerInvite(Invite):
    """A call to us."""

    __slots__ = (
        "_dialog_lines", "_early_answered", "_expires", "_farewell", "_provisional", "_refresh", "_reliable",
        "_transaction", "_unsaid", "request",
    )  # fmt: skip
    role = "server"

    def __init__(
        self, core: Core, request: Request, flow: Flow, transaction: InviteServer, peer_id: str
    ) -> None:
        super().__init__(core, request.call_id, flow, request.body, peer_id)
        self.request = request
        self.peer_allow = request.headers.get("Allow") or ""
        self._transaction = transaction
        self._farewell: Lines | None = None
        self._dialog_lines: Lines = ()
        self._provisional: tuple[int, bytes] | None = None
        self._refresh: Timer | None = None
        self._reliable: ReliableAnswers | None = None
        self._unsaid: bytes | None = None
        self._early_answered = bool(request.body)
        self._expires: LongTimer | None = None
        transaction.owner = self
        transaction.to_tag = self.local_tag
        if "Expires" in request.headers:
            self._expire_after(request.headers.get("Expires") or "")

    # -- commands ----------------------------------------------------------------------------------

    def progress(self, status: int, sdp: bytes = b"") -> None:
        """180 or 183 to the caller, perhaps with early media; reliably where the caller knows how."""
        if self.state not in ("trying", "early") or self._unsaid is not None:
            return
        if self.state == "trying":
            self._begin_early()
        if sdp and self._reliable is not None:
            self.told = sdp
        self._provisional = (status, sdp)
        self._send_provisional()

    @property
    def settled(self) -> bool:
        """Whether a description went with a reliable 18x, and its PRACK (and answer, to an offer) came."""
        reliable = self._reliable
        return reliable is not None and reliable.told and self._early_answered and not reliable.holds_answer

    @property
    def told_early(self) -> bool:
        """Whether a description of ours has gone with a reliable 18x: the 200 brings no other."""
        return self._reliable is not None and self._reliable.told

    @property
    def owes_answer(self) -> bool:
        """Whether our 200 has yet to go, or never went: it waits for the PRACK of what went before."""
        return self._unsaid is not None

    @property
    def early_offer(self) -> Literal["", "may", "must"]:
        """Whether ``progress`` may, or has to, bring an offer to a caller that made none.

        The first reliable answer to such an INVITE makes one (RFC 3262 section 5).
        """
        if self._early_answered or self.told_early or self.state not in ("trying", "early"):
            return ""
        wanted = wants(self.request)
        return "must" if wanted == "Require" else "may" if wanted else ""

    def answer(self, sdp: bytes) -> None:
        """200 to the caller (our offer, if the INVITE had none); repeated until its ACK.

        It waits for the PRACK of a description that went before, and then repeats what was said last.
        """
        if self.state not in ("trying", "early") or self._unsaid is not None:
            return
        self._unsaid = sdp
        self._stop_refresh()
        self._answer_at_last()

    def _answer(self, sdp: bytes) -> None:
        reliable, self._unsaid = self._reliable, None
        if reliable is not None:
            reliable.close()
            if reliable.told:  # RFC 3261 13.2.1: what was said last stands, and would be a second offer
                sdp = self.told if self.offer else b""
        self._stop_expiry()
        self.told = sdp or self.told
        headers = (*with_sdp(self._headers(), sdp), self.allow, SUPPORTED, *self.expiry_answer(self.request))
        self.state = "answered"
        self._transaction.respond(200, None, headers, sdp)
        cseq = self.request.cseq
        self.await_ack(UnackedAnswer(self.core.timers, self._transaction, cseq, self.on_no_ack))

    def reject(self, status: int, reason: str | None = None, headers: Lines = ()) -> None:
        """A final answer ≥ 300 before the call is up."""
        if self.state in ("trying", "early"):
            self._transaction.respond(status, reason, headers)
            self.close()

    def _leave(self, headers: Lines) -> None:
        action = HANG_UP.get(self.state)
        if action == "decline":
            self.reject(480, None, headers)
        elif action == "leave_once_acked":
            self._farewell = headers
        elif action == "say_bye":
            self._bye(headers)

    # -- what the caller does ------------------------------------------------------------------------

    def cancelled(self, transaction: ServerTransaction, cancel: Request) -> None:
        """CANCEL before our final answer (9.2)."""
        if self.state in ("trying", "early"):
            transaction.respond(487)
            self.emit(Cancelled(reason_in(cancel.headers)))
            self.close()

    def _expire_after(self, value: str) -> None:
        """The caller's word for how long it waits (13.3.1); what is no number counts as none."""
        seconds = decimal(value.strip(), 2**32)
        if seconds is not None:
            self._expires = LongTimer(self.core.timers, min(seconds, MOST_PATIENCE), self._expired)

    def _expired(self) -> None:
        if self.state in ("trying", "early"):
            self._transaction.respond(487)
            self.emit(Cancelled(None, expired=True))
            self.close()

    def _stop_expiry(self) -> None:
        if self._expires is not None:
            self._expires.cancel()
            self._expires = None

    def _receive_prack(self, request: Request, dialog: Dialog, transaction: ServerTransaction) -> None:
        """RFC 3262 section 3: it may bring the answer to our offer, or an offer of its own."""
        reliable = self._reliable
        if reliable is None or not reliable.acknowledged_by(request):
            transaction.respond(481)
        elif not request.body or self.state not in ("trying", "early"):
            transaction.respond(200)
        elif self._early_answered:
            self.peer_offer.receive_in_prack(request, transaction)
        else:
            self._early_answered = True
            transaction.respond(200)
            self.emit(EarlyAnswer(request.body))
        self._answer_at_last()

    def _answer_at_last(self) -> None:
        """The 200 that waited for a PRACK, and for our answer to an offer in it."""
        waits = self._reliable is not None and self._reliable.holds_answer
        offered = self._peer_offer is not None and self._peer_offer.pending
        if self._unsaid is not None and not waits and not offered:
            self._answer(self._unsaid)

    def accept_offer(self, sdp: bytes) -> bool:
        """Answers the pending ``Offered``; False if the peer has taken it back."""
        accepted = super().accept_offer(sdp)
        self._answer_at_last()
        return accepted

    def refuse_offer(self, status: int, reason: str | None = None) -> None:
        """Refuses the pending ``Offered``."""
        super().refuse_offer(status, reason)
        self._answer_at_last()

    def on_no_prack(self) -> None:
        """The caller never acknowledged a reliable answer: the call can not be (RFC 3262 section 3)."""
        self.emit(Ended("no_ack", None))
        self.reject(504)

    def _acked(self, request: Request) -> None:
        if self.state != "answered":
            super()._acked(request)
        elif self._farewell is not None:
            self._bye(self._farewell)
        else:
            self.state = "up"
            self.emit(Acked(b"" if self.offer else request.body))
            self.go_on_offering()

    def on_no_ack(self) -> None:
        """No ACK within 64*T1: the call is broken; a hang-up that waited for it is due now (15)."""
        if self._farewell is not None:
            self.unacked = None
            self._bye(self._farewell)
        else:
            super().on_no_ack()

    def _receive_bye(self, request: Request, transaction: ServerTransaction) -> None:
        if self.state == "early":  # the caller may end an early dialog by BYE too (15)
            transaction.respond(200)
            self.cancelled(self._transaction, request)
        else:
            super()._receive_bye(request, transaction)

    # -- the pieces ------------------------------------------------------------------------------------

    def _headers(self) -> Lines:
        """What makes an answer a dialog's: our Contact, and the Record-Routes as they came (12.1.1)."""
        if self.dialog is None:
            self.dialog = dialog_to_us(self.request, self.flow, self.local_tag)
            self.core.usages[self.local_tag] = self
            self._dialog_lines = (self.core.contact(self.flow, self.request.uri),)
            if self.dialog.routes:
                routes = [("Record-Route", value) for value in self.request.headers.all("Record-Route")]
                self._dialog_lines = (*routes, *self._dialog_lines)
        return self._dialog_lines

    def _send_provisional(self) -> None:
        if self._provisional is not None:
            status, sdp = self._provisional
            headers = with_sdp(self._headers(), sdp)
            if self._reliable is None or not self._goes_reliably(sdp):
                self._transaction.respond(status, None, headers, sdp)
            else:
                self._provisional = (status, b"")
                self._reliable.send(status, (*headers, ALLOW), sdp)
            self._stop_refresh()
            self._refresh = self.core.timers.start(REFRESH, self._send_provisional)

    def _begin_early(self) -> None:
        self.state = "early"
        if wants(self.request):
            self._reliable = ReliableAnswers(self, self._transaction)

    def _goes_reliably(self, sdp: bytes) -> bool:
        """Unless it would be the first reliable answer to an INVITE without an offer, and make none."""
        return bool(sdp) or self.early_offer != "may"

    def _stop_refresh(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None

    def _stop(self) -> None:
        self._stop_refresh()
        self._stop_expiry()
        if self._reliable is not None:
            self._reliable.close()
        super()._stop()
