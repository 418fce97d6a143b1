"""The tables of a snapshot, and one edit of them."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from edge.model.base import Stored
from edge.model.buyer import Buyer, Group
from edge.model.calendars import HolidayCalendar
from edge.model.callers import CallerList
from edge.model.config import NOTHING_OWN, Campaign, Number, Prompt, Target
from edge.model.publishers import Publisher
from edge.routing.asking import asks
from edge.routing.prepared import NOTHING_PREPARED, Owner, Prepared, prepare
from edge.routing.schedule import Holidays
from edge.routing.table import Table

T = TypeVar("T", bound=Stored)


def _by_id(items: Iterable[T]) -> dict[str, T]:
    return {item.id: item for item in items}


def is_asking(item: Owner) -> bool:
    """Whether an owner's rules ask for more than a call's own facts."""
    if isinstance(item, Number) and item.settings is NOTHING_OWN:
        return False
    return isinstance(item, Number | Campaign | Target) and asks(item)


def _cap_owners(items: Iterable[Owner]) -> dict[str, str]:
    return {cap.id or "": item.id for item in items for cap in item.caps}


class Tables(NamedTuple):
    """Every object by its id, and what is made ready of it."""

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
    kept: Table[HolidayCalendar | CallerList]

    @classmethod
    def of(  # noqa: PLR0917 - one argument a table
        cls,
        numbers: Iterable[Number],
        campaigns: Iterable[Campaign],
        targets: Iterable[Target],
        buyers: Iterable[Buyer],
        groups: Iterable[Group],
        prompts: Iterable[Prompt],
        publishers: Iterable[Publisher],
        kept: Iterable[HolidayCalendar | CallerList],
    ) -> "Tables":
        """Tables of everything, with what is made ready of it."""
        by_id, by_campaign = _by_id(numbers), _by_id(campaigns)
        by_target, by_buyer = _by_id(targets), _by_id(buyers)
        by_group, by_publisher = _by_id(groups), _by_id(publishers)
        by_kept = _by_id(kept)
        kinds: tuple[Mapping[str, Owner], ...] = (
            by_id, by_campaign, by_target, by_buyer, by_group, by_publisher,
        )  # fmt: skip
        owners = [item for kind in kinds for item in kind.values()]
        prepared = {o.id: made for o in owners if (made := prepare(o)) is not NOTHING_PREPARED}
        return cls(
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
            Table.of({c.id: Holidays(c.dates) for c in by_kept.values() if isinstance(c, HolidayCalendar)}),
            Table.of(by_kept),
        )

    def askers(self) -> frozenset[str]:
        """The ids of the owners that ask for more than a call's own facts."""
        owners: tuple[Table[Any], ...] = (self.numbers, self.campaigns, self.targets)
        return frozenset(item.id for table in owners for item in table.values() if is_asking(item))


class Edit:
    """Collects the changes of one edit, table by table."""

    def __init__(self, tables: Tables) -> None:
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
        self._kept: dict[str, HolidayCalendar | CallerList | None] = {}
        self.asking: set[str] = set()
        self.silent: set[str] = set()

    def put(
        self,
        item: Number | Campaign | Target | Buyer | Group | Prompt | Publisher | HolidayCalendar | CallerList,
    ) -> None:
        if isinstance(item, HolidayCalendar | CallerList):
            self._kept[item.id] = item
            if isinstance(item, HolidayCalendar):
                self._calendars[item.id] = Holidays(item.dates)
            return
        if isinstance(item, Prompt):
            self._prompts[item.id] = item
            return
        self._prepared[item.id] = prepare(item)
        self._own_caps(item)
        (self.asking if is_asking(item) else self.silent).add(item.id)
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
            # One that this edit gave to another object stays with that.
            if self._cap_owners.get(cap.id or "") in (None, item_id):
                self._cap_owners[cap.id or ""] = None

    def remove(self, item_id: str) -> None:
        self._forget_digits(item_id)
        self._disown(item_id)
        gone = {item_id: None}
        self.silent.add(item_id)
        self._calendars.update(gone)
        self._kept.update(gone)
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

    def tables(self) -> Tables:
        old = self._old
        return Tables(
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
            old.kept.changed(self._kept),
        )
