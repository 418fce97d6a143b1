"""What is decided about a call at its arrival; for a pool's number the store is asked first whose it is."""

from typing import TYPE_CHECKING

from edge.calls.attestation import verify
from edge.model.decision import Admission
from edge.model.ledger import Unavailable
from edge.model.visits import LinkCall
from edge.routing.admit import admit
from edge.routing.linking import campaign_of, pool_of, with_visit, writes_of

if TYPE_CHECKING:
    from edge.calls.call import Call


async def decided(call: "Call") -> Admission | None:
    """The decision, with what the call's visit and its publisher say of it; None: the store can not tell."""
    snapshot, services = call.snapshot, call.services
    # Before anything that takes time, in which the number could go on to the next visitor.
    if snapshot.pools and not await _find_visit(call):
        return None
    if services.verifier is not None and "Identity" in call.invite.request.headers:
        await verify(call, services.verifier)
    facts = call.facts
    admission = admit(facts, snapshot, services.counts)
    if facts.link is None and not services.said:
        return admission
    said = services.said.of(campaign_of(admission, snapshot), facts.caller)
    # Also of a call that is refused, or hears that it is closed.
    writes = call.record.writes = writes_of(facts.link, said)
    return with_visit(admission, snapshot, writes)


async def _find_visit(call: "Call") -> bool:
    """Links the call, if its number is handed out to visitors; False where the store can not tell.

    From here on the number is busy, until the call's record is written.
    """
    facts, snapshot = call.facts, call.snapshot
    number = snapshot.number(facts.called)
    pool = pool_of(number, facts, snapshot) if number is not None and number.campaign_id is None else None
    if number is None or pool is None:
        return True
    call.record.pool_id = pool.id
    hours = pool.caller_affinity_h
    asked = LinkCall(facts.call_id, number.id, pool.id, facts.caller, facts.called, hours, facts.arrived_at)
    link = await call.services.store.submit(asked)
    if isinstance(link, Unavailable):
        return False
    call.facts = facts._replace(link=link)
    call.record.link = link
    return True
