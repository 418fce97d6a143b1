"""What can happen to a call besides its legs' own SIP and media events, and how its story ends."""

from asyncio import Future
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge.media.engine import MediaEvent
from edge.media.sdp import Description
from edge.model.decision import Disposition, HungUpBy
from edge.sip.events import Cancelled, Ended, InviteEvent, Offered, Referred, Refreshed, Replaced

if TYPE_CHECKING:
    from edge.calls.leg import Leg


class SipHappened(NamedTuple):
    """An event of a leg's INVITE dialog usage."""

    leg: "Leg"
    event: InviteEvent


class MediaHappened(NamedTuple):
    """An event of a leg's media."""

    leg: "Leg"
    event: MediaEvent


@dataclass(frozen=True, slots=True)
class HangUpAsked:
    """Somebody other than the two parties ends the call: an admin, or the server as it stops."""

    by: HungUpBy
    detail: str


class CallerSaid(NamedTuple):
    """An event of a caller that has no leg yet, for its call waits for media ports."""

    event: InviteEvent


@dataclass(frozen=True, slots=True)
class PortsReady:
    """The media ports are there that the call waited for."""


@dataclass(frozen=True, slots=True)
class PartyWanted:
    """A transfer wants the other party of this call: ``leg`` is the dialog that it replaces, ``by`` the id
    of the call that asks.  ``granted`` gets the party's leg, None if it can not be lent."""

    leg: "Leg"
    by: str
    granted: "Future[Leg | None]"

    def refuse(self) -> None:
        """The call is in no state for it."""
        if not self.granted.done():
            self.granted.set_result(None)


@dataclass(frozen=True, slots=True)
class PartySettled:
    """What became of the party that was lent: ``joined`` to the other call, or back again, unless it has
    ``ended``.  ``told`` is what the other call has offered to it; it says itself what it thinks of that."""

    joined: bool
    ended: Ended | None = None
    told: Description | None = None


Happening = SipHappened | MediaHappened | CallerSaid | PortsReady | HangUpAsked | PartyWanted | PartySettled


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

    def shown(self, shown: Callable[[str], str]) -> str | None:
        """A peer's reason as records may have it, and from now on the detail, which may have its words."""
        if self.reason is not None:
            self.reason, self.detail = shown(self.reason), shown(self.detail)
        return self.reason


def cancelled(event: Cancelled) -> CallOver:
    """What a caller makes of the call that does not wait for an answer any longer."""
    return CallOver("caller", "its INVITE expired" if event.expired else "cancelled", reason=event.reason)


def put_off(happening: Happening) -> None:
    """Answers what a peer asks while the call is busy with something else: it may ask again (491)."""
    if isinstance(happening, PartyWanted):
        happening.refuse()
    elif isinstance(happening, SipHappened):
        match happening.event:
            case Replaced(invite=invite):
                invite.reject(491)
            case Referred(transfer=transfer):
                transfer.refuse(491)
            case Offered() if happening.leg.invite is not None:
                happening.leg.invite.refuse_offer(491)
            case Refreshed(sdp=answer):
                happening.leg.hear(answer)
            case _:
                pass
