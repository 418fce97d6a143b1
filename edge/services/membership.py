"""What must hold between pools, their numbers and call tracking tags (Rule: number pools)."""

from collections.abc import Iterator

from edge.model.config import Number
from edge.model.pool import CallTrackingTag, Pool
from edge.routing.snapshot import Snapshot
from edge.services.errors import FieldError
from edge.services.numbering import plan_of

MOST_NUMBERS = 5_000


def pool_number(number: Number, snapshot: Snapshot) -> Iterator[FieldError]:
    """A number is static, or in exactly one pool, of the pool's country and kind."""
    if number.pool_id is None:
        return
    if number.state not in ("active", "paused"):
        yield FieldError("pool_id", f"a number of a pool is active or paused, not {number.state}")
    for name in ("campaign_id", "publisher_id"):
        if getattr(number, name) is not None:
            why = "a number is static or in a pool: one in a pool has the campaign and publisher of its tag"
            yield FieldError(name, why)
    pool = snapshot.pools.pool(number.pool_id)
    if pool is None:
        yield FieldError("pool_id", f"there is no pool with the id {number.pool_id!r}")
        return
    yield from _fits(number, pool)
    members = snapshot.pools.members(pool.id)
    if len(members) >= MOST_NUMBERS and number.id not in members.by_id:
        yield FieldError("pool_id", f"a pool has {MOST_NUMBERS} numbers at most; make another one")
    for tag_id in snapshot.pools.primary_of(number.id):
        why = f"it is the primary number of tag {tag_id}: a miss would show a tracked line"
        yield FieldError("pool_id", why)


def _fits(number: Number, pool: Pool) -> Iterator[FieldError]:
    if (number.country or plan_of(number.e164)[0]) != pool.country:
        yield FieldError("pool_id", f"the pool's numbers are of {pool.country}, this one of {number.country}")
    if number.kind != pool.kind:
        yield FieldError("pool_id", f"the pool's numbers are {pool.kind}, this one is {number.kind}")


def pool_rules(pool: Pool, snapshot: Snapshot) -> Iterator[FieldError]:
    """Country and kind stay those of the numbers that the pool has."""
    numbers = [snapshot.number_by_id(number_id) for number_id in snapshot.pools.members(pool.id).by_id]
    for name in ("country", "kind"):
        if any(number is not None and getattr(number, name) != getattr(pool, name) for number in numbers):
            yield FieldError(name, "the pool has numbers of another; take them out first")
    if pool.fallback_tag_id is not None and snapshot.pools.tag(pool.fallback_tag_id) is None:
        why = f"there is no call tracking tag with the id {pool.fallback_tag_id!r}"
        yield FieldError("fallback_tag_id", why)


def tag_rules(tag: CallTrackingTag, snapshot: Snapshot) -> Iterator[FieldError]:
    """The primary number is a static one of the tag's campaign, never one that is handed out."""
    number = snapshot.number_by_id(tag.primary_number_id)
    if number is None:
        yield FieldError("primary_number_id", f"there is no number with the id {tag.primary_number_id!r}")
    elif number.pool_id is not None:
        yield FieldError("primary_number_id", "a number of a pool can not be primary: take a static one")
    elif number.campaign_id != tag.campaign_id:
        yield FieldError("primary_number_id", "this number belongs to another campaign, or to none")
    if tag.pool_id is not None and snapshot.pools.pool(tag.pool_id) is None:
        yield FieldError("pool_id", f"there is no pool with the id {tag.pool_id!r}")
    for other in snapshot.pools.tags_of(tag.campaign_id):
        if other.id != tag.id and other.number_to_replace == tag.number_to_replace:
            yield FieldError(
                "number_to_replace", f"tag {other.id} of the campaign replaces this number already"
            )


def pool_warnings(pool: Pool, snapshot: Snapshot) -> Iterator[str]:
    """What an operator should know of a pool that may be saved all the same."""
    if pool.hold_s > 6 * 3600:
        yield "numbers are held for more than 6 hours: the hold goes before the end of the link"
    publishers = {_publisher(tag, snapshot) for tag in snapshot.pools.tags_with(pool.id)}
    if len(publishers) > 1:
        yield "its tags are of different publishers: its numbers may go on to that one's visits"


def tag_warnings(tag: CallTrackingTag, snapshot: Snapshot) -> Iterator[str]:
    """The same of a tag."""
    number = snapshot.number_by_id(tag.primary_number_id)
    if number is not None and number.e164 != tag.number_to_replace:
        yield "number_to_replace is not the primary number: a page whose script fails shows another line"
    if number is not None and number.campaign_id != tag.campaign_id:
        yield "its primary number has left the campaign: the tag serves nothing until it names another"
    pool = snapshot.pools.pool(tag.pool_id) if tag.pool_id is not None else None
    if pool is not None:
        others = {
            _publisher(each, snapshot) for each in snapshot.pools.tags_with(pool.id) if each.id != tag.id
        }
        if others - {_publisher(tag, snapshot)}:
            yield "another publisher's tag has this pool: its numbers may go on to that one's visits"


def _publisher(tag: CallTrackingTag, snapshot: Snapshot) -> str | None:
    number = snapshot.number_by_id(tag.primary_number_id)
    return number.publisher_id if number is not None else None
