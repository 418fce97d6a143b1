"""What both directions of offers within a dialog need of the usage that they belong to."""

from typing import Protocol

from edge.sip.core import Core
from edge.sip.dialog import Dialog
from edge.sip.events import Credentials, Ended, Flow, InviteEvent
from edge.sip.message import Request, Response
from edge.sip.printing import Lines
from edge.sip.unacked import UnackedAnswer


class Pending(Protocol):
    """Offers of one direction, as the other sees them."""

    @property
    def pending(self) -> bool:
        """Whether one has no answer yet."""
        ...


class Waiting(Pending, Protocol):
    """Our own offers, which wait for the peer's."""

    def go_on(self) -> None:
        """Sends what waits, if the way is free."""
        ...


class OfferingUsage(Protocol):
    """The usage that the offers belong to."""

    core: Core
    dialog: Dialog | None
    flow: Flow
    request: Request
    credentials: Credentials | None
    unacked: UnackedAnswer | None
    told: bytes
    allow: tuple[str, str]

    def contact_line(self) -> tuple[str, str]:
        """Our Contact."""
        ...

    def expiry_answer(self, request: Request) -> Lines:
        """What a 2xx says of session timers."""
        ...

    def expiry_lines(self) -> Lines:
        """What a re-INVITE says of session timers."""
        ...

    def expiry_agreed(self, response: Response) -> None:
        """A 2xx to our re-INVITE."""
        ...

    def expiry_longer(self, refusal: Response) -> bool:
        """Whether the 422 to our re-INVITE wants a longer interval, with which it is due again."""
        ...

    @property
    def peer_offer(self) -> Pending:
        """The peer's re-INVITEs and UPDATEs."""
        ...

    @property
    def own_offer(self) -> Waiting:
        """Our re-INVITEs and UPDATEs."""
        ...

    @property
    def role(self) -> str:
        """``client`` owns the Call-ID."""
        ...

    @property
    def state(self) -> str:
        """``up`` once the first ACK has been sent or received."""
        ...

    @property
    def settled(self) -> bool:
        """Whether the first exchange was complete before the answer."""
        ...

    @property
    def peer_updates(self) -> bool:
        """Whether the peer takes UPDATE."""
        ...

    def emit(self, event: InviteEvent) -> None:
        """Queues an event for the owner."""
        ...

    def await_ack(self, unacked: UnackedAnswer) -> None:
        """A 2xx of ours has been sent and is repeated."""
        ...

    def on_no_ack(self) -> None:
        """No ACK came to a 2xx of ours."""
        ...

    def break_off(self, event: Ended) -> None:
        """The dialog can not go on."""
        ...


def is_open(usage: OfferingUsage) -> bool:
    """Whether offers may pass at all, in this state."""
    return usage.state == "up" or (usage.settled and usage.state in ("early", "proceeding"))
