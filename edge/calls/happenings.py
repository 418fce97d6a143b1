"""What can happen to a call besides its legs' own SIP and media events, and how its story ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.media.engine import MediaEvent
from edge.model.decision import Disposition, HungUpBy
from edge.sip.events import InviteEvent

if TYPE_CHECKING:
    from edge.calls.leg import Leg


@dataclass(frozen=True, slots=True)
class SipHappened:
    """An event of a leg's INVITE dialog usage."""

    leg: "Leg"
    event: InviteEvent


@dataclass(frozen=True, slots=True)
class MediaHappened:
    """An event of a leg's media."""

    leg: "Leg"
    event: MediaEvent


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """Somebody other than the two parties ends the call: an admin, or the server as it stops."""

    by: HungUpBy
    detail: str


Happening = SipHappened | MediaHappened | HangUpAsked


class CallOver(Exception):
    """The call is over, whatever its story was about to do."""

    def __init__(
        self,
        by: HungUpBy,
        detail: str = "",
        disposition: Disposition | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(detail or by)
        self.by = by
        self.detail = detail
        self.disposition = disposition
        self.reason = reason
