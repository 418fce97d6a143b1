"""One INVITE dialog usage: a call to us, or a call of ours (RFC 3261 sections 12 to 15).

``Invite`` is what a leg holds: commands in, events out through ``on_event``.
"""

from collections.abc import Callable
from typing import Literal

from edge.sip.events import Flow, InviteEvent
from edge.sip.message import Request


class Invite:
    """One side of a call.  Commands are plain calls that never block; in a state where a command
    has no meaning it does nothing (the crossing has been dealt with by the state table).

    ``on_event`` is called for every event, in order, never from inside a command.  Until it is
    set, events wait.
    """

    role: Literal["server", "client"]
    call_id: str                     # the SIP Call-ID
    request: Request                 # the initial INVITE, as received or as sent
    flow: Flow | None                # server: where it came from
    peer_id: str                     # server: what the access policy said
    offer: bytes                     # server: the INVITE's SDP, empty for a late offer
    on_event: Callable[[InviteEvent], None] | None

    # server commands
    def progress(self, status: int, sdp: bytes = b"") -> None:
        """180 or 183 to the caller, perhaps with early media."""
    def answer(self, sdp: bytes) -> None:
        """200 to the caller (our offer, if the INVITE had none); repeated until its ACK."""
    def reject(self, status: int, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A final answer ≥ 300 before the call is up."""

    # client commands
    def ack(self, sdp: bytes = b"") -> None:
        """ACK to the 200, with an answer if the target made the offer; re-sent for each repeated 200."""

    # both
    def hang_up(self, reason: str | None = None) -> None:
        """Ends it by whatever the state asks for: CANCEL, BYE, 480, ACK and BYE when 200 crosses.

        ``reason`` is a Reason header's value.  No event follows a hang-up of ours.
        """
    def offer_again(self, sdp: bytes) -> None:
        """Sends a re-INVITE (empty: ask the peer for an offer).  Glare is retried as RFC 3261 14.1 says."""
    def accept_offer(self, sdp: bytes) -> None:
        """Answers the pending ``Offered``."""
    def refuse_offer(self, status: int, reason: str | None = None) -> None:
        """Refuses the pending ``Offered``: the peer goes on as before."""
    def info(self, content_type: str, body: bytes) -> None:
        """Sends an INFO within the dialog."""
