"""A call to us: from its INVITE to the ACK of our answer (RFC 3261 sections 13.3, 9.2, 15)."""

from typing import Final

from edge.sip.core import ALLOW, SUPPORTED, Core
from edge.sip.dialog import dialog_to_us
from edge.sip.events import Acked, Cancelled, Flow
from edge.sip.invite import Invite, with_sdp
from edge.sip.message import Request
from edge.sip.printing import Lines
from edge.sip.server_transaction import InviteServer, ServerTransaction
from edge.sip.timers import Timer
from edge.sip.unacked import UnackedAnswer

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

    role = "server"

    def __init__(
        self, core: Core, request: Request, flow: Flow, transaction: InviteServer, peer_id: str
    ) -> None:
        super().__init__(core, request.call_id, flow, request.body, peer_id)
        self.request = request
        self._transaction = transaction
        self._farewell: Lines | None = None
        self._dialog_lines: Lines = ()
        self._provisional: tuple[int, Lines, bytes] | None = None
        self._refresh: Timer | None = None
        transaction.owner = self
        transaction.to_tag = self.local_tag

    # -- commands ----------------------------------------------------------------------------------

    def progress(self, status: int, sdp: bytes = b"") -> None:
        """180 or 183 to the caller, perhaps with early media."""
        if self.state in ("trying", "early"):
            self.state = "early"
            self._provisional = (status, with_sdp(self._headers(), sdp), sdp)
            self._send_provisional()

    def answer(self, sdp: bytes) -> None:
        """200 to the caller (our offer, if the INVITE had none); repeated until its ACK."""
        if self.state not in ("trying", "early"):
            return
        self.told = sdp
        headers = (*with_sdp(self._headers(), sdp), ALLOW, SUPPORTED, *self.expiry_answer(self.request))
        self._stop_refresh()
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
            self.emit(Cancelled(cancel.headers.get("Reason")))
            self.close()

    def _acked(self, request: Request) -> None:
        if self.state != "answered":
            super()._acked(request)
        elif self._farewell is not None:
            self._bye(self._farewell)
        else:
            self.state = "up"
            self.emit(Acked(request.body))
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
            routes = [("Record-Route", value) for value in self.request.headers.all("Record-Route")]
            self._dialog_lines = (*routes, self.core.contact(self.flow, self.request.uri))
        return self._dialog_lines

    def _send_provisional(self) -> None:
        if self._provisional is not None:
            status, headers, sdp = self._provisional
            self._transaction.respond(status, None, headers, sdp)
            self._stop_refresh()
            self._refresh = self.core.timers.start(REFRESH, self._send_provisional)

    def _stop_refresh(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None

    def _stop(self) -> None:
        self._stop_refresh()
        super()._stop()
