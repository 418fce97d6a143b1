"""Our offers within a dialog: re-INVITE and UPDATE (RFC 3261 section 14, RFC 3311).

Before the call is answered only UPDATE may carry one, once a reliable 18x has completed the first
exchange (RFC 3262 section 5).
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from edge.sip.client_transaction import ClientTransaction
from edge.sip.core import SDP
from edge.sip.dialog import Dialog
from edge.sip.events import Ended, OfferAnswered, OfferRefused, Refreshed
from edge.sip.exchange import MOST_OVER_UDP, Exchange, by_stream
from edge.sip.headers import retry_after
from edge.sip.message import Response
from edge.sip.offering import OfferingUsage, is_open
from edge.sip.printing import Lines, PrintedRequest
from edge.sip.timers import LIMIT, Timer

Renewed = Callable[[bytes], bytes]
MAX_GLARES = 5
MOST_AFTER_S: Final = 10
"""Seconds that who still waits for an answer of ours names at most (14.2)."""
MOST_ACKS: Final = 8
"""Of so many offers a repeated 200 gets its ACK once more."""
SOON: Final = LIMIT / 4
"""Seconds for the answer to an offer that somebody's UPDATE waits for, and twice that in all."""


class _Wanted(NamedTuple):
    """What is to be offered, and how (``OwnOffer.want``); a refresh is ``quiet``."""

    sdp: bytes
    quiet: bool
    soon: bool
    renewed: Renewed | None


class OwnOffer:
    """Our re-INVITE or UPDATE: one at a time, the next one waits.

    ``soon``: it is an UPDATE if the peer takes one, which is answered without asking anybody, and
    else a re-INVITE that is given up in time for the peer's own UPDATE that waits for it.
    """

    __slots__ = (
        "_acks", "_asked", "_dialog", "_due", "_exchange", "_glares", "_method", "_quiet", "_renewed", "_sdp",
        "_soon", "_timer", "_usage", "_wanted",
    )  # fmt: skip

    def __init__(self, usage: OfferingUsage) -> None:
        self._usage = usage
        self._wanted: _Wanted | None = None
        self._sdp = b""
        self._exchange: Exchange | None = None
        self._acks: dict[int, PrintedRequest] = {}
        self._dialog: Dialog | None = None
        self._due = 0
        self._asked = False
        self._glares = 0
        self._quiet = False
        self._soon = False
        self._renewed: Renewed | None = None
        self._method = "INVITE"
        self._timer: Timer | None = None

    @property
    def pending(self) -> bool:
        """Whether our offer has no final answer yet, or its late offer no ACK."""
        return self._exchange is not None

    def want(self, sdp: bytes, *, soon: bool = False, renewed: Renewed | None = None) -> None:
        """Offers as soon as nothing else is under way.

        ``renewed`` makes what is sent out of what was wanted, if that had to wait.
        """
        self._next(_Wanted(sdp, False, soon, renewed))

    def refresh(self) -> None:
        """Repeats what the peer was told last; only its answer to that is told."""
        if not (self.pending or self._wanted is not None or self._timer is not None):
            self._next(_Wanted(b"", True, False, self._told_by_now))  # else what is under way refreshes too

    def _told_by_now(self, _: bytes) -> bytes:
        return self._usage.told

    def _next(self, wanted: _Wanted) -> None:
        self._wanted, self._glares = wanted, 0
        self.go_on()

    def go_on(self) -> None:
        """Sends what waits, if the way is free."""
        usage = self._usage
        busy = (
            self.pending or self._timer is not None or usage.peer_offer.pending or usage.unacked is not None
        )
        if self._wanted is not None and not busy and is_open(usage):
            # Until now these were of the one before: a refresh, say, whose answer is nobody's else.
            self._sdp, self._quiet, self._soon, self._renewed = self._wanted
            self._wanted = None
            if self._renewed is not None:
                self._sdp = self._renewed(self._sdp)
            self._send()

    def ack(self, sdp: bytes) -> None:
        """Our answer to the offer that the peer's 200 made."""
        if self._asked:
            self._asked = False
            self._usage.told = sdp or self._usage.told
            self._send_ack(sdp)
            self._done()

    def close(self) -> None:
        """The call ends: a 200 that is under way still gets its ACK, nothing else happens."""
        self._wanted = self._renewed = None
        self._stop_timer()
        if self._asked:
            self.ack(b"")
        elif self._exchange is not None:
            self._leave(self._exchange)

    def _send(self) -> None:
        usage = self._usage
        if usage.dialog is None:
            return
        self._dialog, self._due = usage.dialog, min(self._due, usage.dialog.local_cseq)
        early = usage.state != "up"
        self._method = "UPDATE" if early or (self._soon and self._sdp and usage.peer_updates) else "INVITE"
        headers = (usage.contact_line(), usage.allow, *usage.expiry_lines(), *((SDP,) if self._sdp else ()))
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
        if self._exchange is not None and self._dialog is not self._usage.dialog:
            # Another fork counts by now, and knows nothing of it: it may be tried again.
            self._exchange = None
            self._told_refused(491, "Request Pending")
        elif response.status < 300:
            self._accepted(response)
        elif self._exchange is not None:
            self._exchange = None
            self._refused(response)

    def _accepted(self, response: Response) -> None:
        usage = self._usage
        if response.cseq <= self._due or self._exchange is None or usage.dialog is None:
            self._ack_again(response.cseq)
            return
        usage.dialog.refresh(response)
        quiet, usage.told = self._quiet, self._sdp or usage.told
        self._due = response.cseq
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
        elif response.body:
            usage.emit(Refreshed(response.body))

    def _send_ack(self, sdp: bytes) -> None:
        if self._exchange is not None:
            self._acknowledge(self._due, self._exchange.authorization, sdp)

    def _acknowledge(self, cseq: int, login: Lines, sdp: bytes) -> None:
        """``login`` is what the INVITE was accepted with (13.2.2.4)."""
        usage = self._usage
        if usage.dialog is None:
            return
        headers = (*login, SDP) if sdp else login
        ack = usage.dialog.request(usage.core.layer, "ACK", headers, sdp, cseq)
        self._acks[cseq] = ack
        if len(self._acks) > MOST_ACKS:
            del self._acks[next(iter(self._acks))]
        if len(ack.data) > MOST_OVER_UDP:  # should it not arrive by TCP, the repeated one is a datagram
            ack = by_stream(usage.core, usage.dialog, ack) or ack
        usage.core.layer.send(ack.data, ack.flow, ack.call_id)

    def _ack_again(self, cseq: int) -> None:
        ack, dialog = self._acks.get(cseq), self._usage.dialog
        if ack is not None and dialog is not None:
            self._acks[cseq] = self._usage.core.layer.repeat(ack, dialog.hop)

    def _refused(self, response: Response) -> None:
        usage = self._usage
        if response.status in (408, 481):  # 12.2.1.2
            usage.break_off(Ended("gone" if response.status == 481 else "timeout", None))
        elif self._glares < MAX_GLARES and (after := self._comes_too_soon(response)) is not None:
            self._glares += 1
            self._timer = usage.core.timers.start(after, self._retry)
        elif response.status == 422 and usage.expiry_longer(response):
            self._retry()
        else:
            self._told_refused(response.status, response.reason)

    def _told_refused(self, status: int, reason: str) -> None:
        if not self._quiet:
            self._usage.emit(OfferRefused(status, reason))
        self.go_on()

    def _comes_too_soon(self, response: Response) -> float | None:
        """Seconds until it is tried again: the peer has an offer under way (491), or none of ours before this
        one answered (500 with Retry-After, 14.2), for which a peer's UPDATE does not wait."""
        if response.status == 491:
            return self._back_off()
        after = retry_after(response.headers.get("Retry-After"))
        if response.status != 500 or after is None or after > MOST_AFTER_S or self._soon:
            return None
        return max(float(after), self._back_off())

    def _back_off(self) -> float:
        """Seconds in units of 10 ms: the owner of the Call-ID waits longer (14.1)."""
        low, high = (2.1, 4.0) if self._usage.role == "client" else (0.0, 2.0)
        return round(self._usage.core.chance.uniform(low, high), 2)

    def _retry(self) -> None:
        self._timer = None
        if self._wanted is None:
            self._wanted = _Wanted(self._sdp, self._quiet, self._soon, self._renewed)
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
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._leave(exchange)
            self._told_refused(408, "Request Timeout")

    def _leave(self, exchange: Exchange) -> None:
        """The peer may accept it yet: what it is told then is what stands."""
        told = b"" if self._sdp else self._usage.told
        exchange.leave_to(partial(self._accepted_late, exchange.authorization, told))

    def _accepted_late(self, login: Lines, told: bytes, _: ClientTransaction, response: Response) -> None:
        """A 2xx to what was given up gets its ACK all the same: without one the peer ends the call (14.2)."""
        if response.status // 100 != 2 or response.cseq_method != "INVITE":
            return
        if response.cseq in self._acks:
            self._ack_again(response.cseq)
        else:
            self._acknowledge(response.cseq, login, told)

    def _done(self) -> None:
        self._exchange = None
        self.go_on()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
