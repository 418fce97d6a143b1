"""The configuration at one instant: immutable, cheap to look into and cheap to change.

Look-ups go through tables in shards; an edit copies only the shard it touches, so it stays cheap at
a hundred thousand numbers.  What a decision needs again and again (schedules,
cap rules, the tiers of a campaign) is prepared when an object enters the snapshot.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from edge.model.action import Action
from edge.model.base import Stored
from edge.model.block import Block
from edge.model.buyer import Buyer, Group
from edge.model.calendars import HolidayCalendar
from edge.model.callers import CallerList
from edge.model.config import NOTHING_OWN, Campaign, Number, Prompt, Target, Trunk
from edge.model.pool import CallTrackingTag, Pool
from edge.model.publishers import Publisher
from edge.routing.asking import asks
from edge.routing.blocks import Blocks
from edge.routing.pools import Pools
from edge.routing.prepared import NOTHING_PREPARED, Owner, Prepared, prepare
from edge.routing.presets import NO_PRESETS, Presets
from edge.routing.schedule import Holidays, Schedule
from edge.routing.table import Table
from edge.routing.tiers import Tier, tiers
from edge.routing.trunks import TrunkIndex

Configured = (
    Trunk | Number | Campaign | Target | Buyer | Group | Prompt | Publisher | Block | Pool | CallTrackingTag
    | HolidayCalendar | CallerList
)  # fmt: skip


T = TypeVar("T", bound=Stored)


def _by_id(items: Iterable[T]) -> dict[str, T]:
    return {item.id: item for item in items}


def _asks(item: Owner) -> bool:
    if isinstance(item, Number) and item.settings is NOTHING_OWN:
        return False
    return isinstance(item, Number | Campaign | Target) and asks(item)


def _cap_owners(items: Iterable[Owner]) -> dict[str, str]:
    return {cap.id or "": item.id for item in items for cap in item.caps}


class _Tables(NamedTuple):
    numbers: Table[Number]
    numbers_by_e164: Table[Number]
    campaigns: Table[Campaign]
    targets: Table[Target]
    buyers: Table[Buyer]
    groups: Table[Group]
    prompts: Table[Prompt]
    prepared: Table[Prepared]
    publishers: Table[Publisher]
    cap_owners: Table[str]
    calendars: Table[Holidays]


class Snapshot:
    """The configuration at one instant; a call keeps the one of its arrival.

    ``version`` grows with every change.  ``askers`` are the ids of numbers, campaigns and targets whose
    decisions need the caller's past.  ``failsafe`` is the server's own last resort
    (``[routing] failsafe``), used where a campaign has none.  Trunks are as they work: with what their
    presets say.  Make one with ``build``.
    """

    __slots__ = ("_tables", "askers", "blocks", "failsafe", "pools", "trunk_index", "version")

    def __init__(  # noqa: PLR0917 - one argument a part
        self,
        tables: _Tables,
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
        calendars: Iterable[HolidayCalendar] = (),
        failsafe: Action | None = None,
        presets: Presets = NO_PRESETS,
        version: int = 1,
    ) -> "Snapshot":
        """A snapshot of everything: walks every object, so only for the start of the server."""
        by_id, by_campaign = _by_id(numbers), _by_id(campaigns)
        by_target, by_buyer = _by_id(targets), _by_id(buyers)
        by_group, by_publisher = _by_id(groups), _by_id(publishers)
        kinds: tuple[Mapping[str, Owner], ...] = (
            by_id, by_campaign, by_target, by_buyer, by_group, by_publisher,
        )  # fmt: skip
        owners = [item for kind in kinds for item in kind.values()]
        prepared = {o.id: made for o in owners if (made := prepare(o)) is not NOTHING_PREPARED}
        tables = _Tables(
            Table.of(by_id),
            Table.of({n.e164: n for n in by_id.values()}),
            Table.of(by_campaign),
            Table.of(by_target),
            Table.of(by_buyer),
            Table.of(by_group),
            Table.of({p.id: p for p in prompts}),
            Table.of(prepared),
            Table.of(by_publisher),
            Table.of(_cap_owners(owners)),
            Table.of({c.id: Holidays(c.dates) for c in calendars}),
        )
        askers = frozenset(owner.id for owner in owners if _asks(owner))
        shared = Pools.of(pools, tags, by_id.values())
        index = TrunkIndex(trunks, presets)
        return cls(tables, index, failsafe, version, Blocks.of(blocks), shared, askers)

    def with_changes(self, put: Iterable[Configured] = (), removed: Iterable[str] = ()) -> "Snapshot":
        """A newer snapshot in which ``put`` objects are new or replaced and ``removed`` ids gone."""
        edit = _Edit(self._tables)
        trunks: dict[str, Trunk | None] = {}
        blocks: dict[str, Block | None] = {}
        put, removed = list(put), list(removed)
        for item in put:
            if isinstance(item, Trunk):
                trunks[item.id] = item
            elif isinstance(item, Block):
                blocks[item.id] = item
            elif not isinstance(item, Pool | CallTrackingTag | CallerList):
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


class _Edit:
    """Collects the changes of one edit, table by table."""

    def __init__(self, tables: _Tables) -> None:
        self._old = tables
        self._numbers: dict[str, Number | None] = {}
        self._e164: dict[str, Number | None] = {}
        self._campaigns: dict[str, Campaign | None] = {}
        self._targets: dict[str, Target | None] = {}
        self._buyers: dict[str, Buyer | None] = {}
        self._groups: dict[str, Group | None] = {}
        self._prompts: dict[str, Prompt | None] = {}
        self._publishers: dict[str, Publisher | None] = {}
        self._prepared: dict[str, Prepared | None] = {}
        self._cap_owners: dict[str, str | None] = {}
        self._calendars: dict[str, Holidays | None] = {}
        self.asking: set[str] = set()
        self.silent: set[str] = set()

    def put(
        self, item: Number | Campaign | Target | Buyer | Group | Prompt | Publisher | HolidayCalendar
    ) -> None:
        if isinstance(item, HolidayCalendar):
            self._calendars[item.id] = Holidays(item.dates)
            return
        if isinstance(item, Prompt):
            self._prompts[item.id] = item
            return
        self._prepared[item.id] = prepare(item)
        self._own_caps(item)
        (self.asking if _asks(item) else self.silent).add(item.id)
        if isinstance(item, Number):
            self._forget_digits(item.id)
            self._numbers[item.id] = self._e164[item.e164] = item
        elif isinstance(item, Campaign):
            self._campaigns[item.id] = item
        elif isinstance(item, Buyer):
            self._buyers[item.id] = item
        elif isinstance(item, Group):
            self._groups[item.id] = item
        elif isinstance(item, Publisher):
            self._publishers[item.id] = item
        else:
            self._targets[item.id] = item

    def _own_caps(self, item: Owner) -> None:
        """The caps that the object has now; those that an edit took away are nobody's."""
        self._disown(item.id)
        for cap in item.caps:
            self._cap_owners[cap.id or ""] = item.id

    def _disown(self, item_id: str) -> None:
        old = self._old
        tables = (old.numbers, old.campaigns, old.targets, old.buyers, old.groups, old.publishers)
        before = next((was for table in tables if (was := table.get(item_id)) is not None), None)
        for cap in before.caps if before is not None else ():
            self._cap_owners[cap.id or ""] = None

    def remove(self, item_id: str) -> None:
        self._forget_digits(item_id)
        self._disown(item_id)
        gone = {item_id: None}
        self.silent.add(item_id)
        self._calendars.update(gone)
        self._numbers.update(gone)
        self._campaigns.update(gone)
        self._targets.update(gone)
        self._buyers.update(gone)
        self._groups.update(gone)
        self._prompts.update(gone)
        self._publishers.update(gone)
        self._prepared.update(gone)

    def _forget_digits(self, number_id: str) -> None:
        """Frees the digits that the number had; those that another took meanwhile stay its own."""
        old = self._numbers.get(number_id) or self._old.numbers.get(number_id)
        if old is not None and self._owner(old.e164) == number_id:
            self._e164[old.e164] = None

    def _owner(self, e164: str) -> str | None:
        holder = self._e164[e164] if e164 in self._e164 else self._old.numbers_by_e164.get(e164)
        return holder.id if holder is not None else None

    def tables(self) -> _Tables:
        old = self._old
        return _Tables(
            old.numbers.changed(self._numbers),
            old.numbers_by_e164.changed(self._e164),
            old.campaigns.changed(self._campaigns),
            old.targets.changed(self._targets),
            old.buyers.changed(self._buyers),
            old.groups.changed(self._groups),
            old.prompts.changed(self._prompts),
            old.prepared.changed(self._prepared),
            old.publishers.changed(self._publishers),
            old.cap_owners.changed(self._cap_owners),
            old.calendars.changed(self._calendars),
        )
