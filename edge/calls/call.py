"""The story of one call: admitted, perhaps greeted, hunted to a target, bridged, recorded.

One coroutine a call.  Everything that happens waits in the call's inbox until the story asks for
it, so no event ever arrives in the middle of a step; a caller who hangs up ends the story with
``CallOver`` at the next wait.  Ports, dialogs and reservations are given back when it ends,
however it ends.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from edge.calls.bridge import Bridge
from edge.calls.happenings import CallOver, HangUpAsked, Happening, MediaHappened, SipHappened
from edge.calls.hunt import Hunt
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg
from edge.calls.ports import CallLimits, CallStore, CapCounts, Dialler
from edge.calls.record import CallRecord
from edge.calls.trace import Trace, TraceBook
from edge.clock import Clock
from edge.logs import get_logger
from edge.media.engine import (
    Dtmf,
    LegCounters,
    MediaCall,
    MediaEngine,
    MediaUnavailable,
    PlayDone,
    WorkerDied,
)
from edge.model.config import Trunk
from edge.model.decision import Admission, Announce, CallFacts, Disposition, HungUpBy, Proceed, Refuse
from edge.model.ledger import Connect, Finish, OpenCall, Reserve, Unavailable
from edge.routing.admit import admit, over_cap
from edge.routing.exhaust import exhausted, failsafe
from edge.routing.refusal import bye_reason, refusal
from edge.routing.snapshot import Snapshot
from edge.sip.events import Acked, Cancelled, Ended, Offered
from edge.sip.invite import Invite

log = get_logger("edge.calls")

RINGBACK = "tone:ringback"
ACK_WAIT_S = 32.0
SETTLE_S = 1.0
MEDIA_LOST = "Q.850;cause=41"


@dataclass(frozen=True, slots=True)
class CallServices:
    """What every call uses: brought once by the composition root.

    ``draw`` answers a uniform number in [0, 1); ``prompt_ready`` says whether the media engine has
    a prompt under this id.  ``key_of`` makes a call's key, with which a buyer proves that it was
    given the call.
    """

    clock: Clock
    store: CallStore
    counts: CapCounts
    dialler: Dialler
    media: MediaEngine
    traces: TraceBook
    limits: CallLimits
    draw: Callable[[], float]
    prompt_ready: Callable[[str], bool]
    key_of: Callable[[str], str]


class Call:
    """One call, end to end.

    ``phase`` is where it is: arrived, prompt, ringing, bridged.
    """

    def __init__(
        self,
        services: CallServices,
        invite: Invite,
        facts: CallFacts,
        *,
        trunk: Trunk,
        snapshot: Snapshot,
        private: bool,
    ) -> None:
        self.services = services
        self.invite = invite
        self.facts = facts
        self.trunk = trunk
        self.snapshot = snapshot
        self.private = private
        self.inbox: Inbox[Happening] = Inbox()
        self.record = CallRecord(facts, snapshot.version)
        self.trace = Trace(services.clock.monotonic())
        self.caller: Leg | None = None
        self.target: Leg | None = None
        self.answered = False
        self.phase = "arrived"
        self._media: MediaCall | None = None
        self._until = services.clock.monotonic() + services.limits.max_call_s
        self._late_offer = not invite.offer
        self._told = 0
        self._proceed_with: Proceed | None = None

    @property
    def media(self) -> MediaCall:
        """The call's media, opened when it is first needed; raises MediaUnavailable."""
        if self._media is None:
            self._media = self.services.media.call()
        return self._media

    def hang_up(self, by: HungUpBy, detail: str) -> None:
        """Ends the call from outside."""
        self.inbox.put(HangUpAsked(by, detail))

    async def run(self) -> None:
        """The whole call; never raises but for cancellation."""
        self.services.traces.open(self.invite.call_id, self.trace)
        log.info("call.arrived", caller=self.facts.caller, called=self.facts.called, trunk=self.trunk.name)
        reason: str | None = None
        try:
            await self._story()
            reason = bye_reason(self.record.disposition)
        except CallOver as over:
            reason = over.reason
            self._over(over)
        except MediaUnavailable as error:
            self._refuse("error_media", str(error))
        except Exception:
            log.exception("call.broke", phase=self.phase)
            await self._recover()
        finally:
            await self._close(reason)

    # -- the story ------------------------------------------------------------------------------------

    async def _story(self) -> None:
        facts = self.facts
        admission = admit(facts, self.snapshot, self.services.counts)
        self.record.number_id, self.record.campaign_id = admission.number_id, admission.campaign_id
        self.services.store.post(
            OpenCall(
                facts.call_id, facts.arrived_at, facts.trunk_id, facts.caller, facts.called,
                admission.number_id, admission.campaign_id,
            )
        )  # fmt: skip
        await self._follow(admission)

    async def _follow(self, admission: Admission) -> None:
        """Does what was decided; an admission's steps begin with those of the one before it."""
        self.record.log.steps.extend(admission.steps[self._told :])
        self._told = len(admission.steps)
        if isinstance(admission, Refuse):
            headers = (("Reason", admission.reason_header),) if admission.reason_header else ()
            self._refuse(admission.disposition, admission.detail, headers)
        elif isinstance(admission, Announce):
            await self._announce(admission)
        else:
            await self._proceed(admission)

    def _refuse(
        self, disposition: Disposition, detail: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """A final answer, or a BYE that says why if the caller has been answered (rule: Refusals)."""
        self.record.end(disposition, detail, "server")
        answer = refusal(disposition)
        if self.answered:
            self.invite.hang_up(f"SIP;cause={answer.status}")
            return
        if answer.retry_after_s is not None:
            low, high = answer.retry_after_s
            wait = low + int(self.services.draw() * (high - low + 1))
            headers = (*headers, ("Retry-After", str(wait)))
        self.invite.reject(answer.status, headers=headers)

    async def _announce(self, announce: Announce) -> None:
        """Answers, plays a message and hangs up."""
        self._listen()
        self.record.end(announce.disposition, announce.detail, "server")
        if await self._answer_to_play():
            await self._play(announce.prompt_id, announce.built_in)
        else:
            self._refuse("rejected_no_codec", "the caller offers neither PCMU nor PCMA")

    async def _proceed(self, proceed: Proceed) -> None:
        self._proceed_with = proceed
        self.record.tags = proceed.tags
        self.record.connected_as = proceed.base_disposition or "connected"
        if proceed.claims and not await self._reserve(proceed):
            return
        caller = self._listen()
        if caller.remote is None and not self._late_offer:
            self._refuse("rejected_no_codec", "the offer has no audio that we can relay")
            return
        if proceed.greeting_prompt_id is not None:
            await self._greet(proceed.greeting_prompt_id)
        await self._hunt(caller, proceed)

    async def _reserve(self, proceed: Proceed) -> bool:
        """Takes the capacity of the number; if it is taken, does what the cap says instead."""
        facts = self.facts
        full = await self.services.store.submit(Reserve(facts.call_id, 0, proceed.claims, facts.arrived_at))
        if isinstance(full, Unavailable):
            self._refuse("rejected_overload", "the store can not write")
        elif full is not None:
            await self._follow(over_cap(proceed, self.snapshot, full))
        return full is None

    async def _greet(self, prompt_id: str) -> None:
        if await self._answer_to_play():
            await self._play(prompt_id, "greeting")
        else:
            self.record.step("greeting", "skipped", "the caller offers no codec that we can encode")

    async def _hunt(self, caller: Leg, proceed: Proceed) -> None:
        """Dials the candidates; what to do when none answers is one more decision."""
        self.phase = "ringing"
        if self.answered:
            caller.media.play(RINGBACK, loop=True)
        hunt = Hunt(self, proceed)
        target = await hunt.run()
        if target is not None:
            await self._bridge(caller, target, hunt.attempt)
            return
        caller.media.stop()
        lines = self.record.log.candidates
        await self._follow(exhausted(proceed, self.snapshot, lines, self.record.attempts))

    # -- steps ----------------------------------------------------------------------------------------

    def _listen(self) -> Leg:
        """The caller's leg: its media opened, its events heard."""
        if self.caller is None:
            self.caller = Leg("caller", self.media.leg(), self.inbox)
            self.caller.hear(self.invite.offer)
            self.caller.attach(self.invite)
        return self.caller

    async def _answer_to_play(self) -> bool:
        """200 at once, since there is something to play; False if no codec fits (rule: Answering)."""
        caller = self._listen()
        if self.answered:
            return True
        sdp = caller.offer_ours() if self._late_offer else caller.answer_locally()
        if sdp is None:
            return False
        await self._answer(caller, sdp)
        return caller.plan()

    async def _answer(self, caller: Leg, sdp: bytes) -> None:
        """Our 200 to the caller; to a late offer the answer comes with the ACK (RFC 3261 13.2.1)."""
        self.answered = True
        self.record.answered_at = self.services.clock.utc()
        self.invite.answer(sdp)
        until = self.services.clock.monotonic() + ACK_WAIT_S
        while caller.remote is None:
            match await self.next(until):
                case SipHappened(leg=leg, event=Acked(sdp=answer)) if leg is caller:
                    if not caller.hear(answer):
                        raise CallOver("server", "the ACK had no usable answer", "rejected_no_codec")
                case None:
                    raise CallOver("server", "no ACK to our 200", "error_sip")
                case _:
                    pass

    async def _play(self, prompt_id: str | None, built_in: str) -> None:
        """Plays a prompt to its end; one that is not there is skipped and logged."""
        caller, ready = self._listen(), self.services.prompt_ready
        source = prompt_id if prompt_id is not None and ready(prompt_id) else built_in
        if not ready(source):
            self.record.step("prompt", "skipped", f"prompt {source} is not loaded")
            return
        self.phase = "prompt"
        token = caller.media.play(source)
        self.record.step("prompt", "played", source)
        while True:
            happening = await self.next(self._until)
            match happening:
                case MediaHappened(event=PlayDone(token=done)) if done == token:
                    return
                case MediaHappened(event=Dtmf(digit=digit)):
                    self.record.step("key", digit)
                case None:
                    raise self._too_long()
                case _:
                    pass

    async def _bridge(self, caller: Leg, target: Leg, attempt: int) -> None:
        """The target has answered: commits the connect, answers the caller, relays until one ends."""
        record, services = self.record, self.services
        connected_at, target_id = services.clock.utc(), record.attempts[-1].target_id
        await services.store.submit(Connect(self.facts.call_id, attempt, target_id, connected_at))
        bridge = Bridge(caller, target)
        await self._join(bridge)
        record.connected_at, record.connected_target_id = connected_at, target_id
        self.phase = "bridged"
        log.info("call.connected", target=target_id)
        while True:
            happening = await self.next(self._until)
            if happening is None:
                raise self._too_long()
            bridge.handle(happening)

    async def _join(self, bridge: Bridge) -> None:
        """Agrees SDP with the caller and lets the media flow."""
        caller, target = bridge.caller, bridge.target
        caller.media.stop()
        if not self.answered:
            sdp = caller.offer_of(target) if self._late_offer else caller.answer_of(target)
            if sdp is None:
                raise CallOver("server", "caller and target share no codec", "rejected_no_codec")
            await self._answer(caller, sdp)
        elif caller.needs_reoffer(target):
            bridge.reoffer()
        self.media.bridge(caller.media, target.media)
        bridge.relay()

    def _too_long(self) -> CallOver:
        return CallOver("limit", f"longer than {self.services.limits.max_call_s:g} s")

    async def next(self, until: float | None = None) -> Happening | None:
        """The next thing that happens, None at ``until`` (monotonic seconds).

        Raises CallOver when the caller is gone, when somebody hangs the call up, or when its media
        is lost.  An offer of the caller before the bridge is answered with what it has.
        """
        wait = None if until is None else until - self.services.clock.monotonic()
        happening = await self.inbox.get(wait)
        match happening:
            case HangUpAsked(by=by, detail=detail):
                raise CallOver(by, detail)
            case MediaHappened(event=WorkerDied()):
                raise CallOver("server", "the media worker died", "error_media", MEDIA_LOST)
            case SipHappened(leg=leg, event=event) if leg is self.caller and self.phase != "bridged":
                self._caller_said(leg, event)
            case _:
                pass
        return happening

    def _caller_said(self, caller: Leg, event: object) -> None:
        match event:
            case Cancelled(reason=reason):
                raise CallOver("caller", "cancelled", reason=reason)
            case Ended(cause="peer", reason=reason):
                raise CallOver("caller", "", reason=reason)
            case Ended(cause=cause):
                raise CallOver("server", f"the caller's dialog broke: {cause}", "error_sip")
            case Offered() if caller.local is not None:
                self.invite.accept_offer(caller.local.to_bytes())
            case _:
                pass

    # -- endings --------------------------------------------------------------------------------------

    def _over(self, over: CallOver) -> None:
        """How the record names an end that came before the story's own."""
        record = self.record
        if over.disposition is not None:
            record.end(over.disposition, over.detail, over.by)
        elif self.phase == "bridged":
            record.end(record.connected_as, over.detail, over.by)
        elif record.disposition is not None:
            record.end(record.disposition, record.detail, over.by)
        elif over.by == "caller":
            prompt = self.phase == "prompt"
            record.end("caller_hung_up_prompt" if prompt else "caller_hung_up_ringing", over.detail, "caller")
        else:
            record.end("target_failed", over.detail, over.by)

    async def _recover(self) -> None:
        """Routing itself failed: the fail-safe, once, if nothing was connected (rule: Failsafe)."""
        proceed, self._proceed_with = self._proceed_with, None
        if proceed is None or self.phase == "bridged":
            self._refuse("error_internal", "an internal error; the log has it")
            return
        try:
            await self._follow(failsafe(proceed, self.snapshot))
        except CallOver as over:
            self._over(over)
        except Exception:
            log.exception("call.broke_again")
            self._refuse("error_internal", "an internal error; the log has it")

    async def _close(self, reason: str | None) -> None:
        """Gives everything back and writes the record."""
        services, record = self.services, self.record
        legs = [leg for leg in (self.caller, self.target) if leg is not None]
        invites = {id(i): i for i in (self.invite, *(leg.invite for leg in legs)) if i is not None}.values()
        for invite in invites:
            invite.hang_up(reason)
        counters = await self._media.finish() if self._media is not None else {}
        await _settled(invites)
        for invite in invites:
            services.traces.close(invite.call_id)
        media: dict[str, LegCounters] = {
            leg.name: counters[leg.media.port] for leg in legs if leg.media.port in counters
        }
        ended_at = services.clock.utc()
        finished = record.finished(ended_at, media, self.trace.lines())
        services.store.post(Finish(self.facts.call_id, ended_at, finished["disposition"], finished))
        log.info(
            "call.ended", disposition=finished["disposition"], detail=record.detail,
            hung_up_by=record.hung_up_by,
        )  # fmt: skip


async def _settled(invites: Iterable[Invite]) -> None:
    """Until the peers have answered our BYE or CANCEL, so that the ladder is whole; a second at most."""
    waiting = [invite for invite in invites if invite.closing]
    if not waiting:
        return
    inbox: Inbox[None] = Inbox()
    for invite in waiting:
        invite.on_closed = partial(inbox.put, None)
    until = asyncio.get_running_loop().time() + SETTLE_S
    for _ in waiting:
        await inbox.get(until - asyncio.get_running_loop().time())
