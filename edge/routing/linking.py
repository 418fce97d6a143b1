"""A call to a number of a pool: whose it is by its visit, and what that says of it (Rule: number pools)."""

from dataclasses import replace
from datetime import datetime

from edge.model.config import Number
from edge.model.decision import Admission, Announce, CallFacts, Proceed, Refuse, Step
from edge.model.pool import Pool, former_pool
from edge.model.tags import MOST_WRITES, TagOrigin, Tags, TagWrite
from edge.model.visits import Link, Said
from edge.routing.actions import Owner, known_prompt
from edge.routing.barring import declined
from edge.routing.refusal import refusal
from edge.routing.snapshot import Snapshot
from edge.routing.tags import held


def pool_of(number: Number, facts: CallFacts, snapshot: Snapshot) -> Pool | None:
    """The pool whose visits calls to this number may belong to; None for a static one or one in stock."""
    if number.pool_id is not None:
        return snapshot.pools.pool(number.pool_id)
    left = number.withdrawn
    if left is None or left.over(facts.arrived_at):
        return None
    # The promise to the last visitor outlives the pool.
    return snapshot.pools.pool(left.pool_id) or former_pool(left.pool_id)


def owner(
    number: Number, pool: Pool, facts: CallFacts, snapshot: Snapshot, steps: list[Step]
) -> Owner | Admission:
    """Whose settings rule the call: those of the primary number of its visit's tag; else what the pool
    has for callers without a visit."""
    link = facts.link
    if link is None:
        return _unlinked(number, pool, facts, snapshot, steps)
    tag = snapshot.pools.tag(link.tag_id)
    primary_id = link.primary_number_id if tag is None else tag.primary_number_id
    found = _primary(primary_id, snapshot)
    if found is None:
        return _refused(
            number, steps, f"the primary number of visit {link.impression_id} is not in use any more"
        )
    steps.append(Step("link", link.attribution, _words(link)))
    return found


def _words(link: Link) -> str:
    said = f"visit {link.impression_id}"
    if link.rivals:
        return f"{said}; {len(link.rivals)} more might have seen this number: {', '.join(link.rivals)}"
    return said


def _primary(number_id: str, snapshot: Snapshot) -> Owner | None:
    number = snapshot.number_by_id(number_id)
    campaign = snapshot.campaign(number.campaign_id) if number is not None and number.campaign_id else None
    return None if number is None or campaign is None else Owner(number, campaign, number)


def _unlinked(
    number: Number, pool: Pool, facts: CallFacts, snapshot: Snapshot, steps: list[Step]
) -> Owner | Admission:
    """No visitor holds the number; a caller whom the account blocks is refused for that."""
    blocked = declined(facts, snapshot.blocks, steps, number.id)
    if blocked is not None:
        return blocked
    action, why = pool.on_unlinked, f"no visitor holds {number.e164}"
    if action.action == "route_as_primary":
        tag = snapshot.pools.tag(pool.fallback_tag_id or "")
        found = None if tag is None else _primary(tag.primary_number_id, snapshot)
        if found is not None:
            steps.append(Step("link", "unlinked", f"{why}; routed as {found.number.e164}"))
            return found
    if action.action == "message":
        steps.append(Step("link", "unlinked", f"{why}; a message is played"))
        prompt_id = known_prompt(snapshot, action.prompt_id)
        return Announce(prompt_id, "unavailable", "rejected_unlinked", why, tuple(steps), number.id, None)
    return _refused(number, steps, why)


def _refused(number: Number, steps: list[Step], why: str) -> Refuse:
    steps.append(Step("link", "unlinked", why))
    answer = refusal("rejected_unlinked")
    return Refuse(
        answer.status, "rejected_unlinked", why, tuple(steps), number.id, None, answer.reason_header
    )


def writes_of(link: Link | None, said: Said | None) -> tuple[TagWrite, ...]:
    """What a call's visit, and its publisher, say of it (Rule: tags)."""
    heard: list[tuple[TagOrigin, Tags, datetime]] = []
    if link is not None:
        heard.append(("url", link.landing, link.started_at))
        if link.latest != link.landing:
            heard.append(("url", link.latest, link.active_at))
        heard.append(("page", link.data, link.active_at))
    if said is not None:
        heard.append(("publisher", said.tags, said.at))
    every = (TagWrite(key, value, origin, at) for origin, tags, at in heard for key, value in tags.items())
    return tuple(every)[:MOST_WRITES]


def campaign_of(admission: Admission, snapshot: Snapshot) -> str | None:
    """The campaign of the number that a call belongs to, wherever a forward has led it."""
    number = snapshot.number_by_id(admission.number_id or "")
    return None if number is None else number.campaign_id


def with_visit(admission: Admission, snapshot: Snapshot, writes: tuple[TagWrite, ...]) -> Admission:
    """The decision with what the call's visit, and its publisher, say of it (``writes_of``) as tags."""
    if not isinstance(admission, Proceed) or not writes:
        return admission
    number = snapshot.number_by_id(admission.number_id)
    return replace(admission, writes=writes, tags=held(number.tags if number is not None else {}, writes))
