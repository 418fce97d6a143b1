"""Our requests: the client machines (RFC 3261 section 17.1, RFC 6026).

Timer M keeps an accepted INVITE's transaction, so that repeated and forked 200s still find their
owner.
"""

from collections.abc import Callable
from typing import ClassVar, Literal

from edge.sip.derived import ack_for
from edge.sip.message import Response
from edge.sip.printing import PrintedRequest
from edge.sip.timers import LIMIT, T1, T2, T4
from edge.sip.transaction import Outlet, Table, Transaction, compile_table

Cause = Literal["timeout", "unreachable"]

INVITE_CLIENT: Table = {  # RFC 3261 17.1.1, RFC 6026 8.4
    ("calling", "1xx"): ("proceeding", "proceed"),
    ("calling", "2xx"): ("accepted", "accept"),
    ("calling", "3xx+"): ("completed", "refuse"),
    ("calling", "A"): ("calling", "resend"),
    ("calling", "B"): ("terminated", "time_out"),
    ("calling", "error"): ("terminated", "fail"),
    ("proceeding", "1xx"): ("proceeding", "deliver"),
    ("proceeding", "2xx"): ("accepted", "accept"),
    ("proceeding", "3xx+"): ("completed", "refuse"),
    ("proceeding", "error"): ("terminated", "fail"),
    ("accepted", "2xx"): ("accepted", "deliver"),
    ("accepted", "M"): ("terminated", "end"),
    ("completed", "2xx"): ("completed", "deliver"),  # of another fork: its proxy lets it through (16.7)
    ("completed", "3xx+"): ("completed", "ack_again"),
    ("completed", "D"): ("terminated", "end"),
    ("completed", "error"): ("terminated", "end"),
}

REQUEST_CLIENT: Table = {  # RFC 3261 17.1.2
    ("trying", "1xx"): ("proceeding", "slow_down"),
    ("trying", "2xx"): ("completed", "complete"),
    ("trying", "3xx+"): ("completed", "complete"),
    ("trying", "E"): ("trying", "resend_capped"),
    ("trying", "F"): ("terminated", "time_out"),
    ("trying", "error"): ("terminated", "fail"),
    ("proceeding", "1xx"): ("proceeding", "deliver"),
    ("proceeding", "2xx"): ("completed", "complete"),
    ("proceeding", "3xx+"): ("completed", "complete"),
    ("proceeding", "E"): ("proceeding", "resend_capped"),
    ("proceeding", "F"): ("terminated", "time_out"),
    ("proceeding", "error"): ("terminated", "fail"),
    ("completed", "K"): ("terminated", "end"),
}

_ANSWER = ("", "1xx", "2xx", "3xx+", "3xx+", "3xx+", "3xx+")

OnResponse = Callable[["ClientTransaction", Response], None]
OnFailure = Callable[["ClientTransaction", Cause], None]


class ClientTransaction(Transaction):
    """A request of ours (RFC 3261 section 17.1).

    ``on_response`` hears every answer that is not a repetition, and every 2xx to an INVITE;
    ``on_failure`` hears when there will be none.
    """

    __slots__ = ("_on_failure", "_on_response", "key")

    def __init__(
        self, outlet: Outlet, request: PrintedRequest, *, on_response: OnResponse, on_failure: OnFailure
    ) -> None:
        super().__init__(outlet, request.flow, request.call_id, request.data, self.first_state)
        self._on_response: OnResponse | None = on_response
        self._on_failure: OnFailure | None = on_failure
        self.key = (request.branch, request.method)

    first_state: ClassVar[str]
    repeat_event: ClassVar[str]
    limit_event: ClassVar[str]

    def start(self) -> None:
        """Sends the request and starts the timer."""
        if not self._outlet.send(self.data, self.flow, self.call_id):
            self._wait(0.0, "error")
        elif self.reliable:
            self._wait(LIMIT, self.limit_event)
        else:
            self._repeat_after(T1, self.repeat_event, self.limit_event)

    def receive(self, response: Response) -> None:
        """An answer to this request: a step, without the detour through ``step``."""
        row = self.rows.get((self.state, _ANSWER[response.status // 100]))
        if row is not None:
            self.state, action = row
            action(self, response)

    def deliver(self, response: Response) -> None:
        """The answer goes to the user."""
        if self._on_response is not None:
            self._on_response(self, response)

    def leave_to(self, on_response: OnResponse) -> None:
        """Nobody else hears of it any more."""
        self._on_failure = None
        self._on_response = on_response

    def hand_over(self, on_response: OnResponse) -> None:
        """Further 2xx go to ``on_response``; nothing else of the request is kept."""
        self.data = b""
        self._on_failure = None
        self._on_response = on_response

    def time_out(self, _: None) -> None:
        """Timer B or F."""
        self._give_up("timeout")

    def fail(self, _: None) -> None:
        """The transport could not deliver it."""
        self._give_up("unreachable")

    def end(self, _: None = None) -> None:
        """Out of the tables; nothing refers to the user any more."""
        self.stop_timer()
        self.state = "terminated"  # also when the user, not a row, ends it
        self._release()
        self._outlet.forget_client(self.key)

    def _release(self) -> OnResponse | None:
        """What only an unanswered request needs may go; answers who is to be told."""
        on_response, self._on_response = self._on_response, None
        self._on_failure = None
        return on_response

    def _give_up(self, cause: Cause) -> None:
        on_failure = self._on_failure
        self.end()
        if on_failure is not None:
            on_failure(self, cause)


class InviteClient(ClientTransaction):
    """INVITE of ours (17.1.1)."""

    __slots__ = ()
    first_state = "calling"
    repeat_event = "A"
    limit_event = "B"

    def resend(self, _: None) -> None:
        """Timer A: doubling without a cap."""
        self._outlet.send_again(self.data, self.flow, self.call_id)
        self._repeat_after(self._interval * 2, "A", "B")

    def proceed(self, response: Response) -> None:
        """Someone is there: neither repeat nor give up."""
        self.stop_timer()
        self.deliver(response)

    def accept(self, response: Response) -> None:
        """The first 2xx; others may follow, of this dialog or of a fork, until timer M."""
        self._linger(LIMIT, "M")
        self.deliver(response)

    def refuse(self, response: Response) -> None:
        """A refusal is acknowledged here, and again for each copy, until timer D."""
        self.data = ack_for(self.data, response)
        self._outlet.send(self.data, self.flow, self.call_id)
        on_response = self._release()
        if not self.reliable:
            self._linger(LIMIT, "D")
        if on_response is not None:
            on_response(self, response)
        if self.reliable and self._on_response is None:
            self.end()
        elif self.reliable:  # another fork is waited for
            self._linger(LIMIT, "D")

    def ack_again(self, _: Response) -> None:
        """Our ACK was lost."""
        self._outlet.send_again(self.data, self.flow, self.call_id)


class RequestClient(ClientTransaction):
    """Any other request of ours (17.1.2)."""

    __slots__ = ()
    first_state = "trying"
    repeat_event = "E"
    limit_event = "F"

    def resend_capped(self, _: None) -> None:
        """Timer E: doubling up to T2; T2 at once when there was a provisional answer."""
        self._outlet.send_again(self.data, self.flow, self.call_id)
        longer = T2 if self.state == "proceeding" else min(self._interval * 2, T2)
        self._repeat_after(longer, "E", "F")

    def slow_down(self, response: Response) -> None:
        """A provisional answer: timer E goes on, at T2 from its next turn."""
        self.deliver(response)

    def complete(self, response: Response) -> None:
        """The final answer; copies of it are absorbed until timer K."""
        on_response = self._release()
        self.data = b""
        if self.reliable:
            self.end()
        else:
            self._linger(T4, "K")
        if on_response is not None:
            on_response(self, response)


InviteClient.rows = compile_table(INVITE_CLIENT, InviteClient)
RequestClient.rows = compile_table(REQUEST_CLIENT, RequestClient)
