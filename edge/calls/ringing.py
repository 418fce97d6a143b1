"""One INVITE to one address: it rings until somebody answers, it is refused, or the time is over."""

from edge.calls import dialplan
from edge.calls.happenings import Happening, SipHappened
from edge.calls.invitation import Dialled, invitation
from edge.calls.leg import Leg
from edge.calls.outbound import Passage
from edge.calls.outcome import Result, result_of
from edge.calls.recordings import RECORDABLE
from edge.calls.takeover import welcomed
from edge.calls.whisper import accepted, asks_target
from edge.media.engine import NoAddress
from edge.sip.events import (
    Acked,
    Answered,
    Destination,
    Ended,
    InviteEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progress,
    Refused,
    Replaced,
)
from edge.sip.invite import Invite
from edge.sip.reason import ELSEWHERE


class Ringing:
    """Invites a target; what it says before it answers reaches the caller.  ``passage`` is its room in the
    trunk that it is dialled through, if that has limits."""

    __slots__ = ("call", "dialled", "passage", "reception")

    def __init__(self, dialled: Dialled) -> None:
        self.dialled = dialled
        self.call = dialled.call
        self.reception = dialled.call.reception
        self.passage: Passage | None = None

    async def invite(
        self, line: dialplan.Line, destination: Destination, until: float
    ) -> tuple[Leg | None, Result]:
        """The leg that answered, or None, and what it came to; raises CallOver."""
        call, target = self.call, self.dialled.target
        self.reception.check()
        try:
            leg, sdp = self._offer(line, destination)
        except NoAddress as error:
            return None, Result(0, "unreachable", str(error), next_address=True)
        if sdp is None:
            self.reception.media.close_leg(leg.media)
            return None, Result(488, "refused", "the target allows none of the caller's codecs", asked=False)
        invite = call.services.dialler.call(invitation(self.dialled, line, destination, sdp))
        call.services.traces.open(invite.call_id, call.trace)
        leg.attach(invite)
        call.target = leg
        leg.at_once = self._rings
        leg, result = await self._outcome(leg, until)
        leg.at_once = None
        if result.outcome == "answered" and self.passage is not None:
            self.passage.answered()
        asks, transfer = asks_target(target), self.dialled.transfer
        if (
            asks
            and result.outcome == "answered"
            and not await accepted(self.reception, leg, target, transfer)
        ):
            result = Result(200, "refused", "it answered, but did not accept the call")
        if result.outcome == "answered":
            return leg, result
        self.call.let_go(leg)
        return None, result

    def _offer(self, line: dialplan.Line, destination: Destination) -> tuple[Leg, bytes | None]:
        """A leg for the target and what it is offered: the caller's codecs, in the caller's order."""
        reception, caller = self.reception, self.reception.caller
        leg = Leg("target", reception.media.leg(destination.host), reception.inbox)
        if caller is None or caller.remote is None:
            return leg, leg.offer_ours()
        first = caller.voice if reception.answered else None
        allowed = _both(line.sip.codecs, reception.codecs)
        if self.call.recordings.wanted:
            sdp = leg.offer_of(caller.remote, allowed=_both(RECORDABLE, allowed), first=first)
            if sdp is not None:
                return leg, sdp
        return leg, leg.offer_of(caller.remote, allowed=allowed, first=first)

    async def _outcome(self, leg: Leg, until: float) -> tuple[Leg, Result]:
        """What it came to, and the leg that it is about: another one if somebody else picks the call up."""
        while True:
            happening = await self.reception.next(until)
            if happening is None:
                return leg, Result(0, "no_answer", "ring timeout")
            if not isinstance(happening, SipHappened) or happening.leg is not leg:
                self._others(happening)
                continue
            match happening.event:
                case Progress() as progress:
                    self._progress(leg, progress)
                case Answered() as answered:
                    assert leg.invite is not None
                    leg.invite.ack()
                    return leg, _agreed(leg, answered.sdp)
                case Refused() as refused:
                    return leg, result_of(refused)
                case Ended():
                    return leg, Result(0, "refused", "it hung up as it answered")
                case Replaced(invite=invite):
                    leg = self._picked_up(leg, invite)
                case Acked(sdp=answer):
                    return leg, _agreed(leg, answer)
                case Offered() | OfferAnswered() | OfferRefused():
                    self._offered(leg, happening)
                case _:
                    pass

    def _others(self, happening: Happening) -> None:
        if self.dialled.transfer is not None:
            self.dialled.transfer.others(happening)

    def _picked_up(self, ringing: Leg, invite: Invite) -> Leg:
        """Another phone of the target wants the call that rings here."""
        leg = welcomed(self.call, ringing, self.reception.caller, invite)
        if leg is None:
            return ringing
        self.call.let_go(ringing, ELSEWHERE)
        self.call.target = leg
        return leg

    def _offered(self, leg: Leg, happening: SipHappened) -> None:
        """The target offers anew before it answers: the caller hears of it if it hears the target."""
        bridge, event = self.reception.early_bridge, happening.event
        assert leg.invite is not None
        if bridge is not None and bridge.target is leg:
            bridge.handle(happening)
        elif isinstance(event, Offered) and event.sdp:
            caller = self.reception.caller
            leg.take_alone(event.sdp, said=None if caller is None else caller.remote)
        elif isinstance(event, Offered):
            leg.invite.refuse_offer(488)

    def _rings(self, leg: Leg, event: InviteEvent) -> bool:
        """Tells the caller while the story waits, which goes on as it was."""
        if type(event) is not Progress or self.call.target is not leg:
            return False
        self._progress(leg, event)
        return True

    def _progress(self, leg: Leg, progress: Progress) -> None:
        """Ringing and early media reach the caller (rule: answering)."""
        reception, caller = self.reception, self.reception.caller
        if caller is None:
            return
        invite = reception.invite
        known = caller.remote is not None or invite.early_offer
        if leg.hear(progress.sdp) and known and self._early_media(caller, leg, progress.status):
            return
        if not reception.answered:
            invite.progress(progress.status, caller.offer_ours() if invite.early_offer == "must" else b"")

    def _early_media(self, caller: Leg, target: Leg, status: int) -> bool:
        """Lets the caller hear what the target plays before it answers; False if no codec fits."""
        reception, invite = self.reception, self.reception.invite
        if reception.answered or invite.told_early:
            if caller.needs_reoffer(target):
                return False
            sdp: bytes | None = b""
        else:
            said = target.remote
            sdp = caller.offer_of(said) if caller.remote is None else caller.answer_of(said)
        if sdp is None:
            return False
        if not reception.answered:
            invite.progress(status, sdp)
        return reception.hear_early(target)


def _agreed(leg: Leg, answer: bytes) -> Result:
    """Whether what the target says as it answers makes a call."""
    if not leg.hear(answer) and leg.remote is None:
        return Result(488, "refused", f"its 200 {leg.unusable(answer)}")
    if leg.declined:
        return Result(488, "refused", "its answer declines the audio")
    if not leg.agreed:
        return Result(488, "refused", "its answer shares no codec with the offer")
    return Result(200, "answered", "")


def _both(first: tuple[str, ...] | None, second: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The codecs that two sides allow, in the order of the first (None: all)."""
    if first is None or second is None:
        return first or second
    allowed = {name.lower() for name in second}
    return tuple(name for name in first if name.lower() in allowed)
