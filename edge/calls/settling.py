"""The end of a call: its dialogs, ports and slots go, its record and its messages are kept."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from edge.calls.inbox import Inbox
from edge.logs import get_logger
from edge.media.engine import LegCounters
from edge.model.ledger import Finish, Release
from edge.sip.invite import Invite

if TYPE_CHECKING:
    from edge.calls.call import Call
    from edge.calls.leg import Leg

log = get_logger("edge.calls")

SETTLE_S: Final = 1.0
FREE_S: Final = 0.1
"""Most calls have their record by then, which gives their slots back; of others they do not wait for it."""


async def close(call: "Call", reason: str | None) -> None:
    """Gives everything back and writes the record; ``reason`` is what peers that are hung up on are told."""
    services, record = call.services, call.record
    # Not a moment later: a peer that does not answer its BYE lengthens no call.
    ended_at, disposition = services.clock.utc(), record.disposition or "error_internal"
    free = None
    if call.holds_slots:
        give_back = Release(call.facts.call_id, None, ended_at)
        free = asyncio.get_running_loop().call_later(FREE_S, services.store.post, give_back)
    legs = [leg for leg in (*call.former, call.reception.caller, call.target) if leg is not None]
    invites = [] if call.invite is call.given else [call.invite]
    for leg in legs:
        if leg.invite is not None and leg.invite is not call.given and leg.invite not in invites:
            invites.append(leg.invite)
    counters: Mapping[int, LegCounters] = {}
    try:
        counters = await _left(call, legs, invites, reason)
    except Exception:  # a mistake of ours: the record and what the call holds do not depend on it
        log.exception("call.not_left")
    if free is not None:
        free.cancel()
    services.traces.close(call.trace)
    media: dict[str, LegCounters] = {
        leg.name: counters[leg.media.port] for leg in legs if leg.media.port in counters
    }
    # Nothing of the call changes any more: other threads make texts of it.
    told = partial(record.finished, ended_at, media, call.trace)
    unbridged = bool(call.bridged.target_id) and record.connected_at is None
    services.store.post(Finish(call.facts.call_id, ended_at, disposition, told, unbridged))
    kept = partial(call.trace.kept, call.facts.arrived_at)
    services.messages.keep(call.facts.call_id, ended_at, kept)
    log.info("call.ended", disposition=disposition, detail=record.detail, hung_up_by=record.hung_up_by)


async def _left(
    call: "Call", legs: "Sequence[Leg]", invites: Sequence[Invite], reason: str | None
) -> Mapping[int, LegCounters]:
    """Everybody is hung up on, and the media are over; answers what went through each port."""
    for invite in invites:
        try:
            invite.hang_up(reason)
        except Exception:
            log.exception("call.not_hung_up")
    call.reception.inbox.close()
    for leg in legs:
        leg.detach()
    if call.recordings.running:
        await call.recordings.finish()
    counters = await call.reception.media.finish(hurry=call.holds_slots)
    await settled(invites)
    return counters


async def settled(invites: Iterable[Invite]) -> None:
    """Until the peers have answered our BYE or CANCEL, so that the ladder is whole; a second at most."""
    waiting = [invite for invite in invites if invite.closing]
    if not waiting:
        return
    inbox: Inbox[None] = Inbox()
    for invite in waiting:
        invite.on_closed = partial(inbox.put, None)
    until = asyncio.get_running_loop().time() + SETTLE_S
    try:
        for _ in waiting:
            await inbox.get(until - asyncio.get_running_loop().time())
    finally:
        inbox.close()
