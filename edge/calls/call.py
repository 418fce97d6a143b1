"""The story of one call: admitted, perhaps greeted, hunted to a target, bridged, recorded.

One coroutine a call.  Everything that happens waits in the call's inbox until the story asks for
it, so no event ever arrives in the middle of a step; a caller who hangs up ends the story with
``CallOver`` at the next wait.  Ports, dialogs and reservations are given back when it ends,
however it ends.
"""

from typing import Final

from edge.calls.admission import decided
from edge.calls.bridge import Bridge
from edge.calls.happenings import CallOver, HangUpAsked
from edge.calls.hunt import Bridged, Hunt
from edge.calls.identity import Identity
from edge.calls.joining import Others
from edge.calls.leg import Leg
from edge.calls.menu import ask
from edge.calls.past import Past
from edge.calls.reception import Reception
from edge.calls.record import CallRecord
from edge.calls.recordings import CallRecordings
from edge.calls.services import CallServices
from edge.calls.settling import close
from edge.calls.trace import Trace
from edge.calls.transfer import converse
from edge.calls.voicemail import take_message
from edge.logs import get_logger
from edge.media.engine import MediaUnavailable, NoAddress
from edge.model.callers import NO_PAST
from edge.model.config import Trunk
from edge.model.decision import Admission, Announce, CallFacts, Disposition, HungUpBy, Proceed, Refuse
from edge.model.ledger import Connect, OpenCall, Release, Reserve, Unavailable
from edge.model.menu import Menu
from edge.routing.admit import over_cap
from edge.routing.exhaust import exhausted, failsafe
from edge.routing.menu import picked, unanswered
from edge.routing.refusal import bye_reason, refusal
from edge.routing.snapshot import Snapshot
from edge.sip.invite import Invite
from edge.sip.reason import with_status

log = get_logger("edge.calls")

_LEFT_IN: Final[dict[str, Disposition]] = {
    "prompt": "caller_hung_up_prompt",
    "menu": "caller_hung_up_menu",
}

_NO_ADDRESS: Final = '301 edge "Incompatible network address formats"'
"""RFC 3261 section 20.43: the address in the offer is of a family (IPv4, IPv6) of which we have none."""


class Call:
    """One call, end to end.  ``identity`` is who calls, as targets may be told; ``others`` has all calls."""

    def __init__(
        self,
        services: CallServices,
        invite: Invite,
        facts: CallFacts,
        *,
        trunk: Trunk,
        snapshot: Snapshot,
        identity: Identity,
        others: Others,
    ) -> None:
        self.services = services
        self.invite = invite
        self.facts = facts
        self.trunk = trunk
        self.snapshot = snapshot
        self.identity = identity
        self.others = others
        self.record = CallRecord(facts, snapshot.version)
        self.reception = Reception(services, invite, self.record, trunk.sip.codecs)
        self.recordings = CallRecordings(self.record)
        self.trace = Trace(services.clock.monotonic())
        self.target: Leg | None = None
        self.former: list[Leg] = []
        self.given: Invite | None = None
        self.bridged = Bridged("", 0)
        self._told = 0
        self._proceed_with: Proceed | None = None
        self._reserved = self.holds_slots = False
        self.past = Past(services, facts.caller, snapshot)

    def hang_up(self, by: HungUpBy, detail: str) -> None:
        """Ends the call from outside."""
        self.reception.inbox.put(HangUpAsked(by, detail))

    def give_away(self, leg: Leg) -> None:
        """A party goes to another call: its dialog is not this one's to end (rule: Transfers)."""
        self.given, leg.invite = leg.invite, None

    def let_go(self, target: Leg, reason: str | None = None) -> None:
        """The call goes on without that target: its dialog ends, its ports and early media go."""
        reception = self.reception
        if reception.early is target:
            reception.end_early()
            reception.listen().off_hold()
        if target.invite is not None:
            target.invite.hang_up(reason)
            target.detach()
        reception.media.close_leg(target.media)
        self.target = None

    async def run(self) -> None:
        """The whole call; never raises but for cancellation."""
        self.services.traces.open(self.invite.call_id, self.trace, arrived=True)
        log.info("call.arrived", caller=self.facts.caller, called=self.facts.called, trunk=self.trunk.name)
        reason: str | None = None
        try:
            await self._story()
            reason = bye_reason(self.record.disposition)
        except CallOver as over:
            self._over(over)
            said_by_peer = over.by in ("caller", "target")
            reason = over.reason or (None if said_by_peer else bye_reason(self.record.disposition))
        except NoAddress as error:
            self._refuse("rejected_no_codec", str(error), (("Warning", _NO_ADDRESS),))
        except MediaUnavailable as error:
            self._refuse("error_media", str(error))
        except Exception:
            log.exception("call.broke", phase=self.reception.phase)
            await self._recover()
        finally:
            await close(self, reason)

    # -- the story ------------------------------------------------------------------------------------

    async def _story(self) -> None:
        admission = await decided(self)
        if admission is None:
            self._refuse("rejected_overload", "the store can not write")
            return
        facts, record = self.facts, self.record
        number = self.snapshot.number_by_id(admission.number_id) if admission.number_id else None
        if number is not None:
            record.attribute(number, self.snapshot.number(facts.called))
        self.services.store.post(
            OpenCall(
                facts.call_id, facts.arrived_at, facts.trunk_id, facts.caller, facts.called,
                record.number_id, record.campaign_id, record.publisher_id, record.sub_id,
                record.pool_id, record.impression_id,
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
        if self.reception.answered:
            self.invite.hang_up(with_status(answer.status, dict(headers).get("Reason")))
            return
        if answer.retry_after_s is not None:
            low, high = answer.retry_after_s
            wait = low + int(self.services.draw() * (high - low + 1))
            headers = (*headers, ("Retry-After", str(wait)))
        self.invite.reject(answer.status, headers=headers)

    async def _announce(self, announce: Announce) -> None:
        """Answers, plays a message, perhaps takes one, and hangs up."""
        await self.reception.open()
        self.record.end(announce.disposition, announce.detail, "server")
        if not await self.reception.answer_to_play():
            self._refuse("rejected_no_codec", "the caller offers neither PCMU nor PCMA")
        elif announce.voicemail and not await self.reception.recorder():
            self.record.step("voicemail", "skipped", "there is no recorder")
            await self.reception.play(None, "unavailable")
        else:
            await self.reception.play(announce.prompt_id, announce.built_in)
            if announce.voicemail:
                limit_s = self.services.limits.voicemail_max_s
                await take_message(self.reception, self.recordings, limit_s)

    async def _proceed(self, proceed: Proceed) -> None:
        self._proceed_with = proceed
        self.record.tag(proceed)
        self.record.connected_as = proceed.base_disposition or "connected"
        if proceed.claims and not self._reserved and not await self._reserve(proceed):
            return
        caller = await self.reception.open()
        if caller.declined and not self.reception.late_offer:
            self._refuse("rejected_no_codec", "the offer has no audio that we can relay")
            return
        key = await self._greet(proceed) if proceed.greeting_prompt_id is not None else None
        if proceed.sounds.record != "off" or self.recordings.wanted:
            await self.recordings.prepare(self.reception, proceed.sounds)
        if proceed.menu is not None:
            await self._ask(proceed, proceed.menu, key)
        else:
            await self._hunt(proceed)

    async def _reserve(self, proceed: Proceed) -> bool:
        """Takes the capacity of the number; if it is taken, does what the cap says instead."""
        facts = self.facts
        full = await self.services.store.submit(Reserve(facts.call_id, 0, proceed.claims, facts.arrived_at))
        if isinstance(full, Unavailable):
            self._refuse("rejected_overload", "the store can not write")
        elif full is not None:
            await self._follow(over_cap(proceed, self.snapshot, full))
        self._reserved = full is None
        self.holds_slots |= self._reserved
        return self._reserved

    async def _greet(self, proceed: Proceed) -> str | None:
        """Plays the greeting; a key that ends it, where a menu follows that takes it."""
        reception, prompt_id = self.reception, proceed.greeting_prompt_id
        if not await reception.answer_to_play():
            self.record.step("greeting", "skipped", "the caller offers no codec that we can encode")
            return None
        if proceed.menu is None:
            await reception.play(prompt_id, "greeting")
            return None
        reception.phase = "prompt"
        return await reception.ask(reception.source(prompt_id, "greeting"), 0.0)

    async def _ask(self, proceed: Proceed, menu: Menu, key: str | None) -> None:
        """The caller's key in the menu, or none, is one more decision."""
        if not await self.reception.answer_to_play():
            self._refuse("rejected_no_codec", "the caller offers neither PCMU nor PCMA")
            return
        said = await ask(self.reception, menu, key)
        if said is None:
            await self._follow(unanswered(proceed, self.snapshot, menu))
        else:
            await self._follow(picked(proceed, self.snapshot, *said, self.services.clock.utc()))

    async def _hunt(self, proceed: Proceed) -> None:
        """Dials the candidates; what to do when none answers is one more decision."""
        self.reception.phase = "ringing"
        self.reception.ring(proceed.sounds.ringback_prompt_id)
        hunt = Hunt(self, proceed, await self.past.before(proceed) if self.snapshot.askers else NO_PAST)
        target = await hunt.run()
        caller = self.reception.listen()  # another one, if the media worker was lost
        if target is not None:
            await self._bridge(caller, target, hunt)
            return
        caller.media.stop()
        lines = self.record.log.candidates
        await self._follow(exhausted(proceed, self.snapshot, lines, self.record.attempts))

    async def _bridge(self, caller: Leg, target: Leg, hunt: Hunt) -> None:
        """The target has answered: commits the connect, answers the caller, relays until one ends."""
        record, services, reception = self.record, self.services, self.reception
        reception.check()  # a slot that counts bridges is not used up for a caller who is gone
        connected_at, target_id = services.clock.utc(), record.attempts[-1].target_id
        self.bridged = Bridged(target_id, hunt.attempt, hunt.group_id)
        connect = Connect(self.facts.call_id, hunt.attempt, target_id, connected_at)
        stored = await services.store.submit(connect)
        if isinstance(stored, Unavailable):
            record.step("store", "unavailable", "the connect is written when the store is back")
        early = reception.early_bridge
        bridge = early if early is not None and early.target is target else Bridge(caller, target)
        if (hold := hunt.proceed.sounds.hold_prompt_id) is not None:
            bridge.hold = reception.on_hold(hold)
        await self._join(bridge)
        reception.early = reception.early_bridge = None  # a transfer's caller is not to offer to who is left
        record.connected_at, record.connected_target_id = connected_at, target_id
        answering = self.snapshot.target(target_id)
        record.buyer_id = answering.buyer_id if answering is not None else None
        reception.phase = "bridged"
        log.info("call.connected", target=target_id)
        await converse(self, hunt, bridge)

    async def _join(self, bridge: Bridge) -> None:
        """Agrees SDP with the caller and lets the media flow."""
        caller, target, reception = bridge.caller, bridge.target, self.reception
        caller.media.stop()
        told = reception.answered or self.invite.told_early
        if not reception.answered:
            sdp = self._answer_for(bridge)
            if sdp is None:
                raise CallOver("server", "caller and target share no codec", "rejected_no_codec")
            await reception.answer(caller, sdp)
        bridge.catch_up(told=told)
        reception.media.bridge(caller.media, target.media)
        bridge.relay()
        if self.recordings.wanted:
            self.recordings.join(reception, target)

    def _answer_for(self, bridge: Bridge) -> bytes | None:
        """The description of our 200; where one went reliably before, that one stands (RFC 3262)."""
        if self.invite.told_early:
            return self.invite.told
        return (bridge.offer if self.reception.late_offer else bridge.answer)(bridge.caller, bridge.target)

    # -- endings --------------------------------------------------------------------------------------

    def _over(self, over: CallOver) -> None:
        """How the record names an end that came before the story's own."""
        record, reception = self.record, self.reception
        if self.invite.owes_answer:
            record.never_answered()
        record.sip_reason = over.shown(self.trace.shown) if over.by in ("caller", "target") else None
        if over.disposition is not None and not reception.answered:
            self._refuse(over.disposition, over.detail)
        elif over.disposition is not None:
            record.end(over.disposition, over.detail, over.by)
        elif record.connected_at is not None:
            record.end(record.connected_as, over.detail, over.by)
        elif record.disposition is not None:
            record.end(record.disposition, record.detail, over.by)
        elif over.by == "caller":
            record.end(_LEFT_IN.get(reception.phase, "caller_hung_up_ringing"), over.detail, "caller")
        else:
            record.end("target_failed" if over.by == "target" else "interrupted", over.detail, over.by)

    async def _recover(self) -> None:
        """Routing itself failed: the fail-safe, once, if nothing was connected (rule: Failsafe)."""
        proceed, self._proceed_with = self._proceed_with, None
        if proceed is None or self.record.connected_at is not None:
            self._refuse("error_internal", "an internal error; the log has it")
            return
        try:
            if self.target is not None:  # it rings, or has answered: the fail-safe may dial another
                self.let_go(self.target)
            self._give_back()
            await self._follow(failsafe(proceed, self.snapshot))
        except CallOver as over:
            self._over(over)
        except Exception:
            log.exception("call.broke_again")
            self._refuse("error_internal", "an internal error; the log has it")

    def _give_back(self) -> None:
        """The attempt that broke takes nothing while the call goes on elsewhere, even if it was answered."""
        attempt, services = len(self.record.attempts), self.services
        if attempt:
            now = services.clock.utc()
            services.store.post(Release(self.facts.call_id, attempt, now, unbridged=True))
