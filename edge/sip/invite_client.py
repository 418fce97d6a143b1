"""A call of ours: from its INVITE to our ACK, with CANCEL and forks (RFC 3261 sections 13.2, 9.1)."""

from typing import Final

from edge.sip.attached import print_body
from edge.sip.client_transaction import Cause, ClientTransaction
from edge.sip.core import SUPPORTED, Core, with_sdp
from edge.sip.dialog import Dialog, Named, dialog_of_ours
from edge.sip.digest import ClientDigest
from edge.sip.events import Answered, Flow, OutgoingCall, Progress, Refused
from edge.sip.exchange import MOST_OVER_UDP, connection_for, made_here, takes_no_stream
from edge.sip.forks import MAX_FORKS, Abandoned, Forks, call_off
from edge.sip.headers import retry_after
from edge.sip.invite import Invite
from edge.sip.message import Headers, Request, Response
from edge.sip.parser import parse
from edge.sip.printing import Lines, PrintedRequest, print_lines, print_message
from edge.sip.reason import ELSEWHERE
from edge.sip.reliable import PeersProgress, is_reliable
from edge.sip.server_transaction import ServerTransaction
from edge.sip.timers import LIMIT, Timer

ANSWERS: Final = {  # (state, answer): what is done
    ("calling", "1xx"): "_progress",
    ("calling", "2xx"): "_answered",
    ("calling", "3xx+"): "_refused",
    ("proceeding", "1xx"): "_progress",
    ("proceeding", "2xx"): "_answered",
    ("proceeding", "3xx+"): "_refused",
    ("cancelling", "1xx"): "_cancel",  # 9.1: not before a provisional answer
    ("cancelling", "2xx"): "_crossed",  # ACK and BYE; further 2xx go to Forks
    ("cancelling", "3xx+"): "_gone",
}
_MIME: Final = ("MIME-Version", "1.0")
_CLASS: Final = ("", "1xx", "2xx", "3xx+", "3xx+", "3xx+", "3xx+")

HANG_UP: Final = {  # state: what a hang-up of ours means in it
    "calling": "cancel_later",
    "proceeding": "cancel",
    "answered": "ack_and_bye",
    "up": "say_bye",
}

MOST_PROGRESS: Final = 200
"""Provisional answers of one INVITE that are heard: each is told, and a reliable one leaves a transaction."""


class ClientInvite(Invite):
    """A call of ours."""

    __slots__ = (
        "_authorization", "_cancel_headers", "_cancelled", "_cseq", "_data", "_datagrams", "_digest",
        "_early", "_forks", "_outgoing", "_patience", "_progressed", "_reliable", "_transaction",
    )  # fmt: skip
    role = "client"

    def __init__(self, core: Core, outgoing: OutgoingCall, flow: Flow) -> None:
        call_id = outgoing.call_id or core.chance.token() + core.chance.token()
        super().__init__(core, call_id, flow, outgoing.body, outgoing.peer_id)
        self._outgoing = outgoing
        self._cseq = 0
        self._early: dict[str, Dialog] = {}
        self._progressed = 0
        self._forks: Forks | None = None
        self._reliable: PeersProgress | None = None
        self._cancel_headers: str | None = None
        self._cancelled = False
        self.credentials = outgoing.credentials
        self._digest = ClientDigest(outgoing.credentials, core.chance.token) if outgoing.credentials else None
        if outgoing.allow_refer:
            self.let_refer()
        self.state = "calling"
        self._datagrams: Flow | None = None
        self._authorization: Lines = ()
        self._patience: Timer | None = None
        self._transaction = self._send()
        core.usages[self.local_tag] = self

    # -- the INVITE ----------------------------------------------------------------------------------

    def _send(self) -> ClientTransaction:
        self._cseq += 1
        printed = self._printed()
        if len(printed.data) > MOST_OVER_UDP and self._goes_by_stream():
            printed = self._printed()  # with another Contact, too
        transaction = self.core.layer.request(printed, self._receive_answer, self._fail)
        self._patience = self.core.timers.start(self._outgoing.no_provisional_s, self._nobody_there)
        return transaction

    def _printed(self) -> PrintedRequest:
        via, branch = self.core.layer.via(self.flow)
        self._data = self._print(via)
        return PrintedRequest(self._data, "INVITE", branch, self.call_id, self.flow)

    def streams(self, flow: Flow) -> bool:
        """Unless UDP was asked for."""
        return self._outgoing.stream_if_big

    def _goes_by_stream(self) -> bool:
        """Whether it goes over a connection, and so does its call."""
        connection = connection_for(self.core, self, self.flow)
        if connection is None:
            return False
        self._datagrams, self.flow = self.flow, connection
        return True

    def _back_to_datagrams(self) -> bool:
        """TCP leads nowhere: it goes as a datagram all the same, if it went by TCP for its size."""
        if self._datagrams is None or self.state != "calling":
            return False
        takes_no_stream(self.core, self._datagrams)
        self.flow, self._datagrams = self._datagrams, None
        self._stop_patience()
        self._transaction = self._send()
        return True

    def _print(self, via: str) -> bytes:
        """The INVITE.  What the owner says has been looked through for line breaks."""
        outgoing = self._outgoing
        routes = "".join([f"Route: {route}\r\n" for route in outgoing.route]) if outgoing.route else ""
        ours = (self.contact_line(), self.allow, SUPPORTED, ("User-Agent", self.core.user_agent))
        head = (
            f"INVITE {outgoing.request_uri} SIP/2.0\r\n"
            f"Via: {via}\r\nMax-Forwards: {outgoing.max_forwards}\r\n{routes}"
            f"From: {outgoing.from_};tag={self.local_tag}\r\nTo: {outgoing.to}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {self._cseq} INVITE\r\n{print_lines(ours)}"
        )
        lines = (*self._authorization, *outgoing.headers)
        if outgoing.attached:
            kind, body = print_body(outgoing.body, outgoing.attached, self.core.chance.token())
            return print_message(head, (*lines, ("Content-Type", kind), _MIME), body)
        return print_message(head, with_sdp(lines, outgoing.body), outgoing.body)

    @property
    def request(self) -> Request:  # type: ignore[override]
        """The INVITE as it was sent last."""
        invite = parse(self._data)
        assert isinstance(invite, Request)
        return invite

    def contact_line(self) -> tuple[str, str]:
        """The Contact that the peer knows us by."""
        return self.core.contact(self.flow, self._outgoing.request_uri, self._outgoing.contact_user)

    # -- its answers -----------------------------------------------------------------------------------

    def _receive_answer(self, _: ClientTransaction, response: Response) -> None:
        if self._patience is not None:
            self._stop_patience()
        action = ANSWERS.get((self.state, _CLASS[response.status // 100]))
        if action is not None:
            getattr(self, action)(response)

    def _progress(self, response: Response) -> None:
        self.state = "proceeding"
        tag = response.to_tag
        if tag and tag not in self._early and len(self._early) < MAX_FORKS:
            self._early[tag] = self._dialog_by(response)
        self._progressed += 1
        if response.status == 100 or self._progressed > MOST_PROGRESS:
            return
        if is_reliable(response) and not self._acknowledged(response):
            return
        if response.status != 199:  # of one fork: the caller knows of a single early dialog (RFC 6228)
            of_another = self.settled and self._early.get(tag or "") is not self.dialog
            self.emit(Progress(response.status, response.reason, b"" if of_another else response.body))

    def _dialog_by(self, response: Response) -> Dialog:
        outgoing, tag = self._outgoing, self.local_tag
        dialog = dialog_of_ours(
            response,
            self.flow,
            uri=outgoing.request_uri,
            call_id=self.call_id,
            cseq=self._cseq,
            local=(f"{outgoing.from_};tag={tag}", tag),
        )
        dialog.may_stream = outgoing.stream_if_big
        return dialog

    def _acknowledged(self, response: Response) -> bool:
        """PRACK for a reliable 18x; False if it means nothing new (RFC 3262 section 4)."""
        dialog = self._early.get(response.to_tag or "")
        if dialog is None:
            return False
        if self._reliable is None:
            self._reliable = PeersProgress(self.core, self.credentials)
        if not self._reliable.take(response, dialog):
            return False
        if response.body and self._outgoing.body:
            self.dialog = dialog
            self.told = self._outgoing.body
            self.peer_allow = response.headers.get("Allow") or self.peer_allow
        return True

    @property
    def settled(self) -> bool:
        """Whether a reliable 18x has answered our offer, in the dialog that counts by now."""
        reliable, dialog = self._reliable, self.dialog
        return reliable is not None and dialog is not None and dialog.remote_tag in reliable.settled

    def _answered(self, response: Response) -> None:
        self.state = "answered"
        early, counted = self._early.pop(response.to_tag or "", None), self.dialog
        if early is None:
            early = self._dialog_by(response)
        else:
            early.confirm(response)
        self.dialog = early
        said = self._reliable.settled.get(early.remote_tag) if self._reliable is not None else None
        if said is None:
            said, self.told = response.body, self._outgoing.body
        elif counted is None or counted is early:
            said = b""  # as is known: no other fork has said anything reliably since
        self.peer_allow = response.headers.get("Allow") or self.peer_allow
        self.expiry_agreed(response)
        self._forks = self._forks_left(early.remote_tag, ELSEWHERE)
        self._transaction.hand_over(self._forks)
        self._early.clear()
        self.emit(Answered(said, response.headers))

    def _refused(self, response: Response) -> None:
        if response.status in (401, 407) and self._try_credentials(response):
            return
        self._leave_ringing(response)
        self.close()
        after = retry_after(response.headers.get("Retry-After"))
        self.emit(Refused(response.status, response.reason, "status", response.headers, after))

    def _try_credentials(self, response: Response) -> bool:
        if self._digest is None or not self._digest.accept(response):
            return False
        self._early.clear()
        self._reliable, self.dialog, self._datagrams, self._progressed = None, None, None, 0
        self._authorization = self._digest.headers("INVITE", self._outgoing.request_uri)
        self.state = "calling"
        self._transaction = self._send()
        return True

    def _crossed(self, response: Response) -> None:
        """The 200 that crossed our CANCEL: ACK and BYE."""
        forks = self._forks_left(None, self._cancel_headers)
        self._transaction.hand_over(forks)
        forks(self._transaction, response)
        self.close()

    def _forks_left(self, awaited: str | None, reason: str | None = None) -> Forks:
        """For which all further 2xx are; see there."""
        early = {} if self._reliable is None else dict(self._early)  # else nothing was said in them
        return Forks(self.core, self._data, self.flow, self.credentials, awaited, reason=reason, early=early)

    def _gone(self, response: Response) -> None:
        """The call that we cancelled is over."""
        self._leave_ringing(response)
        self.close()

    def _leave_ringing(self, refusal: Response) -> None:
        """Another fork may answer yet: ACK, BYE.  Over a connection (nothing is lost) it has rung before."""
        if not self._transaction.reliable or any(tag != refusal.to_tag for tag in self._early):
            self._transaction.leave_to(self._forks_left(None))

    def _fail(self, transaction: ClientTransaction, cause: Cause) -> None:
        if cause == "unreachable" and self._back_to_datagrams():
            return
        if cause == "unreachable" and self._progressed and transaction.reliable:
            call_off(self.core, transaction, self._forks_left(None))
        if self.state in ("calling", "proceeding"):
            answer = made_here(cause)
            self.emit(Refused(answer.status, answer.reason, cause, answer.headers))
        self.close()

    def _nobody_there(self) -> None:
        """Not even a 100: the destination counts as unreachable; should it answer yet, we cancel."""
        self._patience = None
        silent = self._transaction
        if self._back_to_datagrams():
            forks = Forks(self.core, silent.data, silent.flow, self.credentials, None, reason=None, early={})
            silent.leave_to(Abandoned(self.core, forks))
        elif self.state == "calling":
            self.emit(Refused(408, "Request Timeout", "unreachable", Headers()))
            self._cancel_later(None)

    # -- commands ----------------------------------------------------------------------------------------

    def ack(self, sdp: bytes = b"") -> None:
        """ACK to the 200, with an answer if the target made the offer; re-sent for each repeated 200."""
        if self.state == "answered" and self.dialog is not None and self._forks is not None:
            self.state = "up"
            self.told = sdp or self.told
            self._forks.acknowledge(self.dialog, self._cseq, self._authorization, sdp)
            self.go_on_offering()
        else:
            super().ack(sdp)

    def _leave(self, headers: Lines) -> None:
        action = HANG_UP.get(self.state)
        reason = headers[0][1] if headers else None
        if action == "cancel_later":
            self._cancel_later(reason)
        elif action == "cancel":
            self._cancel_later(reason)
            self._cancel(None)
        elif action == "ack_and_bye":
            self.ack()
            self._bye(headers)
        elif action == "say_bye":
            self._bye(headers)

    def _cancel_later(self, reason: str | None) -> None:
        self.state = "cancelling"
        self._cancel_headers = reason

    def _cancel(self, _: Response | None) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        transaction = self._transaction
        self.core.layer.cancel(transaction, self._cancel_headers)
        self.core.timers.start(LIMIT, self._cancel_unanswered)

    def _cancel_unanswered(self) -> None:
        """64*T1 after the CANCEL the INVITE is dead, whatever the peer thinks (9.1)."""
        if self.state == "cancelling":
            self._transaction.end()
            self.close()

    # -- the pieces ----------------------------------------------------------------------------------------

    def dialog_for(self, request: Named) -> Dialog | None:
        """The dialog, or before the answer the early dialog, that a request is in."""
        early = self._early.get(request.from_tag or "")
        if early is not None and early.matches(request):
            return early
        return super().dialog_for(request)

    def _receive_bye(self, request: Request, transaction: ServerTransaction) -> None:
        if self.state in ("proceeding", "cancelling"):  # section 15: a callee must not end an early dialog so
            transaction.respond(481)
        else:
            super()._receive_bye(request, transaction)

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _stop(self) -> None:
        self._stop_patience()
        self._early.clear()
        super()._stop()
