"""What is left to do for an INVITE of ours once it was accepted (RFC 3261 section 13.2.2.4).

A 200 may come again, and 200s of other forks may come, until timer M.  This small object stays
with the transaction for that long; the call itself may be over and gone before.
"""

from typing import Final

from edge.sip.client_transaction import ClientTransaction
from edge.sip.core import SDP, Core
from edge.sip.dialog import Dialog, dialog_of_ours
from edge.sip.events import Credentials, Flow
from edge.sip.exchange import MOST_OVER_UDP, Exchange, by_stream
from edge.sip.message import Request, Response
from edge.sip.parser import parse
from edge.sip.printing import Lines, PrintedRequest
from edge.sip.timers import LIMIT

MAX_FORKS: Final = 16
"""Dialogs that one INVITE of ours may make; answers of further ones are ignored."""


class Forks:
    """Re-sends the ACK to each repeated 200; a surplus one gets its ACK and a BYE.

    ``data`` is the INVITE as it was sent: one string of bytes is lighter than a message.  The 200 with the
    tag ``awaited`` is the owner's to acknowledge.  ``reason`` is what the peers of surplus ones are told;
    ``early`` are dialogs in which something was said before the answer: they go on, and count on.
    """

    __slots__ = ("_acks", "_awaited", "_core", "_credentials", "_data", "_early", "_flow", "_reason")

    def __init__(
        self,
        core: Core,
        data: bytes,
        flow: Flow,
        credentials: Credentials | None,
        awaited: str | None,
        *,
        reason: str | None,
        early: dict[str, Dialog],
    ) -> None:
        self._core = core
        self._data = data
        self._flow = flow
        self._credentials = credentials
        self._awaited = awaited
        self._reason = reason
        self._early = early
        self._acks: dict[str, PrintedRequest] = {}

    def acknowledge(self, dialog: Dialog, cseq: int, headers: Lines, sdp: bytes = b"") -> None:
        """Sends the ACK, and keeps it; ``headers`` are the credentials that the INVITE carried (22.1)."""
        lines = (*headers, SDP) if sdp else headers
        ack = dialog.request(self._core.layer, "ACK", lines, sdp, cseq)
        self._acks[dialog.remote_tag] = ack
        if len(ack.data) > MOST_OVER_UDP:  # should it not arrive by TCP, the repeated one is a datagram
            ack = by_stream(self._core, dialog, ack) or ack
        self._core.layer.send(ack.data, ack.flow, dialog.call_id)

    def __call__(self, transaction: ClientTransaction, response: Response) -> None:
        """Another 200, as the transaction tells its user."""
        tag = response.to_tag or ""
        known = self._acks.get(tag)
        if known is not None:
            self._acks[tag] = self._core.layer.repeat(known)
        elif tag != self._awaited and len(self._acks) < MAX_FORKS:
            self._end_surplus(response)

    def _end_surplus(self, response: Response) -> None:
        invite = parse(self._data)
        if not isinstance(invite, Request):
            return
        authorization = tuple([item for item in invite.headers if item[0] in _AUTHORIZATION])
        local = (invite.headers.get("From") or "", invite.from_tag or "")
        early = self._early.get(response.to_tag or "")
        if early is not None:
            early.confirm(response)
        dialog = early or dialog_of_ours(
            response, self._flow, uri=invite.uri, call_id=invite.call_id, cseq=invite.cseq, local=local
        )
        self.acknowledge(dialog, invite.cseq, authorization)
        lines = (("Reason", self._reason),) if self._reason else ()
        Exchange(self._core, dialog, "BYE", lines, credentials=self._credentials)


class Abandoned:
    """An INVITE of ours that was sent another way since, or given up: whoever takes it yet hears that it is
    no more."""

    __slots__ = ("_cancelled", "_core", "_forks")

    def __init__(self, core: Core, forks: Forks, *, cancelled: bool = False) -> None:
        self._core = core
        self._forks = forks
        self._cancelled = cancelled

    def __call__(self, transaction: ClientTransaction, response: Response) -> None:
        """An answer, as the transaction tells its user."""
        if response.status >= 300:
            return
        if response.status >= 200:
            self._forks(transaction, response)
        elif not self._cancelled:
            self._cancelled = True
            self._core.layer.cancel(transaction, None)
            self._core.timers.start(LIMIT, transaction.end)  # 9.1


def call_off(core: Core, lost: ClientTransaction, forks: Forks) -> None:
    """An INVITE of ours that rings, and whose connection is gone: it is taken back over another."""
    core.layer.revive(lost)
    lost.leave_to(Abandoned(core, forks, cancelled=True))
    core.layer.cancel(lost, None)
    core.timers.start(LIMIT, lost.end)


_AUTHORIZATION: Final = frozenset(("Authorization", "Proxy-Authorization"))
