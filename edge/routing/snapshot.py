"""The configuration at one instant: immutable, cheap to look into and cheap to change.

Look-ups go through tables in shards; an edit copies only the shard it touches, so it stays cheap at
a hundred thousand numbers.  What a decision needs again and again (schedules,
cap rules, the tiers of a campaign) is prepared when an object enters the snapshot.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from edge.model.action import Action
from edge.model.config import Campaign, Hours, Number, Prompt, Target, Trunk
from edge.routing.caps import CapRule, cap_rules, zone_of
from edge.routing.schedule import Schedule
from edge.routing.trunks import TrunkIndex

Configured = Trunk | Number | Campaign | Target | Prompt
V = TypeVar("V")

# An edit copies the one shard that it touches: about 400 entries, 3 µs, at 100,000 numbers.
_SHARDS = 256
_MASK = _SHARDS - 1


class Table(Generic[V]):
    """An immutable mapping that shares all but the changed shards with the tables made from it."""

    __slots__ = ("_shards",)

    def __init__(self, shards: list[dict[str, V]]) -> None:
        self._shards = shards

    @classmethod
    def of(cls, items: Mapping[str, V]) -> "Table[V]":
        """A table of these entries."""
        shards: list[dict[str, V]] = [{} for _ in range(_SHARDS)]
        for key, value in items.items():
            shards[hash(key) & _MASK][key] = value
        return cls(shards)

    def get(self, key: str) -> V | None:
        """The value of ``key``, or None."""
        return self._shards[hash(key) & _MASK].get(key)

    def values(self) -> list[V]:
        """Every value, in no order; costs a walk over the whole table."""
        return [value for shard in self._shards for value in shard.values()]

    def changed(self, changes: Mapping[str, V | None]) -> "Table[V]":
        """This table with ``changes`` (None removes)."""
        if not changes:
            return self
        shards = self._shards.copy()
        for place in {hash(key) & _MASK for key in changes}:
            shards[place] = shards[place].copy()
        for key, value in changes.items():
            shard = shards[hash(key) & _MASK]
            if value is None:
                shard.pop(key, None)
            else:
                shard[key] = value
        return Table(shards)


class Tier(NamedTuple):
    """The targets of one priority, each with its weight, in the order of the route."""

    priority: int
    entries: tuple[tuple[str, int], ...]


class Prepared(NamedTuple):
    """What a decision needs of one owner, made ready: its schedule, cap rules, zone and tiers.

    ``schedule`` is None when the owner has no hours of its own or they are inactive (always
    open); ``zone`` is None when neither the owner nor its hours name one.
    """

    schedule: Schedule | None
    rules: tuple[CapRule, ...]
    zone: ZoneInfo | None
    tiers: tuple[Tier, ...]


NOTHING_PREPARED = Prepared(None, (), None, ())


def _schedule(hours: Hours | None) -> Schedule | None:
    return Schedule(hours) if hours is not None and hours.active else None


def _tiers(campaign: Campaign) -> tuple[Tier, ...]:
    """Lowest priority first; a target that is listed twice keeps its first place."""
    placed: dict[int, list[tuple[str, int]]] = {}
    seen: set[str] = set()
    for entry in sorted(campaign.routes.targets, key=lambda e: e.priority):
        if entry.target_id not in seen:
            seen.add(entry.target_id)
            placed.setdefault(entry.priority, []).append((entry.target_id, entry.weight))
    return tuple(Tier(priority, tuple(entries)) for priority, entries in placed.items())


def _prepare(item: Number | Campaign | Target) -> Prepared:
    rules: tuple[CapRule, ...] = ()
    tiers: tuple[Tier, ...] = ()
    if isinstance(item, Campaign):
        tiers = _tiers(item)
    elif isinstance(item, Target):
        rules = cap_rules(item.id, item.caps, item.max_calls)
    elif item.hours is None and not item.caps and item.timezone is None:
        return NOTHING_PREPARED
    else:
        rules = cap_rules(item.id, item.caps)
    zone = zone_of(item.timezone, item.hours)
    return Prepared(_schedule(item.hours), rules, ZoneInfo(zone) if zone else None, tiers)


class _Tables(NamedTuple):
    numbers: Table[Number]
    numbers_by_e164: Table[Number]
    campaigns: Table[Campaign]
    targets: Table[Target]
    prompts: Table[Prompt]
    prepared: Table[Prepared]


class Snapshot:
    """The configuration at one instant; a call keeps the one of its arrival.

    ``version`` grows with every change.  ``failsafe`` is the server's own last resort
    (``[routing] failsafe``), used where a campaign has none.  Make one with ``build``.
    """

    __slots__ = ("_tables", "failsafe", "trunk_index", "version")

    def __init__(
        self, tables: _Tables, trunk_index: TrunkIndex, failsafe: Action | None, version: int
    ) -> None:
        self._tables = tables
        self.trunk_index = trunk_index
        self.failsafe = failsafe
        self.version = version

    @classmethod
    def build(
        cls,
        trunks: Iterable[Trunk] = (),
        numbers: Iterable[Number] = (),
        campaigns: Iterable[Campaign] = (),
        targets: Iterable[Target] = (),
        prompts: Iterable[Prompt] = (),
        *,
        failsafe: Action | None = None,
        version: int = 1,
    ) -> "Snapshot":
        """A snapshot of everything: walks every object, so only for the start of the server."""
        by_id = {n.id: n for n in numbers}
        by_campaign = {c.id: c for c in campaigns}
        by_target = {t.id: t for t in targets}
        prepared = {
            item.id: made
            for group in (by_id, by_campaign, by_target)
            for item in group.values()
            if (made := _prepare(item)) is not NOTHING_PREPARED
        }
        tables = _Tables(
            Table.of(by_id),
            Table.of({n.e164: n for n in by_id.values()}),
            Table.of(by_campaign),
            Table.of(by_target),
            Table.of({p.id: p for p in prompts}),
            Table.of(prepared),
        )
        return cls(tables, TrunkIndex(trunks), failsafe, version)

    def with_changes(self, put: Iterable[Configured] = (), removed: Iterable[str] = ()) -> "Snapshot":
        """A newer snapshot in which ``put`` objects are new or replaced and ``removed`` ids gone."""
        edit = _Edit(self._tables)
        trunks: dict[str, Trunk | None] = {}
        for item in put:
            if isinstance(item, Trunk):
                trunks[item.id] = item
            else:
                edit.put(item)
        for item_id in removed:
            trunks[item_id] = None
            edit.remove(item_id)
        index = self.trunk_index.changed(trunks)
        return Snapshot(edit.tables(), index, self.failsafe, self.version + 1)

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

    def prompt(self, prompt_id: str) -> Prompt | None:
        """The prompt of this id."""
        return self._tables.prompts.get(prompt_id)

    def trunk(self, trunk_id: str) -> Trunk | None:
        """The trunk of this id."""
        return self.trunk_index.by_id(trunk_id)

    def trunks(self) -> tuple[Trunk, ...]:
        """Every trunk."""
        return self.trunk_index.trunks

    def targets(self) -> list[Target]:
        """Every target; costs a walk."""
        return self._tables.targets.values()

    def prepared(self, owner_id: str) -> Prepared:
        """What was made ready of a number, campaign or target."""
        return self._tables.prepared.get(owner_id) or NOTHING_PREPARED


class _Edit:
    """Collects the changes of one edit, table by table."""

    def __init__(self, tables: _Tables) -> None:
        self._old = tables
        self._numbers: dict[str, Number | None] = {}
        self._e164: dict[str, Number | None] = {}
        self._campaigns: dict[str, Campaign | None] = {}
        self._targets: dict[str, Target | None] = {}
        self._prompts: dict[str, Prompt | None] = {}
        self._prepared: dict[str, Prepared | None] = {}

    def put(self, item: Number | Campaign | Target | Prompt) -> None:
        if isinstance(item, Prompt):
            self._prompts[item.id] = item
            return
        self._prepared[item.id] = _prepare(item)
        if isinstance(item, Number):
            self._forget_digits(item.id)
            self._numbers[item.id] = self._e164[item.e164] = item
        elif isinstance(item, Campaign):
            self._campaigns[item.id] = item
        else:
            self._targets[item.id] = item

    def remove(self, item_id: str) -> None:
        self._forget_digits(item_id)
        gone = {item_id: None}
        self._numbers.update(gone)
        self._campaigns.update(gone)
        self._targets.update(gone)
        self._prompts.update(gone)
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
            old.prompts.changed(self._prompts),
            old.prepared.changed(self._prepared),
        )
