"""The caller's side of a call: its leg, our answer, what is played to it, and what it does meanwhile.

The caller is answered at once when there is something to play, otherwise not before a target has
answered (rule: Answering).
"""

from edge.calls.bridge import Bridge
from edge.calls.happenings import (
    CallerSaid,
    CallOver,
    HangUpAsked,
    Happening,
    MediaHappened,
    PartyWanted,
    PortsReady,
    SipHappened,
    cancelled,
)
from edge.calls.hold import HoldPrompt
from edge.calls.inbox import Inbox
from edge.calls.keys import Keys
from edge.calls.leg import Leg, calling
from edge.calls.record import CallRecord
from edge.calls.services import CallServices
from edge.media.engine import MediaCall, PlayDone, WorkerDied
from edge.sip.events import (
    Acked,
    Cancelled,
    EarlyAnswer,
    Ended,
    InviteEvent,
    OfferAnswered,
    Offered,
    OfferRefused,
    Refreshed,
    Replaced,
)
from edge.sip.invite import Invite

ACK_WAIT_S = 32.0
PORTS_WAIT_S = 2.0
"""A lost media worker takes some tenths of a second to be back."""
RECORDER_WAIT_S = 3.0
"""A lost recorder is started anew after a second."""
_LOOK_S = 0.1
RINGBACK = "tone:ringback"
MEDIA_LOST = "Q.850;cause=41"


class Reception:
    """What a call has of its caller.

    ``phase`` is where the call is: arrived, prompt, menu, voicemail, ringing, bridged.  ``until`` is the
    instant (monotonic seconds) at which any call ends.  ``codecs`` are those the trunk allows (None:
    all); ``early`` is the target that the caller hears before it has answered, and ``early_bridge`` what
    passes their offers on until then.
    """

    def __init__(
        self, services: CallServices, invite: Invite, record: CallRecord, codecs: tuple[str, ...] | None
    ) -> None:
        self.services = services
        self.invite = invite
        self.record = record
        self.codecs = codecs
        self.inbox: Inbox[Happening] = Inbox()
        self.caller: Leg | None = None
        self.early: Leg | None = None
        self.early_bridge: Bridge | None = None
        self.answered = False
        self.phase = "arrived"
        self.late_offer = not invite.offer
        self.until = services.clock.monotonic() + services.limits.max_call_s
        self.media: MediaCall = services.media.call()
        self._keys = Keys()
        self._ringing: str | None = None

    async def open(self) -> Leg:
        """``listen``, once the ports are there: those of a worker that is being restarted are waited for."""
        if self.caller is None and not self.media.ready:
            await self._ports()
        return self.listen()

    @property
    def may_begin_again(self) -> bool:
        """Whether the media worker was lost before the caller was told of it in any description."""
        told = self.answered or self.invite.told_early or (self.caller and self.caller.local)
        return not (self.media.ready or told)

    async def begin_again(self) -> Leg:
        """The caller's leg on another worker, or the restarted one; raises MediaUnavailable and CallOver."""
        if self.caller is not None:
            self.caller.detach()
            self.caller = None
        await self.media.finish()
        self.media = self.services.media.call()
        self.record.step("media", "lost", "the call goes on with another media worker")
        return await self.open()

    async def _ports(self) -> None:
        """Until the call has them, or for as long as that may take; raises CallOver."""
        began = self.services.clock.monotonic()
        self.media.await_ports(lambda: self.inbox.put(PortsReady()))
        self.invite.on_event = lambda event: self.inbox.put(CallerSaid(event))
        try:
            while not self.media.ready and await self.next(began + PORTS_WAIT_S) is not None:
                pass
        finally:
            self.invite.on_event = None
        waited_s = self.services.clock.monotonic() - began
        result = "restarted" if self.media.ready else "lost"
        self.record.step("media", result, f"waited {waited_s:.1f} s for a media worker")

    def listen(self) -> Leg:
        """The caller's leg: its port taken, its events heard; raises MediaUnavailable."""
        if self.caller is None:
            self.caller = calling("caller", self.media, self.invite, self.inbox)
            self.caller.at_once = _concerns_nobody
            self.caller.attach(self.invite)
        return self.caller

    async def answer_to_play(self) -> bool:
        """200 at once, since there is something to play; False if no codec fits."""
        caller = self.listen()
        if self.answered:
            return True
        if self.invite.told_early:
            sdp = caller.local.to_bytes() if caller.local is not None and caller.can_hear_us else None
        else:
            sdp = caller.offer_ours() if self.late_offer else caller.answer_locally(self.codecs)
        if sdp is None:
            return False
        await self.answer(caller, sdp)
        return caller.plan()

    async def answer(self, caller: Leg, sdp: bytes) -> None:
        """Our 200 to the caller; to a late offer the answer comes with the ACK (RFC 3261 13.2.1).

        Raises CallOver if the caller has gone already.  What others say before that ACK waits.
        """
        self.check()
        self.answered = True
        self.record.answered_at = self.services.clock.utc()
        self.invite.answer(sdp)
        until = self.services.clock.monotonic() + ACK_WAIT_S
        early: list[Happening] = []
        while caller.remote is None:
            match await self.next(until):
                case SipHappened(leg=leg) if leg is caller:
                    pass  # ``next`` has taken it in
                case None:
                    raise CallOver("server", "no ACK to our 200", "error_sip")
                case happening:
                    early.append(happening)
        if early:
            self.inbox.put_back(early)

    def check(self) -> None:
        """Raises CallOver if the caller has gone while the story waited for something else."""
        for happening in self.inbox.items:
            if isinstance(happening, SipHappened) and happening.leg is self.caller:
                self._gone(happening.event)

    async def recorder(self) -> bool:
        """Whether the caller can leave a message: a recorder that was lost is waited for, too."""
        clock = self.services.clock
        until = clock.monotonic() + RECORDER_WAIT_S
        while not self.media.can_record and clock.monotonic() < until:
            await self.awaited(clock.monotonic() + _LOOK_S)
        return self.media.can_record

    async def play(self, prompt_id: str | None, built_in: str) -> None:
        """Plays a prompt to its end; one that is not there is skipped and logged."""
        self.phase = "prompt"
        token = self._start(self.source(prompt_id, built_in))
        while token is not None and not self._is_done(await self.awaited(self.until), token):
            pass

    async def ask(self, source: str, wait_s: float) -> str | None:
        """Plays a prompt until a key is pressed, and waits ``wait_s`` more; the key, None without any."""
        token = self._start(source)
        until = self.until if token is not None else self.services.clock.monotonic() + wait_s
        while (happening := await self.awaited(min(until, self.until))) is not None:
            digit = self.key_of(happening)
            if digit is not None:
                self.listen().media.stop()
                return digit
            if token is not None and self._is_done(happening, token):
                until = self.services.clock.monotonic() + wait_s
        return None

    def hear_early(self, target: Leg) -> bool:
        """Lets the caller hear what a target plays before it answers, as soon as that is heard: a description
        may come without any audio.  False if a leg has no shared codec."""
        caller = self.listen()
        caller.media.give_way()
        if self.early is not target or self.early_bridge is None:  # else an offer may be under way
            self.early, self.early_bridge = target, Bridge(caller, target)
            self.media.bridge(caller.media, target.media)
        return caller.remote is None or self.early_bridge.relay()

    def forget_early(self) -> None:
        """The target that the caller heard is dialled no more, or has answered to somebody else than it."""
        bridge, self.early, self.early_bridge = self.early_bridge, None, None
        if bridge is not None:
            bridge.give_up()

    def end_early(self) -> None:
        """The caller does not hear that target any longer: it rings again, even if we have not answered, for
        a phone that was told of early media plays nothing itself."""
        self.media.unbridge()
        self.forget_early()
        self.ring_on()

    def ring(self, prompt_id: str | None = None) -> None:
        """The caller hears ringing, or that prompt over and over, once it has been answered."""
        self._ringing = prompt_id
        if self.answered:
            self.ring_on()

    def ring_on(self) -> None:
        """Rings again, after the caller heard something else."""
        self.listen().media.play(self.source(self._ringing, RINGBACK), loop=True)

    def on_hold(self, prompt_id: str) -> HoldPrompt | None:
        """What is heard on hold: None where the prompt can not be played."""
        return HoldPrompt(prompt_id) if self.services.prompt_ready(prompt_id) else None

    def source(self, prompt_id: str | None, built_in: str) -> str:
        """What stands for a prompt: itself, or the built-in one where it can not be played."""
        return prompt_id if prompt_id is not None and self.services.prompt_ready(prompt_id) else built_in

    def _start(self, source: str) -> int | None:
        """Begins to play; the token of its end, None if there is no such prompt."""
        if not self.services.prompt_ready(source):
            self.record.step("prompt", "skipped", f"prompt {source} is not loaded")
            return None
        self.record.step("prompt", "played", source)
        return self.listen().media.play(source)

    def _is_done(self, happening: Happening | None, token: int) -> bool:
        match happening:
            case MediaHappened(leg=leg, event=PlayDone(token=done)):
                return leg is self.caller and done == token
            case _:
                return False

    async def awaited(self, until: float) -> Happening | None:
        """What happens next while something plays; None at ``until``, unless the call's time is over."""
        happening = await self.next(until)
        if happening is None and self.services.clock.monotonic() >= self.until:
            raise self.too_long()
        digit = None if happening is None else self.key_of(happening)
        if digit is not None:
            self.record.key(digit)
        return happening

    def key_of(self, happening: Happening) -> str | None:
        """The key that the caller pressed, if that is what happened."""
        return self._keys.pressed(self.listen(), happening)

    def too_long(self) -> CallOver:
        """The longest call is over."""
        return CallOver("limit", f"longer than {self.services.limits.max_call_s:g} s")

    async def next(self, until: float | None = None) -> Happening | None:
        """The next thing that happens to the call, None at ``until`` (monotonic seconds).

        Raises CallOver when the caller is gone, when somebody hangs the call up, or when its media
        is lost.  An offer of the caller before the bridge is answered by us alone.
        """
        wait = None if until is None else until - self.services.clock.monotonic()
        happening = await self.inbox.get(wait)
        if isinstance(happening, SipHappened):
            if happening.leg is self.caller and self.phase != "bridged":
                self._caller_said(happening.leg, happening)
        elif isinstance(happening, PartyWanted) and self.phase != "bridged":
            happening.refuse()
        elif isinstance(happening, HangUpAsked):
            raise CallOver(happening.by, happening.detail)
        elif isinstance(happening, CallerSaid):
            self._gone(happening.event)
        elif isinstance(happening, MediaHappened) and isinstance(happening.event, WorkerDied):
            raise CallOver("server", "the media worker died", "error_media", MEDIA_LOST)
        return happening

    def _caller_said(self, caller: Leg, happening: SipHappened) -> None:
        self._gone(happening.event)
        match happening.event:
            case Offered() | OfferAnswered() | OfferRefused() if self.early_bridge is not None:
                self.early_bridge.handle(happening)
            case Offered(sdp=offer):
                self._offered(caller, offer)
            case Acked(sdp=answer) if answer or caller.remote is None:
                self._late_answer(caller, answer)
            case EarlyAnswer(sdp=answer) | OfferAnswered(sdp=answer):  # its target gave way, perhaps
                self._late_answer(caller, answer)
            case Refreshed(sdp=answer) if caller.hear(answer):
                self._replan(caller)
            case OfferRefused(status=status) if caller.undecided is not None:
                caller.refuses(status)
                caller.plan(self.early)
            case Replaced(invite=invite):
                invite.reject(491)  # not before the bridge
            case _:
                pass

    def _gone(self, event: object) -> None:
        match event:
            case Cancelled():
                raise cancelled(event)
            case Ended(cause="peer", reason=reason):
                raise CallOver("caller", "", reason=reason)
            case Ended(cause=cause):
                raise CallOver("server", f"the caller's dialog broke: {cause}", "error_sip")
            case _:
                pass

    def _offered(self, caller: Leg, offer: bytes) -> None:
        """A re-INVITE before the bridge: hold, resume, another address (RFC 3264 section 8)."""
        if caller.take_alone(offer, self.codecs) and offer:
            caller.plan(self.early)

    def _late_answer(self, caller: Leg, answer: bytes) -> None:
        """The answer to an offer of ours came with the ACK, or the PRACK."""
        first = caller.remote is None
        if not caller.hear(answer) and first:
            raise CallOver("server", f"the ACK {caller.unusable(answer)}", "rejected_no_codec")
        if first and not caller.talks:
            raise CallOver(
                "server", "the ACK takes none of the audio that it was offered", "rejected_no_codec"
            )
        if caller.undecided is not None:  # who had it offered has given way
            caller.undecided = None
            caller.off_hold()
        self._replan(caller)

    def _replan(self, caller: Leg) -> None:
        """The caller has said something new of itself."""
        caller.plan(self.early)
        if self.early is not None:
            self.early.plan(caller)


def _concerns_nobody(caller: Leg, event: InviteEvent) -> bool:
    """Whether an event is the ACK to an answer of ours, which every call gets and none waits for."""
    return type(event) is Acked and not event.sdp and not event.unanswered and caller.remote is not None
