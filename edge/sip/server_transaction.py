"""Requests to us: the server machines (RFC 3261 section 17.2, RFC 6026).

Timer L keeps an accepted INVITE's transaction as a small tombstone, so that late copies of the
INVITE are absorbed.
"""

from typing import ClassVar, Final, Protocol

from edge.sip.events import Flow, default_port
from edge.sip.message import Request
from edge.sip.printing import Lines, print_answer
from edge.sip.timers import LIMIT, T1, T2, T4
from edge.sip.transaction import Outlet, Table, Transaction, compile_table
from edge.sip.via import parse_via

INVITE_SERVER: Table = {  # RFC 3261 17.2.1, RFC 6026 8.5 and 8.7
    ("proceeding", "request"): ("proceeding", "repeat"),
    ("proceeding", "send 1xx"): ("proceeding", "reply"),
    ("proceeding", "send 2xx"): ("accepted", "accept"),
    ("proceeding", "send 3xx+"): ("completed", "refuse"),
    ("accepted", "request"): ("accepted", "absorb"),
    ("accepted", "send 2xx"): ("accepted", "repeat"),
    ("accepted", "L"): ("terminated", "end"),
    ("completed", "request"): ("completed", "repeat"),
    ("completed", "G"): ("completed", "resend"),
    ("completed", "ack"): ("confirmed", "confirm"),
    ("completed", "H"): ("terminated", "end"),
    ("confirmed", "request"): ("confirmed", "absorb"),
    ("confirmed", "ack"): ("confirmed", "absorb"),
    ("confirmed", "I"): ("terminated", "end"),
}

REQUEST_SERVER: Table = {  # RFC 3261 17.2.2
    ("trying", "request"): ("trying", "absorb"),
    ("trying", "send 1xx"): ("proceeding", "reply"),
    ("trying", "send 2xx"): ("completed", "complete"),
    ("trying", "send 3xx+"): ("completed", "complete"),
    ("proceeding", "request"): ("proceeding", "repeat"),
    ("proceeding", "send 1xx"): ("proceeding", "reply"),
    ("proceeding", "send 2xx"): ("completed", "complete"),
    ("proceeding", "send 3xx+"): ("completed", "complete"),
    ("completed", "request"): ("completed", "repeat"),
    ("completed", "J"): ("terminated", "end"),
}

_SENT = ("", "send 1xx", "send 2xx", "send 3xx+", "send 3xx+", "send 3xx+", "send 3xx+")

ServerKey = tuple[str | int | None, ...]


def server_key(request: Request, method: str) -> ServerKey:
    """What a retransmission of ``request``, its ACK and its CANCEL share (17.2.3).

    ``method`` is that of the transaction looked for: INVITE for an ACK or a CANCEL.  Branches
    without the magic cookie, or with nothing after it, are matched as RFC 2543 wanted it.
    """
    via = request.via
    branch = via.branch
    if len(branch) > len(_COOKIE) and branch.startswith(_COOKIE):
        return (branch, via.host, via.port, method)
    return (via.host, via.port, branch, request.call_id, request.cseq, request.from_tag, method)


_COOKIE = "z9hG4bK"
MOST_KEPT: Final = 8_192
"""Octets of an answer within a call (most of them are the request's own Vias) that is kept for 32 s."""


def _top_via(answer: bytes) -> str:
    """The first header of an answer as it was printed."""
    line = answer.split(b"\r\n", 2)[1]
    return line.partition(b": ")[2].decode("utf-8", "surrogateescape")


class Cancellable(Protocol):
    """The owner of an INVITE that has no final answer yet."""

    def cancelled(self, transaction: "ServerTransaction", cancel: Request) -> None:
        """CANCEL has come for it."""


class ServerTransaction(Transaction):
    """A request to us that is being answered.  ``to_tag`` goes into every answer but 100."""

    __slots__ = ("key", "merge_key", "owner", "request", "to_tag")

    def __init__(
        self, outlet: Outlet, request: Request, key: ServerKey, flow: Flow, to_tag: str | None
    ) -> None:
        super().__init__(outlet, flow, request.call_id, b"", self.first_state)
        self.request: Request | None = request
        self.key = key
        self.merge_key: tuple[str, ...] | None = None
        self.owner: Cancellable | None = None
        self.to_tag = to_tag

    first_state: ClassVar[str]

    @property
    def answered(self) -> bool:
        """Whether a final answer has been sent."""
        return self.state not in ("trying", "proceeding")

    def respond(self, status: int, reason: str | None = None, headers: Lines = (), body: bytes = b"") -> None:
        """Answers; does nothing when a final answer has been sent already.

        Raises ValueError for CR or LF in the reason or the headers.
        """
        if self.request is None:
            return
        to_tag = self.to_tag if status > 100 else None
        data = print_answer(self.request, status, reason, to_tag, lines=headers, body=body)
        row = self.rows.get((self.state, _SENT[status // 100]))
        if row is not None:
            self.state, action = row
            action(self, data)

    def receive(self, request: Request) -> None:
        """A retransmission, or the ACK to a refusal."""
        self.step("ack" if request.method == "ACK" else "request")

    def reply(self, data: bytes) -> None:
        """Sends it, and keeps it for whoever asks again."""
        self.data = data
        if not self._outlet.send(data, self.flow, self.call_id):
            self._dial_back()

    def repeat(self, _: None) -> None:
        """They ask again, or no ACK has come: the last answer, if there is one."""
        if self.data and not self._outlet.send_again(self.data, self.flow, self.call_id):
            self._dial_back()

    def _dial_back(self) -> None:
        """The answer goes over another connection, as the one that it was due on is gone (18.2.2)."""
        via = parse_via(_top_via(self.data)) if self.reliable else None
        if via is not None:
            port = via.port or default_port(self.flow.transport)
            self.flow = self._outlet.dial_back(self.flow, via.host, port)
            self._outlet.send(self.data, self.flow, self.call_id)

    def end(self, _: None = None) -> None:
        """Out of the tables."""
        self.stop_timer()
        self.state = "terminated"
        self._release()
        self._outlet.forget_server(self.key, self.merge_key)

    def _release(self) -> None:
        """What only an unanswered request needs may go."""
        self.request = self.owner = None


class InviteServer(ServerTransaction):
    """INVITE to us (17.2.1)."""

    __slots__ = ()
    first_state = "proceeding"

    def accept(self, data: bytes) -> None:
        """The first 2xx.  Its repetition until the ACK is its owner's work (13.3.1.4)."""
        self.reply(data)
        self._release()
        self._linger(LIMIT, "L")

    def repeat_answer(self) -> None:
        """The owner repeats its 2xx, as its ACK has not come."""
        self.step("send 2xx")

    def acknowledged(self) -> None:
        """The ACK to the 2xx has come: from here on this is a tombstone."""
        self.data = b""

    def refuse(self, data: bytes) -> None:
        """300 and above: repeated (over UDP) until its ACK comes, or timer H."""
        self.reply(data)
        self._release()
        if self.reliable:
            self._wait(LIMIT, "H")
        else:
            self._repeat_after(T1, "G", "H")

    def resend(self, _: None) -> None:
        """Timer G: doubling up to T2."""
        self.repeat(None)
        self._repeat_after(min(self._interval * 2, T2), "G", "H")

    def confirm(self, _: None) -> None:
        """The ACK has come; copies of it are absorbed until timer I."""
        self.data = b""
        if self.reliable:
            self.end()
        else:
            self._linger(T4, "I")


class RequestServer(ServerTransaction):
    """Any other request to us (17.2.2)."""

    __slots__ = ()
    first_state = "trying"

    def complete(self, data: bytes) -> None:
        """The final answer, given again for each copy until timer J, if it is no larger than answers are."""
        self.reply(data)
        self._release()
        if len(data) > MOST_KEPT:
            self.data = b""
        if self.reliable:
            self.end()
        else:
            self._linger(LIMIT, "J")


InviteServer.rows = compile_table(INVITE_SERVER, InviteServer)
RequestServer.rows = compile_table(REQUEST_SERVER, RequestServer)
