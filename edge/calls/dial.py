"""One target, dialled: every way to it in turn (its trunks), the addresses of each, within its ring time.

The hunt for a target goes through several of these, the transfer of a call through one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from edge.calls import dialplan
from edge.calls.breaker import MAX_RETRY_AFTER_S
from edge.calls.happenings import Happening, SipHappened
from edge.calls.identity import from_header, identity_headers, identity_of
from edge.calls.leg import Leg
from edge.calls.outbound import forbidden, passage_of
from edge.calls.outcome import OUT_OF_SERVICE, Result, result_of
from edge.calls.passing import Onward, attached, kept_call_id, passed_on
from edge.calls.recordings import RECORDABLE
from edge.calls.redirect import MOST_HOPS, allowed
from edge.calls.takeover import welcomed
from edge.calls.whisper import accepted, asks_target
from edge.model.config import Target
from edge.model.placeholders import Lookup
from edge.sip.endpoint import Unresolvable
from edge.sip.events import (
    Acked,
    Answered,
    Destination,
    Ended,
    InviteEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    OutgoingCall,
    Progress,
    Refused,
    Replaced,
)
from edge.sip.headers import printable
from edge.sip.invite import Invite
from edge.sip.reason import ELSEWHERE

if TYPE_CHECKING:
    from edge.calls.call import Call


class Transferring(NamedTuple):
    """What is otherwise when a call that is up is transferred (``edge.calls.transfer``).

    ``uri`` is where the target sends it, if that is no target; ``headers`` go into the INVITE;
    ``others`` is told what happens to other legs meanwhile.
    """

    uri: str | None
    headers: tuple[tuple[str, str], ...]
    others: Callable[[Happening], None]


class Dial:
    """Dials one target of a call."""

    def __init__(
        self,
        call: "Call",
        target: Target,
        values: Lookup,
        key: str,
        *,
        transfer: Transferring | None = None,
    ) -> None:
        self.call = call
        self.reception = call.reception
        self.target = target
        self.values = values
        self.key = key
        self._transfer = transfer
        self._redirected: list[str] = []

    async def run(self) -> tuple[Leg | None, Result]:
        """The leg that answered, or None, and what it came to; raises CallOver."""
        call, target = self.call, self.target
        until = call.services.clock.monotonic() + target.ring_timeout_s
        last = None
        for line in self._lines():
            if line.trunk_id is not None and line.trunk_id in call.services.down:
                last = Result(0, "unreachable", f"{line.trunk_id} does not answer OPTIONS")
                continue
            ring = self._line if line.trunk_id is None else self._through
            leg, last = await ring(line, until)
            if leg is not None or not last.next_address:
                return leg, last
        return None, last or Result(0, "unreachable", "no active trunk with a proxy leads to it")

    async def _through(self, line: dialplan.Line, until: float) -> tuple[Leg | None, Result]:
        """One way, within the limits of its trunk, if it has any (rule: Toll fraud)."""
        passage = passage_of(self.call, line)
        if isinstance(passage, str):
            return None, Result(0, "refused", passage, next_address=True)
        leg: Leg | None = None
        try:
            leg, last = await self._line(line, until)
        finally:
            if passage is not None:
                passage.settle(leg)
        return leg, last

    def _lines(self) -> list[dialplan.Line]:
        lines = dialplan.lines(self.target, self.call.snapshot, self.values, self.call.trunk.country)
        uri = None if self._transfer is None else self._transfer.uri
        if uri is None:
            return lines
        return [dialplan.elsewhere(line, uri) for line in lines[:1]]

    async def _line(self, line: dialplan.Line, until: float) -> tuple[Leg | None, Result]:
        """The addresses of one way, in order, while the last one says that another may do better."""
        try:
            destinations = await self.call.services.dialler.resolve(line.via)
        except Unresolvable as error:
            return None, Result(0, "unreachable", str(error), next_address=True)
        if line.own and line.sip.allow_refer and line.trunk_id is None:
            self.call.services.peers.led_to(self.target.id, destinations)
        last = None
        for destination in destinations:
            leg, last = await self._ring(line, destination, until)
            if last.moved_to:
                return await self._follow(line, last, until)
            if leg is not None or not last.next_address:
                return leg, last
            if last.status in OUT_OF_SERVICE:
                self._avoid(destination, last)
        return None, last or Result(0, "unreachable", f"{line.via} has no address", next_address=True)

    def _avoid(self, destination: Destination, result: Result) -> None:
        """For as long as it said itself, if it did."""
        dialler, seconds = self.call.services.dialler, result.retry_after_s
        if seconds is None:
            dialler.avoid(destination)
        else:
            dialler.avoid(destination, min(seconds, MAX_RETRY_AFTER_S))

    async def _follow(self, line: dialplan.Line, last: Result, until: float) -> tuple[Leg | None, Result]:
        """A 3xx: to what the configuration allows, five times at most (rule: Redirections)."""
        leg, status = None, last.status
        for uri in last.moved_to:
            why_not = self._not_followed(uri, line)
            if why_not is not None:
                last = Result(status, "refused", f"redirects the call to {uri[:100]}{why_not}")
                continue
            self._redirected.append(uri)
            self.call.record.step("redirect", "followed", printable(uri)[:200])
            onward = dialplan.elsewhere(line, uri)
            leg, last = await self._line(onward, until)
            if leg is not None or not last.next_address:
                break
        return leg, last

    def _not_followed(self, uri: str, line: dialplan.Line) -> str | None:
        if not allowed(uri, line.sip.redirect_hosts):
            return ", which is not among its redirect_hosts"
        if uri in self._redirected or uri == line.uri:
            return ", in a circle"
        if (wrong := forbidden(self.call, line._replace(uri=uri))) is not None:
            return f": {wrong}"
        return f", more than {MOST_HOPS} times" if len(self._redirected) >= MOST_HOPS else None

    async def _ring(
        self, line: dialplan.Line, destination: Destination, until: float
    ) -> tuple[Leg | None, Result]:
        """One INVITE to one address: rings until it answers, refuses or the time is over."""
        call = self.call
        self.reception.check()
        leg, sdp = self._offer(line)
        if sdp is None:
            self.reception.media.close_leg(leg.media)
            return None, Result(488, "refused", "the target allows none of the caller's codecs")
        leg.attach(self._invite(line, destination, sdp))
        call.target = leg
        leg.at_once = self._rings
        leg, result = await self._outcome(leg, until)
        leg.at_once = None
        asks = self._transfer is None and asks_target(self.target)
        if asks and result.outcome == "answered" and not await accepted(self.reception, leg, self.target):
            result = Result(200, "refused", "it answered, but did not accept the call")
        if result.outcome == "answered":
            return leg, result
        self._give_up(leg)
        return None, result

    def _offer(self, line: dialplan.Line) -> tuple[Leg, bytes | None]:
        """A leg for the target and what it is offered: the caller's codecs, in the caller's order."""
        reception, caller = self.reception, self.reception.caller
        leg = Leg("target", reception.media.leg(), reception.inbox)
        if caller is None or caller.remote is None:
            return leg, leg.offer_ours()
        first = caller.voice if reception.answered else None
        allowed = _both(line.sip.codecs, reception.codecs)
        if self.call.recordings.wanted:
            sdp = leg.offer_of(caller, allowed=_both(RECORDABLE, allowed), first=first)
            if sdp is not None:
                return leg, sdp
        return leg, leg.offer_of(caller, allowed=allowed, first=first)

    def _invite(self, line: dialplan.Line, destination: Destination, sdp: bytes) -> Invite:
        call, target = self.call, self.target
        host = call.services.dialler.local_host(destination)
        sip, (identity, caller_id) = line.sip, identity_of(target, call.identity, call.facts.called)
        headers = dialplan.target_headers(target, call.facts.call_id, self.key, self.values)
        headers += identity_headers(identity, sip, host, caller_id, line.country)
        shown, request = None if sip.from_user else caller_id or identity.caller, call.invite.request
        passed = passed_on(request, onward := Onward(call.facts, line, identity, shown, host))
        own = {name.lower() for name in target.headers} if passed and target.headers else None
        headers += [header for header in passed if header[0].lower() not in own] if own else passed
        if self._transfer is not None:
            headers += self._transfer.headers
        hops = request.max_forwards
        outgoing = OutgoingCall(
            request_uri=line.uri,
            destination=destination,
            from_=from_header(identity, sip, host, caller_id, line.country),
            to=f"<{line.uri}>",
            headers=tuple(headers),
            body=sdp,
            max_forwards=(70 if hops is None else hops) - 1,  # loops of B2BUAs must end (RFC 7332)
            credentials=line.credentials,
            contact_user=sip.contact_user or "edge",
            allow_refer=sip.allow_refer and line.trunk_id is None,
            peer_id=target.id,
            attached=attached(request, onward) if sip.body_allow else (),
            stream_if_big=dialplan.may_stream(line.via),
            call_id="" if sip.call_id == "new" else kept_call_id(request, line),
        )
        invite = call.services.dialler.call(outgoing)
        call.services.traces.open(invite.call_id, call.trace)
        return invite

    def _give_up(self, leg: Leg, reason: str | None = None) -> None:
        """The attempt is over: its dialog ends, its ports and early media go."""
        call = self.call
        call.target = None
        self.reception.forget_early()
        if leg.invite is not None:
            leg.invite.hang_up(reason)
            leg.detach()
        media = self.reception.media
        media.unbridge()
        media.close_leg(leg.media)

    async def _outcome(self, leg: Leg, until: float) -> tuple[Leg, Result]:
        """What it came to, and the leg that it is about: another one if somebody else picks the call up."""
        while True:
            happening = await self.reception.next(until)
            if happening is None:
                return leg, Result(0, "no_answer", "ring timeout")
            if not isinstance(happening, SipHappened) or happening.leg is not leg:
                if self._transfer is not None:
                    self._transfer.others(happening)
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

    def _picked_up(self, ringing: Leg, invite: Invite) -> Leg:
        """Another phone of the target wants the call that rings here."""
        leg = welcomed(self.call, ringing, self.reception.caller, invite)
        if leg is None:
            return ringing
        self._give_up(ringing, ELSEWHERE)
        self.call.target = leg
        return leg

    def _offered(self, leg: Leg, happening: SipHappened) -> None:
        """The target offers anew before it answers: the caller hears of it if it hears the target."""
        bridge, event = self.reception.early_bridge, happening.event
        assert leg.invite is not None
        if bridge is not None and bridge.target is leg:
            bridge.handle(happening)
        elif isinstance(event, Offered):
            answer = leg.answer_locally() if leg.hear(event.sdp) else None
            if answer is None:
                leg.invite.refuse_offer(488)
            else:
                leg.invite.accept_offer(answer)

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
            sdp = caller.offer_of(target) if caller.remote is None else caller.answer_of(target)
        if sdp is None:
            return False
        if not reception.answered:
            invite.progress(status, sdp)
        return reception.hear_early(target)


def _agreed(leg: Leg, answer: bytes) -> Result:
    """Whether what the target says as it answers makes a call."""
    if not leg.hear(answer) and leg.remote is None:
        return Result(488, "refused", "its 200 had no usable answer")
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
