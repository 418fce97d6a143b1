"""What the sockets bring in: judged by its source, kept unread for a while if it is a new call, else read."""

from collections.abc import Callable

import structlog

from edge.sip.arrivals import Arrivals, Unread, is_new_call
from edge.sip.complaints import Complaints
from edge.sip.events import Flow
from edge.sip.framer import Frame, Held, Keepalive, Verdict, read
from edge.sip.guard import Guard
from edge.sip.message import Request, Response, SipParseError
from edge.sip.stack import Stack
from edge.sip.transport import Transport

log = structlog.get_logger(__name__)


class Inlet:
    """The way in to the stack; what the connections call their ``StreamOwner``.

    ``over`` says whether a new call of an address is more than its trunk may send (None: there are no such
    limits); ``wake`` asks for the pump, ``arm`` for a look at the next deadline, ``soon`` runs something once
    the sockets have been looked at; ``cut_off`` is told of who is known and was not served a
    connection, and why.
    """

    def __init__(
        self,
        stack: Stack,
        guard: Guard,
        transport: Transport,
        complaints: Complaints,
        clock: Callable[[], float],
        *,
        over: Callable[[str], bool] | None,
        wake: Callable[[], None],
        arm: Callable[[], None],
        soon: Callable[[Callable[[], None]], object],
        cut_off: Callable[[str, str], None] = lambda host, why: None,
    ) -> None:
        self._stack, self._guard, self._transport, self._complaints = stack, guard, transport, complaints
        self._over, self._wake, self._arm, self._cut_off = over, wake, arm, cut_off
        self.arrivals = Arrivals(
            clock, self._serve, self._turn_away, lambda: soon(self.arrivals.go_on),
            limited=None if over is None else self._limited,
        )  # fmt: skip

    # -- datagrams -------------------------------------------------------------------------------------

    def on_datagram(self, data: bytes, flow: Flow) -> bool:
        """True if work was done for it: a new call waits until nothing else does."""
        if data.startswith(b"INVITE "):
            if self.arrivals.take(data, flow):
                return False
        elif data.startswith(b"ACK ") and self._stack.turned_away.acknowledged(data):
            return False
        elif data.startswith(b"CANCEL "):
            self.arrivals.bring(data)
        self._receive(data, flow)
        return True

    def on_undelivered(self, data: bytes) -> None:
        """A datagram of ours, of which this is the beginning, did not leave, or did not arrive (ICMP)."""
        self._stack.undelivered(data)
        self._arm()

    def _receive(self, data: bytes, flow: Flow) -> None:
        try:
            self._stack.receive(data, flow)
        except Exception:
            log.exception("sip_message_failed", remote=flow.remote[0], transport=flow.transport)
            self._wake()  # others' events may still wait
        self._arm()

    # -- new calls ---------------------------------------------------------------------------------------

    def _limited(self, message: Unread, flow: Flow) -> bool:
        """Whether a new call was one too many of its source, and has been turned away, unread."""
        if self._over is None or not self._over(flow.remote[0]):
            return False
        return self._stack.turn_away(_head(message), flow, 1)

    def _serve(self, message: Unread, flow: Flow) -> None:
        """There is time for a new call; if its connection has ended meanwhile nobody waits for it."""
        if isinstance(message, bytes):
            self._receive(message, flow)
        elif not self._transport.alive(flow):
            self._stack.count("dropped_gone")
        else:
            found = read(message)
            self._receive_framed(found, flow)
            if isinstance(found, SipParseError) and found.close:
                self._transport.hang_up(flow)

    def _turn_away(self, message: Unread, flow: Flow) -> None:
        """No time for a new call: 503, and nothing at all for strangers."""
        if not self._guard.is_free(flow.remote[0]):
            self._stack.count("dropped_stranger")
        elif not self._stack.turn_away(_head(message), flow):
            self._serve(message, flow)

    # -- connections -------------------------------------------------------------------------------------

    def admits(self, host: str, cost: float = 1.0) -> bool:
        """Whether to take a connection from there, which counts for so many messages."""
        return self._guard.lets_in(host, cost)

    def pause_s(self, host: str, size: int = 0) -> float | None:
        """Seconds not to read on after a message (or a part of one, so large) from there; None: nothing more
        is read of it."""
        return self._guard.pause_s(host, size)

    def judge(self, head: bytes, flow: Flow) -> Verdict:
        """What becomes of a stream's message: a new call waits, or is too many of its trunk and answered."""
        if is_new_call(head):
            return "skip" if self._limited(Held(head, b""), flow) else "hold"
        if head.startswith(b"CANCEL "):
            self.arrivals.bring(head)
        away = head.startswith(b"ACK ") and self._stack.turned_away.acknowledged(head)
        return "skip" if away else "read"

    def is_known(self, host: str) -> bool:
        """Whether an address that is admitted is a trunk's, a target's, or has logged in."""
        return self._guard.is_free(host)

    def pongs(self, flow: Flow) -> bool:
        """Whether a connection's ping gets its pong: nobody learns from it that SIP is spoken here."""
        return self._guard.is_free(flow.remote[0]) or self._stack.answers_strangers

    def on_frame(self, frame: Frame, flow: Flow) -> None:
        """A message of a connection, or what was none: a new call waits until nothing else does."""
        if isinstance(frame, Held):
            self.arrivals.hold(frame, flow)
        else:
            self._receive_framed(frame, flow)

    def _receive_framed(self, frame: Request | Response | Keepalive | SipParseError, flow: Flow) -> None:
        try:
            if isinstance(frame, SipParseError):
                self._stack.receive_error(frame, flow)
            elif not isinstance(frame, Keepalive):
                self._stack.receive_message(frame, flow)
        except Exception:
            log.exception("sip_message_failed", remote=flow.remote[0], transport=flow.transport)
            self._wake()  # others' events may still wait
        self._arm()

    def on_lost(self, flow: Flow) -> None:
        """A connection is gone, or was never made."""
        self._stack.transport_failed(flow)

    def on_refused(self, why: str, flow: Flow) -> None:
        """A connection too many, or without a TLS handshake, was closed."""
        self._stack.count("dropped_connection")
        self._complaints.note(why, flow)
        if self._guard.is_free(flow.remote[0]):
            self._cut_off(flow.remote[0], why)

    def in_use(self, flow: Flow) -> bool:
        """Whether a dialog still needs an idle connection."""
        return self._stack.uses(flow)


def _head(message: Unread) -> bytes:
    """The header block; of a datagram without an end of it nothing."""
    if not isinstance(message, bytes):
        return message.head
    head, end, _ = message.partition(b"\r\n\r\n")
    return head if end else b""
