"""The pools of a snapshot: their tags and numbers, and what may be given out now (Rule: number pools)."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from edge.model.config import Campaign, Number
from edge.model.pool import CallTrackingTag, Pool
from edge.model.publishers import Publisher
from edge.model.visits import Member, Members, PoolRules, Terms

_NOBODY = Members({})


class Owners(Protocol):
    """Where a tag's campaign, primary number and publisher are found: a snapshot."""

    def campaign(self, campaign_id: str) -> Campaign | None: ...
    def number_by_id(self, number_id: str) -> Number | None: ...
    def publisher(self, publisher_id: str) -> Publisher | None: ...


class Pools:
    """Immutable; ``changed`` makes a newer one that shares what stayed the same."""

    __slots__ = ("_by_campaign", "_by_id", "_left", "_members", "_pool_of", "_primary", "_tags")

    def __init__(
        self,
        by_id: Mapping[str, Pool],
        tags: Mapping[str, CallTrackingTag],
        members: Mapping[str, Members],
        pool_of: Mapping[str, str],
        left: bool = False,
    ) -> None:
        self._by_id = by_id
        self._left = left
        self._tags = tags
        self._members = members
        self._pool_of = pool_of
        self._by_campaign: dict[str, tuple[CallTrackingTag, ...]] = {}
        self._primary: dict[str, tuple[str, ...]] = {}
        for tag in sorted(tags.values(), key=lambda tag: (tag.created_at, tag.id)):
            self._by_campaign[tag.campaign_id] = (*self._by_campaign.get(tag.campaign_id, ()), tag)
            primary_id = tag.primary_number_id
            self._primary[primary_id] = (*self._primary.get(primary_id, ()), tag.id)

    @classmethod
    def of(cls, pools: Iterable[Pool], tags: Iterable[CallTrackingTag], numbers: Iterable[Number]) -> "Pools":
        """Everything anew, at the start of the server."""
        empty = cls({}, {}, {}, {})
        return empty.changed([*pools, *tags, *(n for n in numbers if n.pool_id or n.withdrawn)], ())

    def objects(self) -> list[Pool | CallTrackingTag]:
        """Every pool and every tag."""
        return [*self._by_id.values(), *self._tags.values()]

    def changed(self, put: Iterable[object], removed: Iterable[str]) -> "Pools":
        """With these objects new or replaced and these ids gone; itself where that is nothing of a pool."""
        items = [item for item in put if isinstance(item, Pool | CallTrackingTag) or self._moves(item)]
        gone = [
            each for each in removed if each in self._by_id or each in self._tags or each in self._pool_of
        ]
        if not items and not gone:
            return self
        pools, tags = dict(self._by_id), dict(self._tags)
        moved: dict[str, Number | None] = dict.fromkeys(gone)
        for item_id in gone:
            pools.pop(item_id, None)
            tags.pop(item_id, None)
        for item in items:
            if isinstance(item, Pool):
                pools[item.id] = item
            elif isinstance(item, CallTrackingTag):
                tags[item.id] = item
            elif isinstance(item, Number):
                moved[item.id] = item
        left = self._left or any(number is not None and number.withdrawn for number in moved.values())
        return Pools(pools, tags, *self._moved(moved), left)

    def _moves(self, item: object) -> bool:
        if not isinstance(item, Number):
            return False
        return item.pool_id is not None or item.withdrawn is not None or item.id in self._pool_of

    def _moved(self, numbers: Mapping[str, Number | None]) -> tuple[Mapping[str, Members], Mapping[str, str]]:
        """The members and whose they are, after these numbers came, went or changed."""
        pool_of, by_pool = dict(self._pool_of), dict[str, dict[str, Member]]()

        def of_pool(pool_id: str) -> dict[str, Member]:
            return by_pool.setdefault(pool_id, dict(self.members(pool_id).by_id))

        for number_id, number in numbers.items():
            before = pool_of.pop(number_id, None)
            if before is not None:
                of_pool(before).pop(number_id, None)
            if number is not None and number.pool_id is not None and number.state == "active":
                pool_of[number_id] = number.pool_id
                of_pool(number.pool_id)[number_id] = Member(
                    number_id, number.e164, number.area_code, number.region
                )
        return {**self._members, **{key: Members(value) for key, value in by_pool.items()}}, pool_of

    def __bool__(self) -> bool:
        """Whether a call may be a visitor's: there is a pool, or was one whose numbers are still linked."""
        return bool(self._by_id) or self._left

    def pool(self, pool_id: str) -> Pool | None:
        """The pool of this id."""
        return self._by_id.get(pool_id)

    def all(self) -> Iterable[Pool]:
        """Every pool."""
        return self._by_id.values()

    def tag(self, tag_id: str) -> CallTrackingTag | None:
        """The call tracking tag of this id."""
        return self._tags.get(tag_id)

    def tags_of(self, campaign_id: str) -> tuple[CallTrackingTag, ...]:
        """The tags of a campaign, oldest first."""
        return self._by_campaign.get(campaign_id, ())

    def tags_with(self, pool_id: str) -> list[CallTrackingTag]:
        """The tags that give out numbers of a pool."""
        return [tag for tag in self._tags.values() if tag.pool_id == pool_id]

    def primary_of(self, number_id: str) -> tuple[str, ...]:
        """The ids of the tags whose primary number this is."""
        return self._primary.get(number_id, ())

    def members(self, pool_id: str) -> Members:
        """The numbers of a pool that may be handed out."""
        return self._members.get(pool_id, _NOBODY)

    def terms(self, tag: CallTrackingTag, owners: Owners) -> Terms | None:
        """What holds for a tag with a pool; None while its campaign, number or publisher is not active."""
        number = active_primary(tag, owners)
        pool = self._by_id.get(tag.pool_id) if tag.pool_id is not None and tag.capture_user_data else None
        if number is None or pool is None:
            return None
        publisher_id = number.publisher_id
        return Terms(tag.id, tag.campaign_id, publisher_id, number.id, rules_of(pool), self.members(pool.id))


def active_primary(tag: CallTrackingTag, owners: Owners) -> Number | None:
    """The tag's primary number, if it and its campaign take calls; a paused publisher acts as its numbers
    paused."""
    campaign, number = owners.campaign(tag.campaign_id), owners.number_by_id(tag.primary_number_id)
    if campaign is None or campaign.state != "active" or number is None or number.state != "active":
        return None
    publisher = owners.publisher(number.publisher_id) if number.publisher_id is not None else None
    if publisher is not None and publisher.state != "active":
        return None
    return number if number.campaign_id == tag.campaign_id else None


def rules_of(pool: Pool) -> PoolRules:
    """How a pool hands out its numbers."""
    return PoolRules(
        pool_id=pool.id,
        hold_ms=pool.hold_s * 1000,
        closed_ms=pool.closed_browser_delay_s * 1000,
        call_end_frees=pool.recycle == "lease_or_call_end",
        post_call_ms=pool.post_call_hold_s * 1000,
        early_close=pool.early_close,
    )
