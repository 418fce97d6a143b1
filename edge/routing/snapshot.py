"""The configuration at one instant: immutable, cheap to look into and cheap to change.

Look-ups go through tables in shards; an edit copies only the shard it touches, so it stays cheap at
a hundred thousand numbers.  What a decision needs again and again (schedules,
cap rules, the tiers of a campaign) is prepared when an object enters the snapshot.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from edge.model.action import Action
from edge.model.block import Block
from edge.model.buyer import Buyer, Group
from edge.model.calendars import HolidayCalendar
from edge.model.callers import CallerList
from edge.model.config import Campaign, Number, Prompt, Target, Trunk
from edge.model.decision import Choice, Proceed
from edge.model.pool import CallTrackingTag, Pool
from edge.model.publishers import Publisher
from edge.routing.blocks import Blocks
from edge.routing.pools import Pools
from edge.routing.prepared import NOTHING_PREPARED, Prepared
from edge.routing.presets import NO_PRESETS, Presets
from edge.routing.remembered import Remembered
from edge.routing.schedule import Holidays, Schedule
from edge.routing.table import Table
from edge.routing.tables import Edit, Tables
from edge.routing.tiers import Tier, tiers
from edge.routing.trunks import TrunkIndex

Configured = (
    Trunk | Number | Campaign | Target | Buyer | Group | Prompt | Publisher | Block | Pool | CallTrackingTag
    | HolidayCalendar | CallerList
)  # fmt: skip


class Snapshot:
    """The configuration at one instant; a call keeps the one of its arrival.

    ``version`` grows with every change.  ``askers`` are the ids of numbers, campaigns and targets whose
    decisions need the caller's past.  ``failsafe`` is the server's own last resort
    (``[routing] failsafe``), used where a campaign has none.  Trunks are as they work: with what their
    presets say.  ``admitted`` (by number) and ``chosen`` (by route) are decisions that follow from the
    configuration alone, ``undemanding`` the targets found so far that take any call at any time.  Make one
    with ``build``.
    """

    __slots__ = (
        "_tables", "admitted", "askers", "blocks", "chosen", "failsafe", "pools", "trunk_index",
        "undemanding", "version",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - one argument a part
        self,
        tables: Tables,
        trunk_index: TrunkIndex,
        failsafe: Action | None,
        version: int,
        blocks: Blocks,
        pools: Pools,
        askers: frozenset[str],
    ) -> None:
        self._tables = tables
        self.trunk_index = trunk_index
        self.failsafe = failsafe
        self.version = version
        self.blocks = blocks
        self.pools = pools
        self.askers = askers
        self.admitted: Remembered[str, Proceed] = Remembered()
        self.chosen: Remembered[tuple[str | None, ...], Choice] = Remembered()
        self.undemanding: Remembered[str, bool] = Remembered()

    @classmethod
    def build(  # noqa: PLR0917 - one argument a kind
        cls,
        trunks: Iterable[Trunk] = (),
        numbers: Iterable[Number] = (),
        campaigns: Iterable[Campaign] = (),
        targets: Iterable[Target] = (),
        prompts: Iterable[Prompt] = (),
        publishers: Iterable[Publisher] = (),
        *,
        buyers: Iterable[Buyer] = (),
        groups: Iterable[Group] = (),
        blocks: Iterable[Block] = (),
        pools: Iterable[Pool] = (),
        tags: Iterable[CallTrackingTag] = (),
        kept: Iterable[HolidayCalendar | CallerList] = (),
        failsafe: Action | None = None,
        presets: Presets = NO_PRESETS,
        version: int = 1,
    ) -> "Snapshot":
        """A snapshot of everything: walks every object, so only for the start of the server."""
        numbers = tuple(numbers)
        tables = Tables.of(numbers, campaigns, targets, buyers, groups, prompts, publishers, kept)
        shared = Pools.of(pools, tags, numbers)
        index = TrunkIndex(trunks, presets)
        return cls(tables, index, failsafe, version, Blocks.of(blocks), shared, tables.askers())

    def with_changes(self, put: Iterable[Configured] = (), removed: Iterable[str] = ()) -> "Snapshot":
        """A newer snapshot in which ``put`` objects are new or replaced and ``removed`` ids gone."""
        edit = Edit(self._tables)
        trunks: dict[str, Trunk | None] = {}
        blocks: dict[str, Block | None] = {}
        put, removed = list(put), list(removed)
        for item in put:
            if isinstance(item, Trunk):
                trunks[item.id] = item
            elif isinstance(item, Block):
                blocks[item.id] = item
            elif not isinstance(item, Pool | CallTrackingTag):
                edit.put(item)
        for item_id in removed:
            trunks[item_id] = blocks[item_id] = None
            edit.remove(item_id)
        index = self.trunk_index.changed(trunks)
        changed = self.blocks.changed(blocks)
        pools = self.pools.changed(put, removed)
        askers = self.askers - edit.silent | edit.asking
        return Snapshot(edit.tables(), index, self.failsafe, self.version + 1, changed, pools, askers)

    def number(self, e164: str) -> Number | None:
        """The number that is ours under these E.164 digits, in whatever state."""
        return self._tables.numbers_by_e164.get(e164)

    def number_by_id(self, number_id: str) -> Number | None:
        """The number of this id."""
        return self._tables.numbers.get(number_id)

    def campaign(self, campaign_id: str) -> Campaign | None:
        """The campaign of this id."""
        return self._tables.campaigns.get(campaign_id)

    def target(self, target_id: str) -> Target | None:
        """The target of this id."""
        return self._tables.targets.get(target_id)

    def buyer(self, buyer_id: str) -> Buyer | None:
        """The buyer of this id."""
        return self._tables.buyers.get(buyer_id)

    def group(self, group_id: str) -> Group | None:
        """The group of targets of this id."""
        return self._tables.groups.get(group_id)

    def prompt(self, prompt_id: str) -> Prompt | None:
        """The prompt of this id."""
        return self._tables.prompts.get(prompt_id)

    def publisher(self, publisher_id: str) -> Publisher | None:
        """The publisher of this id."""
        return self._tables.publishers.get(publisher_id)

    def trunk(self, trunk_id: str) -> Trunk | None:
        """The trunk of this id."""
        return self.trunk_index.by_id(trunk_id)

    @property
    def presets(self) -> Presets:
        """What is known of common carriers."""
        return self.trunk_index.presets

    def trunks(self) -> tuple[Trunk, ...]:
        """Every trunk."""
        return self.trunk_index.trunks

    def targets(self) -> list[Target]:
        """Every target; costs a walk."""
        return self._tables.targets.values()

    def tables(self) -> Mapping[str, Table[Any]]:
        """Its tables by name, for a walk over everything."""
        return self._tables._asdict()

    def prepared(self, owner_id: str) -> Prepared:
        """What was made ready of a number, campaign, target, group or buyer."""
        return self._tables.prepared.get(owner_id) or NOTHING_PREPARED

    def calendar(self, calendar_id: str) -> Holidays | None:
        """The holidays of a calendar."""
        return self._tables.calendars.get(calendar_id)

    def schedule(self, owner_id: str) -> Schedule | None:
        """The schedule of a number, campaign or target, under the calendar it names; None: always open."""
        found = self.prepared(owner_id).schedule
        if found is None or found.calendar_id is None:
            return found
        return found.under(self.calendar(found.calendar_id))

    def cap_owner(self, cap_id: str) -> str | None:
        """The id of the object that a cap belongs to."""
        kind, _, owner_id = cap_id.partition(":")
        return owner_id if kind == "max_calls" and owner_id else self._tables.cap_owners.get(cap_id)

    def tiers(self, owner_id: str) -> tuple[Tier, ...]:
        """The tiers of a campaign's or a number's own route, with the members its groups have now."""
        ready = self.prepared(owner_id).tiers
        if ready is not None:
            return ready
        campaign, number = self.campaign(owner_id), self.number_by_id(owner_id)
        own = number.settings.routes if number is not None else None
        routes = campaign.routes if campaign is not None else own.value if own is not None else None
        return () if routes is None else tiers(routes, self.group)
