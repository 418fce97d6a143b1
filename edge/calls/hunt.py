"""The hunt for a target: candidates one by one, each rechecked, reserved, dialled.

A busy, silent, refusing or unreachable target gives way to the next (rule: failover); its
reservation goes back at once.  The attempts and their reasons go into the call's record.
"""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from edge.calls.dial import Dial
from edge.calls.happenings import CallOver
from edge.calls.invitation import Transferring
from edge.calls.leg import Leg
from edge.calls.outcome import NO_SLOT, NOT_COUNTED, Result
from edge.calls.placeholders import Values
from edge.logs import get_logger
from edge.media.engine import MediaUnavailable
from edge.model.callers import CallerPast
from edge.model.config import Target
from edge.model.decision import Attempt, Candidate, CapClaim, Choice, Proceed
from edge.model.ledger import Release, Reserve, Unavailable
from edge.model.placeholders import Lookup
from edge.routing.choose import Skip, choose, mark, recheck
from edge.routing.inheritance import routes_in
from edge.routing.known import Known

if TYPE_CHECKING:
    from edge.calls.call import Call

log = get_logger("edge.calls")


class Bridged(NamedTuple):
    """Whom a caller talks with: the target, the attempt that holds its slots, the group that led there."""

    target_id: str
    attempt: int
    group_id: str | None = None


class Hunt:
    """One pass over the candidates of a call; ``moves`` counts the transfers and take-overs that follow."""

    # Most calls have none, and need not even set them.
    moves = 0
    _tried = 0

    def __init__(self, call: "Call", proceed: Proceed, past: CallerPast) -> None:
        self.call = call
        self.reception = call.reception
        self.proceed = proceed
        services = call.services
        now, down = services.clock.utc(), services.down
        self.choice: Choice = choose(
            proceed, call.facts, call.snapshot, services.counts, now, services.draw, down=down, past=past
        )
        self.key = services.key_of(call.facts.call_id)
        call.trace.hide(self.key)
        self._past = past
        self.attempt = 0
        self.group_id: str | None = None
        self._dialled = 0
        call.record.log.candidates.extend(self.choice.lines)

    @cached_property
    def values(self) -> Values:
        """The placeholders known when targets are dialled (rule: placeholders)."""
        call = self.call
        known = Known(call.facts, call.snapshot, self.proceed.number_id, self._past)
        return Values(known, call.record.tags, self.key, call.snapshot)

    async def run(self) -> Leg | None:
        """The leg of the target that answered, or None when nobody did.

        Should the media worker be lost before the caller was told where its audio goes, who was dialled then
        is dialled anew, once.  Raises CallOver and MediaUnavailable.
        """
        try:
            return await self._run()
        except (CallOver, MediaUnavailable) as error:
            gone = isinstance(error, CallOver) and error.disposition != "error_media"
            if gone or not self.reception.may_begin_again:
                raise
        return await self._again()

    async def _run(self) -> Leg | None:
        most = routes_in(self.proceed, self.call.snapshot).max_attempts
        for candidate in self.choice.candidates[self._tried :]:
            # Only dials count, and those of this hunt: a forward still has its own.
            if self._dialled >= most:
                self.call.record.step("attempts", "limit", f"max_attempts {most}")
                break
            leg = await self._try(candidate)
            if leg is not None:
                return leg
            self._tried += 1
        return None

    async def _again(self) -> Leg | None:
        """The same, beginning with the target whose dial was cut short, which does not count."""
        call = self.call
        if call.target is not None:
            call.let_go(call.target)
        call.services.store.post(Release(call.facts.call_id, self.attempt, call.services.clock.utc()))
        await self.reception.begin_again()
        self._dialled -= 1
        return await self._run()

    async def _try(self, candidate: Candidate) -> Leg | None:
        """Rechecks, reserves and dials one candidate."""
        call, services = self.call, self.call.services
        target = call.snapshot.target(candidate.target_id)
        judged = self.judge(candidate, target)
        if target is None or isinstance(judged, Skip):
            reason = judged.detail if isinstance(judged, Skip) else "no such target"
            call.record.step("recheck", "skipped", f"{candidate.target_id}: {reason}")
            skipped = judged.reason if isinstance(judged, Skip) else "down"
            mark(call.record.log.candidates, candidate.target_id, "skipped", skipped)
            return None
        self.attempt = attempt = self.attempt_number()
        self.group_id = candidate.group_id
        started = services.clock.utc()
        why = await self.reserve(attempt, judged) if judged or self.proceed.claims else None
        if why is NOT_COUNTED:
            raise CallOver("server", why.reason, "rejected_overload")
        if why is not None:
            self.undialled(target)
            self.note(target, started, why)
            return None
        self._dialled += 1
        leg, _ = await self.dial(target, started)
        if leg is None and judged:
            services.store.post(Release(call.facts.call_id, attempt, services.clock.utc()))
        return leg

    def judge(self, candidate: Candidate, target: Target | None) -> tuple[CapClaim, ...] | Skip:
        """Right before a dial: what is to be reserved for it, or why there is none."""
        call, services = self.call, self.call.services
        now, down = services.clock.utc(), services.down
        judged = recheck(candidate, call.facts, call.snapshot, services.counts, now, down=down)
        if target is None or target.max_cps is None or isinstance(judged, Skip):
            return judged
        return self._too_fast(target) or judged

    def _too_fast(self, target: Target) -> Skip | None:
        """A target that has had its calls of this second is passed over (rule: Caps)."""
        services = self.call.services
        if target.max_cps is None or services.rates.take(
            target.id, target.max_cps, services.clock.monotonic()
        ):
            return None
        return Skip("capped", f"max_cps {target.max_cps:g}")

    def undialled(self, target: Target) -> None:
        """It was not sent the call after all, which so does not count on its rate."""
        if target.max_cps is not None:
            self.call.services.rates.give_back(target.id)

    def attempt_number(self) -> int:
        """Attempts count from 1 over the whole call; 0 is the admission."""
        return len(self.call.record.attempts) + 1

    async def reserve(self, attempt: int, claims: tuple[CapClaim, ...]) -> Result | None:
        """Takes what a target's caps ask of a dial, else why not: ``NO_SLOT`` or ``NOT_COUNTED``."""
        before = self.proceed.claims
        # A dial uses up what the admission reserved per attempt, even if the target claims nothing.
        if not claims and (not before or all(claim.counts_on != "attempt" for claim in before)):
            return None
        call = self.call
        taken = await call.services.store.submit(
            Reserve(call.facts.call_id, attempt, claims, call.facts.arrived_at)
        )
        if isinstance(taken, Unavailable):
            return NOT_COUNTED
        call.holds_slots |= taken is None
        return None if taken is None else NO_SLOT

    async def dial(
        self, target: Target, started: datetime, transfer: Transferring | None = None
    ) -> tuple[Leg | None, Result]:
        """The leg that answered, or None, and what it came to; the record has it.  Raises CallOver."""
        breaker = self.call.services.breaker
        elsewhere = transfer is not None and transfer.uri is not None
        if not elsewhere:
            breaker.dialled(target.id)
        try:
            asked = target.headers or "[" in target.address
            values: Lookup = self.values.toward(target) if asked else {}
            leg, result = await Dial(self.call, target, values, self.key, transfer=transfer).run()
        except CallOver as over:
            why = over.detail if over.disposition == "error_media" else "the call was over"
            self.note(target, started, Result(0, "caller_gone", why), transfer)
            raise
        except Exception as error:  # no media, or a mistake of ours
            words = str(error) if isinstance(error, MediaUnavailable) else "an internal error; the log has it"
            self.note(target, started, Result(0, "unreachable", words), transfer)
            raise
        if not elsewhere:
            breaker.learn(target.id, result)
        self.note(target, started, result, transfer)
        return leg, result

    def note(
        self, target: Target, started: datetime, result: Result, transfer: Transferring | None = None
    ) -> None:
        """Writes an attempt into the record."""
        ended, shown = self.call.services.clock.utc(), self.call.trace.shown
        reason = shown(result.reason) if result.reason else ""
        if transfer is not None:
            reason = f"{transfer.words}: {reason}" if reason else transfer.words
        sip_reason = shown(result.sip_reason) if result.sip_reason else None
        self.call.record.attempts.append(
            Attempt(target.id, started, ended, result.status, result.outcome, reason, sip_reason)
        )
        log.info(
            "call.attempt", target=target.name, outcome=result.outcome, status=result.status, reason=reason
        )
