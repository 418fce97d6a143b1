"""Owns the live calls: takes new ones in, ends them, drains."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

from edge.calls import intake
from edge.calls.call import Call
from edge.calls.leg import Leg
from edge.calls.ports import ConfigurationHolder, RefusedCall, RefusedLog
from edge.calls.record import instant
from edge.calls.services import CallServices
from edge.calls.trunk_load import Rate, TrunkLoad
from edge.ids import new_id
from edge.logs import get_logger, of_call
from edge.model.config import Trunk
from edge.model.decision import CallFacts
from edge.model.tags import Tags
from edge.routing.snapshot import Snapshot
from edge.sip.invite import Invite
from edge.sip.replaces import Replaces

log = get_logger("edge.calls")


class Switch:
    """Every live call and its task; an async context manager that drains when it is left.

    ``take`` is the endpoint's ``on_call``.  After ``drain`` new calls get 503 and live ones go on
    until their end or the limit.
    """

    def __init__(
        self, services: CallServices, configuration: ConfigurationHolder, refused: RefusedLog
    ) -> None:
        self._services = services
        self._configuration = configuration
        self._refused = refused
        self._calls: dict[str, tuple[Call, asyncio.Task[None]]] = {}
        self._load = TrunkLoad()
        self._rate = Rate(services.limits.max_cps, services.clock.monotonic())
        self._limit: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = False
        self.dispositions: Counter[str] = Counter()
        self.arrived = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.drained(self._services.limits.drain_s)

    # -- new calls ------------------------------------------------------------------------------------

    def take(self, invite: Invite) -> None:
        """A new call: refused at once, or told in a task of its own."""
        self.arrived += 1
        snapshot = self._configuration.current
        trunk = snapshot.trunk(invite.peer_id)
        if trunk is None:
            invite.reject(403)
            return
        refused = self._overload() or self._trunk_full(trunk)
        if refused is not None:
            self._turn_away(invite, trunk, *refused)
            return
        try:
            call = self._begin(invite, trunk, snapshot)
        except Exception:
            log.exception("call.not_begun", trunk=trunk.name)
            self._load.leave(trunk.id)
            invite.reject(500)
            return
        facts = call.facts
        task = asyncio.get_running_loop().create_task(self._run(call), name=facts.call_id)
        if not self._calls:
            self._empty.clear()
        self._calls[facts.call_id] = (call, task)

    def _begin(self, invite: Invite, trunk: Trunk, snapshot: Snapshot) -> Call:
        arrival = intake.arrival(invite.request, trunk)
        facts = CallFacts(
            new_id("call"),
            trunk.id,
            arrival.caller,
            arrival.called,
            self._services.clock.utc(),
            arrival.attested,
        )
        return Call(
            self._services, invite, facts,
            trunk=trunk, snapshot=snapshot, identity=arrival.identity, others=self,
        )  # fmt: skip

    async def _run(self, call: Call) -> None:
        call_id = call.facts.call_id
        try:
            of_call(call_id)
            await call.run()
        except Exception:
            log.exception("call.not_closed")
        finally:
            self._forget(call)

    def _forget(self, call: Call) -> None:
        self._load.leave(call.trunk.id)
        del self._calls[call.facts.call_id]
        disposition = call.record.disposition or "error_internal"
        self.dispositions[disposition] += 1
        if disposition == "rejected_unknown_number":
            self._note_unknown(call)
        if not self._calls:
            self._empty.set()

    def _overload(self) -> tuple[str, int] | None:
        """Why the whole server takes no new call, and the Retry-After in seconds."""
        limits = self._services.limits
        if self.draining:
            return "draining: no new calls", limits.retry_after_s
        if not self._services.store.healthy:
            return "the store can not write", limits.retry_after_s
        if len(self._calls) >= limits.max_calls:
            return f"{limits.max_calls} calls at once", limits.retry_after_s
        media = self._services.media
        if not (media.ready or media.expected):
            return "no media ports are left for one more call", limits.retry_after_s
        if not self._rate.take(self._services.clock.monotonic()):
            return f"more than {limits.max_cps:g} calls per second", limits.retry_after_s
        return None

    def _trunk_full(self, trunk: Trunk) -> tuple[str, int] | None:
        full = self._load.admit(trunk, self._services.clock.monotonic())
        if full is None:
            return None
        self._rate.give_back()  # or a trunk that is full would take the calls of all others
        return full, 1

    def _turn_away(self, invite: Invite, trunk: Trunk, reason: str, retry_after_s: int) -> None:
        limit = retry_after_s == 1
        self.dispositions["rejected_trunk_limit" if limit else "rejected_overload"] += 1
        remedy = "raise the trunk's limits" if limit else "wait; the server takes no new calls now"
        self._note(invite, trunk, 503, reason, remedy)
        log.warning("call.refused", trunk=trunk.name, status=503, reason=reason)
        invite.reject(503, headers=(("Retry-After", str(retry_after_s)),))

    def _note_unknown(self, call: Call) -> None:
        remedy = f"add {call.facts.called} to a campaign, or give the trunk a default number"
        self._note(call.invite, call.trunk, 404, call.record.detail, remedy)

    def _note(self, invite: Invite, trunk: Trunk, status: int, reason: str, remedy: str) -> None:
        source = invite.flow.remote[0] if invite.flow is not None else ""
        called = intake.called_text(invite.request, trunk)
        self._refused.note(RefusedCall(source, "INVITE", called, status, reason, remedy))

    # -- live calls -----------------------------------------------------------------------------------

    def live(self) -> list[str]:
        """The ids of the live calls, oldest first."""
        return list(self._calls)

    def look(self, call_id: str) -> Mapping[str, Any] | None:
        """A live call by the names of the API's ``call`` resource; None if none has that id."""
        found = self._calls.get(call_id)
        return None if found is None else _live(found[0])

    def __len__(self) -> int:
        return len(self._calls)

    def hang_up(self, call_id: str, by: str = "admin") -> bool:
        """Ends a live call; False if there is none of that id."""
        found = self._calls.get(call_id)
        if found is None:
            return False
        found[0].hang_up("admin" if by == "admin" else "server", f"hung up by {by}")
        return True

    def holding(self, replaces: Replaces) -> tuple[Call, Leg] | None:
        """The call and the leg that have a dialog; None if no live call has it."""
        for call, _ in self._calls.values():
            for leg in (call.reception.caller, call.target):
                invite = None if leg is None else leg.invite
                if leg is None or invite is None or invite.local_tag != replaces.to_tag:
                    continue
                if invite.dialog_for(replaces) is not None:
                    return call, leg
        return None

    def learn(self, campaign_id: str, caller: str, tags: Tags) -> bool:
        """Tells the live calls of a caller to a campaign more of it; False if there is none."""
        at = self._services.clock.utc()
        found = [
            call
            for call, _ in self._calls.values()
            if call.facts.caller == caller and call.record.campaign_id == campaign_id
        ]
        for call in found:
            call.record.learn(tags, at)
        return bool(found)

    # -- the end --------------------------------------------------------------------------------------

    def drain(self, max_s: float | None = None) -> int:
        """No new calls from now on; live ones end at the latest after ``max_s`` seconds.

        Answers how many calls still live.
        """
        self.draining = True
        limit = self._services.limits.drain_s if max_s is None else max_s
        if self._limit is not None:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(max(0.0, limit), self._end_all)
        return len(self._calls)

    async def drained(self, max_s: float) -> None:
        """Waits until the last call is over and recorded, ``max_s`` seconds at most before hanging up."""
        if not self.draining:
            self.drain(max_s)
        await self._empty.wait()
        await asyncio.gather(*(task for _, task in self._calls.values()))
        if self._limit is not None:
            self._limit.cancel()

    def _end_all(self) -> None:
        for call, _ in self._calls.values():
            call.hang_up("server", "the server stops")


def _live(call: Call) -> Mapping[str, Any]:
    record, facts = call.record, call.facts
    return {
        "id": facts.call_id,
        "trunk_id": facts.trunk_id,
        "number_id": record.number_id,
        "campaign_id": record.campaign_id,
        "publisher_id": record.publisher_id,
        "sub_id": record.sub_id,
        "pool_id": record.pool_id,
        "impression_id": record.impression_id,
        "target_id": record.connected_target_id,
        "buyer_id": record.buyer_id,
        "caller": facts.caller,
        "called": facts.called,
        "started_at": instant(facts.arrived_at),
        "answered_at": instant(record.answered_at),
        "connected_at": instant(record.connected_at),
        "phase": call.reception.phase,
    }
