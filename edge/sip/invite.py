"""One INVITE dialog usage: a call to us, or a call of ours (RFC 3261 sections 12 to 15).

``Invite`` is what a leg holds: commands in, events out through ``on_event``.  This module has what
both sides share, that is, everything within the established dialog; how one comes about is in
``invite_server`` and ``invite_client``.
"""

from collections.abc import Callable
from typing import Literal

from edge.sip.core import ACCEPT, ALLOW, SUPPORTED, Core
from edge.sip.dialog import Dialog, Named
from edge.sip.events import Credentials, Ended, Flow, Info
from edge.sip.exchange import Exchange
from edge.sip.expiry import ExpiryTimer
from edge.sip.headers import writable
from edge.sip.message import Request, Response
from edge.sip.peer_offer import PeerOffer
from edge.sip.printing import Lines
from edge.sip.reason import reason_in
from edge.sip.refer import ALLOW_REFER, Referrals
from edge.sip.reoffer import OwnOffer, Renewed
from edge.sip.server_transaction import ServerTransaction
from edge.sip.teller import Teller
from edge.sip.unacked import UnackedAnswer

State = Literal["trying", "early", "calling", "proceeding", "cancelling", "answered", "up", "leaving", "over"]
"""Server: trying, early, answered (its ACK is due), up.  Client: calling, proceeding, answered (our
ACK is due), up, or cancelling.  Both: leaving (hung up, BYE not answered yet), over."""


class Invite(Teller):
    """One side of a call.  Commands are plain calls that never block; in a state where a command
    has no meaning it does nothing (the crossing has been dealt with by the state table).

    ``on_event`` is called for every event, in order, never from inside a command.  Until it is
    set, events wait.

    ``role`` is ``server`` for a call to us; ``call_id`` the SIP Call-ID; ``request`` the initial
    INVITE as received or sent; ``flow`` where it came from or went to; ``peer_id`` what the access
    policy said (server), or the owner (client); ``offer`` the INVITE's SDP, empty for a late offer.
    ``on_closed`` is called once when nothing more comes of it: our BYE or CANCEL has had its answer, too.
    """

    # A dictionary of so many attributes would cost more than what is in it.
    __slots__ = (
        "_expiry", "_own_offer", "_peer_offer", "_referrals", "allow", "call_id", "credentials", "dialog",
        "flow", "local_tag", "offer", "on_closed", "peer_allow", "peer_id", "state", "told", "unacked",
    )  # fmt: skip
    role: Literal["server", "client"]

    def __init__(self, core: Core, call_id: str, flow: Flow, offer: bytes, peer_id: str = "") -> None:
        super().__init__(core)
        self.call_id = call_id
        self.flow: Flow = flow
        self.peer_id = peer_id
        self.offer = offer
        self.state: State = "trying"
        self.dialog: Dialog | None = None
        self.credentials: Credentials | None = None
        self.local_tag = core.chance.token()
        self.unacked: UnackedAnswer | None = None
        self._peer_offer: PeerOffer | None = None
        self._own_offer: OwnOffer | None = None
        self.on_closed: Callable[[], None] | None = None
        self.told = b""
        self.peer_allow = ""
        self.allow = ALLOW
        self._expiry: ExpiryTimer | None = None
        self._referrals: Referrals | None = None

    request: Request

    # -- transfers: few peers may -----------------------------------------------------------------------

    @property
    def takes_refer(self) -> bool:
        """Whether the peer may transfer its call."""
        return self._referrals is not None

    def let_refer(self) -> None:
        """The peer may transfer its call from now on."""
        self._referrals, self.allow = Referrals(self), ALLOW_REFER

    # -- offers within the dialog: most calls need none ------------------------------------------------

    @property
    def peer_offer(self) -> PeerOffer:
        """The peer's re-INVITEs and UPDATEs."""
        if self._peer_offer is None:
            self._peer_offer = PeerOffer(self)
        return self._peer_offer

    @property
    def own_offer(self) -> OwnOffer:
        """Our re-INVITEs."""
        if self._own_offer is None:
            self._own_offer = OwnOffer(self)
        return self._own_offer

    def go_on_offering(self) -> None:
        """The first ACK is through: an offer that waited for it may go."""
        if self._own_offer is not None:
            self._own_offer.go_on()

    @property
    def settled(self) -> bool:
        """Whether offer and answer are complete before the call is answered (RFC 3262 section 5)."""
        return False

    @property
    def told_early(self) -> bool:
        """Whether a description of ours has gone with a reliable 18x: the 200 brings no other."""
        return False

    @property
    def owes_answer(self) -> bool:
        """Whether our 200 has yet to go, or never went: it waits for the PRACK of what went before."""
        return False

    @property
    def early_offer(self) -> Literal["", "may", "must"]:
        """Whether ``progress`` may, or has to, bring an offer to a caller that made none."""
        return ""

    @property
    def may_offer(self) -> bool:
        """Whether an offer of ours may go now or soon: before the answer only UPDATE carries one."""
        return self.state in ("answered", "up") or (self.settled and self.peer_updates)

    @property
    def peer_updates(self) -> bool:
        """Whether the peer takes UPDATE (RFC 3311 section 5.1)."""
        return "UPDATE" in [method.strip() for method in self.peer_allow.split(",")]

    # -- session timers: most peers want none ----------------------------------------------------------

    def expiry_answer(self, request: Request) -> Lines:
        """What a 2xx of ours says of session timers."""
        if self._expiry is None and "Session-Expires" not in request.headers:
            return ()
        return self._expiry_timer().answer(request)

    def expiry_agreed(self, response: Response) -> None:
        """A 2xx to a request of ours."""
        if self._expiry is not None or "Session-Expires" in response.headers:
            self._expiry_timer().agreed(response)

    def expiry_longer(self, refusal: Response) -> bool:
        """Whether a 422 wants a longer interval of a request of ours, with which it is due again."""
        return self._expiry is not None and self._expiry.longer(refusal)

    def expiry_lines(self) -> Lines:
        """What a re-INVITE of ours says of session timers."""
        return () if self._expiry is None else self._expiry.lines()

    def _expiry_timer(self) -> ExpiryTimer:
        if self._expiry is None:
            self._expiry = ExpiryTimer(self)
        return self._expiry

    def refresh_by_offer(self) -> None:
        """A re-INVITE with what the peer was told last, of which nobody need hear."""
        self.own_offer.refresh()

    def contact_line(self) -> tuple[str, str]:
        """Our Contact toward this peer."""
        return self.core.contact(self.flow, self.request.uri)

    # -- commands that only one role has; in the other they have no meaning ------------------------

    def progress(self, status: int, sdp: bytes = b"") -> None:
        """180 or 183 to the caller, perhaps with early media (server)."""

    def answer(self, sdp: bytes) -> None:
        """200 to the caller (our offer, if the INVITE had none); repeated until its ACK (server)."""

    def reject(self, status: int, reason: str | None = None, headers: Lines = ()) -> None:
        """A final answer ≥ 300 before the call is up (server)."""

    # -- commands of both ----------------------------------------------------------------------------

    def ack(self, sdp: bytes = b"") -> None:
        """ACK to the 200, with an answer if the peer made the offer; re-sent for each repeated 200."""
        self.own_offer.ack(sdp)

    def hang_up(self, reason: str | None = None) -> None:
        """Ends it by whatever the state asks for: CANCEL, BYE, 480, ACK and BYE when 200 crosses.

        ``reason`` is a Reason header's value (RFC 3326).  No event follows a hang-up of ours.
        """
        self._silent = True
        self._leave((("Reason", writable(reason)),) if reason else ())

    def offer_again(self, sdp: bytes, *, soon: bool = False, renewed: Renewed | None = None) -> None:
        """Sends a re-INVITE (empty: ask the peer for an offer).  Glare is retried as RFC 3261 14.1 says.

        Before the answer it is an UPDATE, and where the answer is needed ``soon`` if the peer takes one.
        While another offer is under way it waits; a newer one replaces it.  ``renewed`` is then asked what
        to send instead, as the peer may have been told something meanwhile.
        """
        self.own_offer.want(sdp, soon=soon, renewed=renewed)

    def accept_offer(self, sdp: bytes) -> bool:
        """Answers the pending ``Offered``; False if the peer has taken it back: all is as before it."""
        accepted = self.peer_offer.accept(sdp)
        if accepted:
            self.told = sdp
        return accepted

    def refuse_offer(self, status: int, reason: str | None = None) -> None:
        """Refuses the pending ``Offered``: the peer goes on as before."""
        self.peer_offer.refuse(status, reason)

    def info(self, content_type: str, body: bytes) -> None:
        """Sends an INFO within the dialog (RFC 6086)."""
        if self.state == "up" and self.dialog is not None:
            Exchange(
                self.core, self.dialog, "INFO", (("Content-Type", content_type),), body,
                on_answer=self._on_info_answer, credentials=self.credentials,
            )  # fmt: skip

    # -- requests of the peer within the dialog ------------------------------------------------------

    def dialog_for(self, request: Named) -> Dialog | None:
        """The dialog of this usage that a request is in."""
        dialog = self.dialog
        return dialog if dialog is not None and dialog.matches(request) else None

    def uses(self, flow: Flow) -> bool:
        """Whether the dialog's next request would go over this flow."""
        return self.dialog is not None and self.dialog.flow == flow

    def receive(self, request: Request, dialog: Dialog, transaction: ServerTransaction) -> None:
        """A request within the dialog, in order."""
        if request.method == "BYE":
            self._receive_bye(request, transaction)
        elif self.state in ("leaving", "over"):
            transaction.respond(481)
        elif request.method == "INVITE":
            self.peer_offer.receive_invite(request, transaction)
        elif request.method == "UPDATE":
            self.peer_offer.receive_update(request, dialog, transaction)
        elif request.method == "REFER" and self._referrals is not None:
            self._referrals.receive(request, transaction)
        elif request.method == "PRACK":
            self._receive_prack(request, dialog, transaction)
        elif request.method == "INFO":
            transaction.respond(200)
            if self.state == "up":
                self.emit(Info(request.headers.get("Content-Type") or "", request.body))
        else:  # OPTIONS: the stack lets nothing else in
            transaction.respond(200, headers=(self.allow, ACCEPT, SUPPORTED))

    def receive_ack(self, request: Request) -> None:
        """The ACK to a 2xx of ours; any other is a stray."""
        unacked = self.unacked
        if unacked is not None and unacked.cseq == request.cseq:
            self.unacked = None
            unacked.stop()
            self._acked(request)

    def await_ack(self, unacked: UnackedAnswer) -> None:
        """A 2xx of ours has been sent and is repeated."""
        self.unacked = unacked

    def on_no_ack(self) -> None:
        """No ACK within 64*T1: the call is broken (13.3.1.4, 14.2)."""
        self.unacked = None
        self.break_off(Ended("no_ack", None))

    def break_off(self, event: Ended) -> None:
        """The dialog can not go on: the owner is told, the peer gets a BYE, or what stands for it earlier."""
        if self.state in ("early", "proceeding"):
            self.emit(event)
            self._leave(())
        elif self.state not in ("cancelling", "leaving", "over"):
            self.emit(event)
            self._bye(())

    def _acked(self, request: Request) -> None:
        """The peer's ACK: an answer to an offer of ours, perhaps."""
        self.peer_offer.acked(request)

    def _receive_bye(self, request: Request, transaction: ServerTransaction) -> None:
        transaction.respond(200)  # also while our own BYE is under way: the two cross
        if self.state not in ("leaving", "over"):
            self.emit(Ended("peer", reason_in(request.headers)))
            self.close()

    def _receive_prack(self, request: Request, dialog: Dialog, transaction: ServerTransaction) -> None:
        """PRACK of nothing that we sent (RFC 3262 section 3)."""
        transaction.respond(481)

    def _on_info_answer(self, response: Response) -> None:
        if response.status == 481:
            self.break_off(Ended("gone", None))

    # -- the end -----------------------------------------------------------------------------------------

    def _leave(self, headers: Lines) -> None:
        """A hang-up in the present state."""
        if self.state == "up":
            self._bye(headers)

    def _bye(self, headers: Lines) -> None:
        """Sends BYE; the dialog stays known until that is answered, for a BYE that crosses it."""
        self._stop()
        self.state = "leaving"
        if self.dialog is not None:
            Exchange(
                self.core, self.dialog, "BYE", headers, on_answer=self._left, credentials=self.credentials
            )

    def _left(self, _: Response) -> None:
        self.close()

    @property
    def closing(self) -> bool:
        """Whether a hang-up of ours still waits for the peer's answer."""
        return self.state in ("leaving", "cancelling")

    def close(self) -> None:
        """Nothing more will come of this usage, and nobody finds it any more."""
        self._stop()
        self.state = "over"
        self.core.usages.pop(self.local_tag, None)
        if self.on_closed is not None:
            self.on_closed()
            self.on_closed = None

    def _stop(self) -> None:
        if self.unacked is not None:
            self.unacked.stop()
            self.unacked = None
        if self._peer_offer is not None:
            self._peer_offer.close()
        if self._own_offer is not None:
            self._own_offer.close()
        if self._referrals is not None:
            self._referrals.close()
        if self._expiry is not None:
            self._expiry.stop()
