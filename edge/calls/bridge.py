"""Two legs talking: re-INVITEs cross from either side to the other, the first BYE ends both.

RFC 3261 section 14 and RFC 3264 section 8: an offer of one peer goes to the other with our own
address; its answer comes back; a refused one leaves the call as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.calls.happenings import CallOver, HangUpAsked, Happening, MediaHappened, SipHappened, cancelled
from edge.calls.hold import HoldPrompt
from edge.calls.keys import Onward
from edge.calls.leg import Leg
from edge.calls.own_offers import OwnOffers
from edge.media.engine import Dtmf, MediaTimeout, WorkerDied
from edge.media.sdp import Description
from edge.model.decision import HungUpBy
from edge.sip.events import (
    Acked,
    Answered,
    Cancelled,
    Ended,
    Info,
    OfferAnswered,
    Offered,
    OfferRefused,
    Refreshed,
)
from edge.sip.invite import Invite

_BETWEEN_THEM_AND_US: Final = frozenset((401, 407, 408, 420, 421, 422, 481, 503))
"""Answers of a peer to an offer that would tell the other one, whose offer it was, what is not so."""


@dataclass(slots=True)
class _Crossing:
    """An offer of ``offerer`` that waits for the other leg; what both legs were is put back if refused.

    ``late`` when the offerer asked for an offer: its answer then comes with its ACK.
    """

    offerer: Leg
    answerer: Leg
    late: bool
    before: tuple[Description | None, Description | None, Description | None, Description | None]

    def undo(self) -> None:
        """Everything is as before the offer."""
        a, b = self.offerer, self.answerer
        a.local, a.remote, b.local, b.remote = self.before

    def leave(self) -> None:
        """Nobody waits for the answer any more: the answerer has the offer, and may yet take it."""
        told, self.answerer.undecided = self.answerer.local, self.before[2]
        self.undo()
        self.answerer.local = told


class Bridge:
    """Relays media and signalling between two answered legs until one of them ends.

    ``hold`` is what the caller hears while the target has it on hold; None: what the target sends.
    """

    # Few calls have one: the others need not even set it.
    hold: HoldPrompt | None = None
    _onward: Onward | None = None

    def __init__(self, caller: Leg, target: Leg) -> None:
        self.caller = caller
        self.target = target
        self._crossing: _Crossing | None = None
        self._awaits_ack: _Crossing | None = None
        self._ours: OwnOffers | None = None

    @property
    def busy(self) -> bool:
        """Whether an offer of either side is under way, or one of our own."""
        undecided = self.caller.undecided is not None or self.target.undecided is not None
        ours = undecided or (self._ours is not None and self._ours.out)
        return ours or self._crossing is not None or self._awaits_ack is not None

    @property
    def ours(self) -> OwnOffers:
        """Our own offers: most calls need none."""
        if self._ours is None:
            self._ours = OwnOffers(self)
        return self._ours

    def relay(self) -> bool:
        """Lets the workers relay by what both legs agreed; False if a leg has no shared codec."""
        relayed = self.caller.plan(self.target) and self.target.plan(self.caller)
        if self.hold is not None:
            self.hold.play(self.caller, self.target)
        return relayed

    def hush(self) -> None:
        """What the caller heard on hold is over: something else is to be heard."""
        if self.hold is not None:
            self.hold.hush(self.caller)

    def catch_up(self, *, told: bool) -> None:
        """As the two begin to talk, or do so again: who was told something else before that, the caller by us
        or by a target that gave way (``told``), is offered what the other one says."""
        caller, target = self.caller, self.target
        if told and (caller.needs_reoffer(target) or (caller.on_hold and not target.deaf)):
            self.ours.offer(caller)
        elif not self.busy and not target.may_speak_to(caller):  # it listed codecs that it was not offered
            self.ours.follow(caller)
        elif target.on_hold and not caller.deaf:
            self.ours.offer(target)

    def give_up(self) -> None:
        """The two go apart before they were joined: an offer of the one that waits for the other is refused
        (a target that stays in the call may ask again), and nobody waits for the answer to it, or to
        our own."""
        if self._ours is not None:
            self._ours.leave()
        crossing, self._crossing = self._crossing, None
        if crossing is None:
            return
        crossing.leave()
        _invite(crossing.offerer).refuse_offer(488 if crossing.offerer is self.caller else 491)

    def handle(self, happening: Happening) -> None:
        """One event of either leg; raises CallOver when it ends the call."""
        if isinstance(happening, SipHappened):
            if not isinstance(happening.event, Info) or not self._by_info(happening):
                self._sip(happening.leg, happening.event)
        elif isinstance(happening, MediaHappened):
            self._media_event(happening)
        elif isinstance(happening, HangUpAsked):
            raise CallOver(happening.by, happening.detail)

    def other(self, leg: Leg) -> Leg:
        """Who talks with the peer of ``leg``."""
        return self.target if leg is self.caller else self.caller

    def _media_event(self, happening: MediaHappened) -> None:
        if isinstance(happening.event, MediaTimeout):
            detail = f"no audio from the {happening.leg.name}"
            raise CallOver("server", detail, "error_media_timeout", "Q.850;cause=41")
        if isinstance(happening.event, WorkerDied):
            raise CallOver("server", "the media worker died", "error_media", "Q.850;cause=41")
        if isinstance(happening.event, Dtmf):
            self._by_info(happening)

    def _by_info(self, happening: MediaHappened | SipHappened) -> bool:
        self._onward = self._onward or Onward()
        return self._onward.passed(happening.leg, self.other(happening.leg), happening)

    def _sip(self, leg: Leg, event: object) -> None:
        match event:
            case Ended():
                raise ended(leg, event)
            case Cancelled():  # before our 200, which waited for a PRACK
                raise cancelled(event)
            case Offered():
                self._offered(leg, event)
            case OfferAnswered():
                self._offer_answered(leg, event)
            case OfferRefused():
                self._offer_refused(leg, event)
            case Acked():
                self._late_answer(leg, event.sdp)
            case Refreshed():
                self._answered_alone(leg, event.sdp)
            case Info() if event.body:  # without one it is a keep-alive
                _invite(self.other(leg)).info(event.content_type, event.body)
            case Answered():
                _invite(leg).ack()
            case _:
                pass

    # -- re-INVITE ------------------------------------------------------------------------------------

    def _offered(self, leg: Leg, event: Offered) -> None:
        """The peer of ``leg`` offers anew, or wants our offer."""
        invite, other = _invite(leg), self.other(leg)
        if self.busy:
            invite.refuse_offer(491)
            return
        heard = leg.offered(event.sdp)
        if event.sdp and heard is None:
            invite.refuse_offer(488)
        elif heard is not None and self._unchanged(leg, heard) and leg.local is not None:
            invite.accept_offer(leg.local.to_bytes())
        elif heard is not None and not _invite(other).may_offer:
            self._absorb(leg, other, heard)
        elif heard is None and _invite(other).state not in ("answered", "up"):  # no UPDATE asks for one
            leg.take_alone(b"", said=other.remote)
        else:
            self._cross(leg, other, heard, soon=event.method != "INVITE")

    def _unchanged(self, leg: Leg, heard: Description) -> bool:
        """A refresh (RFC 4028 section 7.4): nothing about the streams is new."""
        return leg.remote is not None and leg.remote.same_media(heard)

    def _absorb(self, leg: Leg, other: Leg, heard: Description) -> None:
        """The other peer need not hear of it, or can not yet: the answer is what it said before."""
        before = leg.local, leg.remote
        leg.remote = heard
        answer = self.answer(leg, other)
        if answer is not None and _invite(leg).accept_offer(answer):
            self.relay()
            return
        leg.local, leg.remote = before
        _invite(leg).refuse_offer(488)

    def _cross(self, leg: Leg, other: Leg, heard: Description | None, *, soon: bool) -> None:
        before = (leg.local, leg.remote, other.local, other.remote)
        crossing = _Crossing(leg, other, heard is None, before)
        sdp: bytes | None = b""
        if heard is not None:
            leg.remote = heard
            sdp = self.offer(other, leg)
        if sdp is None:
            crossing.undo()
            _invite(leg).refuse_offer(488)
        elif heard is not None and other.local is before[2]:
            leg.remote = before[1]
            self._absorb(leg, other, heard)  # only the address is new, and that is ours to the other
        else:
            self._crossing = crossing
            _invite(other).offer_again(sdp, soon=soon, renewed=other.renewed)

    def offer(self, leg: Leg, other: Leg) -> bytes | None:
        """What the peer of ``other`` said, offered to that of ``leg``."""
        return self._told(leg, other, leg.offer_of)

    def answer(self, leg: Leg, other: Leg) -> bytes | None:
        """The same as the answer to what ``leg`` was offered."""
        return self._told(leg, other, leg.answer_of)

    def _told(self, leg: Leg, other: Leg, tell: Callable[[Description | None], bytes | None]) -> bytes | None:
        if self.hold is None or leg is not self.caller or other.remote is None:
            return tell(other.remote)
        return self.hold.told(leg, other.remote, tell)

    def _offer_answered(self, leg: Leg, event: OfferAnswered) -> None:
        crossing = self._crossing
        if leg.undecided is not None or crossing is None or leg is not crossing.answerer:
            self.ours.answered(leg, event.sdp)
            return
        if crossing.late:
            self._late_offer(crossing, event)
            return
        self._crossing = None
        answer = self.answer(crossing.offerer, leg) if leg.hear(event.sdp) else None
        if answer is not None and _invite(crossing.offerer).accept_offer(answer):
            self.relay()
            return
        self._restore(crossing, leg.remote)
        _invite(crossing.offerer).refuse_offer(488)

    def _restore(self, crossing: _Crossing, heard: Description | None = None) -> None:
        """The answerer took an offer that came to nothing (``heard``), or may have: it is offered what it had
        before."""
        leg, told = crossing.answerer, crossing.answerer.local
        crossing.undo()
        if told is not None and told is not leg.local:
            self.ours.restore(leg, told, heard)

    def _late_offer(self, crossing: _Crossing, event: OfferAnswered) -> None:
        """The other peer's offer, for the one that asked: its answer comes with its ACK."""
        self._crossing = None
        heard = crossing.answerer.offered(event.sdp)
        crossing.answerer.remote = heard or crossing.answerer.remote
        offer = self.offer(crossing.offerer, crossing.answerer) if heard is not None else None
        if offer is not None and _invite(crossing.offerer).accept_offer(offer):
            self._awaits_ack = crossing
            return
        # The answerer waits for an answer in our ACK: what it said before stands.
        crossing.undo()
        local = crossing.answerer.local
        _invite(crossing.answerer).ack(local.to_bytes() if local else b"")
        _invite(crossing.offerer).refuse_offer(488)

    def _late_answer(self, leg: Leg, sdp: bytes) -> None:
        crossing = self._awaits_ack
        if crossing is None or leg is not crossing.offerer:
            self._answered_alone(leg, sdp)
            return
        self._awaits_ack = None
        answer = self.answer(crossing.answerer, leg) if leg.hear(sdp) else None
        if answer is None:
            offered = leg.local
            crossing.undo()
            if offered is not None and offered is not leg.local and (again := leg.tell_again(offered)):
                _invite(leg).told = again  # what is said next, by a refresh perhaps, is newer than the offer
            local = crossing.answerer.local
            answer = local.to_bytes() if local else b""
        _invite(crossing.answerer).ack(answer)
        self.relay()

    def _answered_alone(self, leg: Leg, sdp: bytes) -> None:
        """The answer to an offer of ours to a phone that took the call over, or from before the bridge; or
        to a refresh."""
        before, other = leg.remote, self.other(leg)
        heard = leg.hear(sdp)
        if before is None and not heard:
            raise CallOver("server", f"the ACK of the {leg.name} {leg.unusable(sdp)}", "error_sip")
        if before is None and not leg.talks:
            detail = f"the ACK of the {leg.name} takes none of the audio that it was offered"
            raise CallOver("server", detail, "error_sip")
        if not heard:
            return
        if self._crossing is not None and leg is self._crossing.answerer:
            self._crossing.before = (*self._crossing.before[:3], leg.remote)
        self.relay()
        if before is None:
            self.ours.settle(other)
        elif not self.busy and other.needs_reoffer(leg):
            self.ours.offer(other)
        else:
            self.ours.tell_hold(other)

    def _offer_refused(self, leg: Leg, event: OfferRefused) -> None:
        crossing = self._crossing
        if leg.undecided is not None or crossing is None:
            self.ours.refused(leg, event.status)
            return
        self._crossing = None
        if crossing.late and event.status != 491:
            # It makes no offer: who asked for one gets what it said last.
            crossing.undo()
            crossing.offerer.take_alone(b"", said=crossing.answerer.remote)
            return
        if event.status == 408:  # given up: the peer may have taken it all the same
            self._restore(crossing)
        else:
            crossing.undo()
        of_the_offer = event.status >= 400 and event.status not in _BETWEEN_THEM_AND_US
        _invite(crossing.offerer).refuse_offer(event.status if of_the_offer else 488)


def _invite(leg: Leg) -> Invite:
    assert leg.invite is not None, "a bridged leg has its dialog"
    return leg.invite


def ended(leg: Leg, event: Ended) -> CallOver:
    """What a dialog's end makes of the call."""
    by: HungUpBy = "caller" if leg.name == "caller" else "target"
    if event.cause == "peer":
        return CallOver(by, reason=event.reason)
    return CallOver("server", f"the {leg.name}'s dialog broke: {event.cause}", "error_sip")
