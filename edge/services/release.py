"""Numbers leave service and come back: one by one, in bulk after a preview, and what they cost."""

import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from edge.clock import Clock
from edge.logs import get_logger
from edge.model.config import Number
from edge.model.instants import to_text
from edge.model.publishers import Money
from edge.model.release import Carrier
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, FieldError, NotFound, ServiceError, StoreDown
from edge.services.guard import translated
from edge.services.lifecycle import marked, released, restored, settled
from edge.services.listing import ListQuery, Page
from edge.services.numbers import NumberResult, NumberService
from edge.services.periodic import Periodic
from edge.store.numbers import CallTally, NumberRecords

COOLING_DAYS = 45
SWEEP_S = 60.0
_PREVIEWS = 100
_PREVIEW_FOR = timedelta(hours=1)
_LOOK_BACK = timedelta(days=30)
log = get_logger("edge.numbers")


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to release: days of cooling (None: the usual), what is done at the carrier, and whether
    numbers that are needed elsewhere go too."""

    cooling_days: int | None = None
    carrier: Carrier | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk release would do; ``saving`` a month by currency, in minor units."""

    token: str
    count: int
    saving: tuple[Money, ...]
    refused: tuple[NumberResult, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    versions: Mapping[str, int]
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Charge:
    """A number with what is known of its calls: the last one, and how many in the last 30 days (of a
    released number: since its release, which is how often it is still dialled)."""

    number: Number
    tally: CallTally


async def held_by_nobody(_number: Number) -> datetime | None:
    """No number is given out to visitors."""
    return None


class ReleaseService:
    """An async context manager: while the block runs, numbers that have cooled become stock."""

    def __init__(  # noqa: PLR0917 - each is another part
        self,
        configuration: ConfigurationService,
        numbers: NumberService,
        records: NumberRecords,
        clock: Clock,
        cooling_days: int = COOLING_DAYS,
        held_until: Callable[[Number], Awaitable[datetime | None]] = held_by_nobody,
    ) -> None:
        self._configuration = configuration
        self._numbers = numbers
        self._records = records
        self._clock = clock
        self._cooling_days = cooling_days
        self._held_until = held_until
        self._previews: OrderedDict[str, _Kept] = OrderedDict()
        self._sweeper = Periodic("numbers-cooling", self._sweep, SWEEP_S)

    async def __aenter__(self) -> Self:
        await self._sweeper.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._sweeper.__aexit__(*exc)

    async def release(self, number_id: str, wanted: Wanted, expected: int | None = None) -> Number:
        """Takes a number out of service; raises Conflict while it is needed elsewhere, unless forced."""
        number = self._known(number_id)
        needed = await self._needed(number)
        if needed and not wanted.force and number.release is None:
            raise Conflict(f"{number.e164} is needed by {', '.join(needed)}; change that first, or force")
        now = self._clock.utc()
        days = self._cooling_days if wanted.cooling_days is None else wanted.cooling_days
        was_in_service = False

        def out(number: Number) -> Number:
            nonlocal was_in_service
            was_in_service = number.release is None
            return released(number, now, days, wanted.carrier)

        made = await self._amend(number_id, out, expected, "release")
        if was_in_service:
            log.info("number.released", number_id=made.id, e164=made.e164, state=made.state)
        return made

    async def restore(self, number_id: str, expected: int | None = None) -> Number:
        """Undoes a release while the number cools."""
        return await self._amend(number_id, restored, expected, "restore")

    async def mark(self, number_id: str, carrier: Carrier, expected: int | None = None) -> Number:
        """Says what was done with a cooling number at the carrier."""
        now = self._clock.utc()
        return await self._amend(number_id, lambda n: settled(marked(n, carrier), now), expected, "mark")

    async def preview(self, ids: Sequence[str], filters: Mapping[str, str], wanted: Wanted) -> Preview:
        """What releasing these numbers would do; its token confirms just that, for an hour."""
        found = [self._known(each) for each in dict.fromkeys(ids)] if ids else []
        found = found or list(await self._numbers.matching(filters))
        going: list[Number] = []
        refused: list[NumberResult] = []
        for number in found:
            why = await self._against(number, wanted)
            if why is None:
                going.append(number)
            else:
                refused.append(NumberResult("refused", None, number.id, number.e164, (FieldError("", why),)))
        token = secrets.token_urlsafe(24)
        kept = _Kept(self._clock.utc(), {number.id: number.version for number in going}, wanted)
        self._previews[token] = kept
        while len(self._previews) > _PREVIEWS:
            self._previews.popitem(last=False)
        return Preview(token, len(going), _saving(going), tuple(refused))

    async def confirm(self, token: str) -> Sequence[NumberResult]:
        """Releases what the preview showed; a number that was changed since is skipped.

        Doing it again changes nothing.  Raises Conflict when the preview is not known any more.
        """
        kept = self._previews.get(token)
        if kept is None or self._clock.utc() - kept.at > _PREVIEW_FOR:
            raise Conflict("this preview is too old or not ours; look at a new one")
        return [await self._confirmed(each, version, kept.wanted) for each, version in kept.versions.items()]

    async def _confirmed(self, number_id: str, version: int, wanted: Wanted) -> NumberResult:
        number = self._configuration.current.number_by_id(number_id)
        if number is None:
            return NumberResult("skipped", None, number_id)
        if number.release is not None:
            return NumberResult("unchanged", None, number_id, number.e164)
        try:
            await self.release(number_id, wanted, version)
        except StoreDown:
            raise
        except ServiceError as error:
            why = (FieldError("", str(error)),)
            return NumberResult("skipped", None, number_id, number.e164, why)
        return NumberResult("updated", None, number_id, number.e164)

    async def charges(self, query: ListQuery) -> Page[Charge]:
        """Numbers as ``query`` asks, each with its calls of the last 30 days."""
        found = await self._configuration.list("number", query)
        numbers = [item for item in found.items if isinstance(item, Number)]
        since = to_text(self._clock.utc() - _LOOK_BACK)
        starts = {n.id: to_text(n.release.released_at) if n.release else since for n in numbers}
        with translated("number"):
            tallies = await self._records.tallies(starts)
        return Page([Charge(n, tallies[n.id]) for n in numbers], found.next_cursor)

    async def still_dialled(self, days: int, limit: int) -> Sequence[Charge]:
        """Released numbers and stock that were called in the last days, the most called first."""
        since = to_text(self._clock.utc() - timedelta(days=days))
        with translated("number"):
            found = await self._records.still_dialled(since, limit)
        current = self._configuration.current
        numbers = ((current.number_by_id(number_id), tally) for number_id, tally in found)
        return [Charge(number, tally) for number, tally in numbers if number is not None]

    async def settle(self) -> None:
        """Every kept number that has cooled becomes stock."""
        now = self._clock.utc()
        with translated("number"):
            due = await self._records.cooled(to_text(now))
        for number_id in due:
            with contextlib.suppress(NotFound):
                await self._amend(number_id, lambda number: settled(number, now), None, "settle")

    async def _sweep(self) -> None:
        try:
            await self.settle()
        except ServiceError as error:
            log.warning("numbers.not_settled", error=str(error))

    async def _against(self, number: Number, wanted: Wanted) -> str | None:
        """Why a number can not be released, in words."""
        if number.release is not None:
            return f"it is {number.state} already"
        needed = [] if wanted.force else await self._needed(number)
        return f"it is needed by {', '.join(needed)}" if needed else None

    async def _needed(self, number: Number) -> list[str]:
        """What names this number: objects by its id, targets that show it as their caller id."""
        with translated("number"):
            users = await self._records.users(number.id)
        shown = [t.id for t in self._configuration.current.targets() if t.caller_id == number.e164]
        held = await self._held(number)
        return [*users, *(f"target {target_id} (caller_id)" for target_id in shown[:20]), *held]

    async def _held(self, number: Number) -> list[str]:
        """Who holds a number of a pool: a visitor, until then."""
        until = await self._held_until(number)
        return [] if until is None else [f"a visitor of its pool until {until:%Y-%m-%dT%H:%M:%SZ}"]

    def _known(self, number_id: str) -> Number:
        number = self._configuration.current.number_by_id(number_id)
        if number is None:
            raise NotFound("there is no such number")
        return number

    async def _amend(
        self, number_id: str, edit: Callable[[Number], Number], expected: int | None, action: str
    ) -> Number:
        made = await self._configuration.amend("number", number_id, edit, expected, action)
        assert isinstance(made, Number)
        return made


def _saving(numbers: Sequence[Number]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for number in numbers:
        if number.monthly_cost is not None:
            currency = number.monthly_cost.currency
            sums[currency] = sums.get(currency, 0) + number.monthly_cost.minor
    return tuple(Money(minor=minor, currency=currency) for currency, minor in sums.items())
