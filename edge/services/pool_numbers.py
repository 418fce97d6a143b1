"""The numbers of pools: put in, looked at, taken out without breaking a promise (Rule: number pools)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from edge.clock import Clock
from edge.model.config import Number
from edge.model.ledger import Unavailable
from edge.model.pool import Pool, Withdrawal
from edge.model.visits import LookAtNumbers, Standing
from edge.routing.pools import rules_of
from edge.services.configuration import ConfigurationService
from edge.services.errors import Conflict, NotFound, Stale, StoreDown
from edge.services.listing import ListQuery
from edge.services.numbers import NumberResult, NumberService
from edge.services.visits import VisitStore

_LINK = timedelta(hours=6)
_PAGE = 500


class PoolNumber(NamedTuple):
    """A number of a pool and how it stands."""

    number: Number
    standing: Standing


class PoolNumberService:
    """Raises the errors of ``edge.services.errors``."""

    def __init__(
        self, configuration: ConfigurationService, numbers: NumberService, store: VisitStore, clock: Clock
    ) -> None:
        self._configuration = configuration
        self._numbers = numbers
        self._store = store
        self._clock = clock

    async def list(self, pool_id: str) -> Sequence[PoolNumber]:
        """Every number that the pool hands out, by its digits."""
        pool, snapshot = self._pool(pool_id), self._configuration.current
        members = sorted(snapshot.pools.members(pool_id).by_id.values(), key=lambda member: member.e164)
        standings = await self._look(pool, tuple(member.number_id for member in members))
        found = (PoolNumber(snapshot.number_by_id(s.number_id), s) for s in standings)  # type: ignore[arg-type]
        return [each for each in found if each.number is not None]

    async def add(self, pool_id: str, ids: Sequence[str], dry_run: bool) -> Sequence[NumberResult]:
        """Puts numbers into the pool, a result for each."""
        self._pool(pool_id)
        return await self._numbers.bulk_update(ids, {}, {"pool_id": pool_id}, dry_run)

    async def withdraw(self, pool_id: str, number_id: str, expected: int | None = None) -> Number:
        """Takes a number out of the pool: it is given to nobody any more, and its link holds to its end."""
        pool = self._pool(pool_id)
        number = self._configuration.current.number_by_id(number_id)
        if number is None or number.pool_id != pool_id:
            raise NotFound("there is no such number in this pool")
        # First out of the pool, so that nobody is given it while we ask who has it.
        longest = self._clock.utc() + max(_LINK, timedelta(seconds=pool.hold_s))
        await self._leave(number_id, Withdrawal(pool_id=pool_id, until=longest), expected)
        (standing,) = await self._look(pool, (number_id,))
        return await self._leave(number_id, self._owed(pool_id, standing), None)

    async def delete(self, pool_id: str, expected: int | None) -> None:
        """Removes a pool that no tag uses; its numbers return to stock, and their links hold to their end."""
        tags = self._configuration.current.pools.tags_with(pool_id)
        if tags:
            named = ", ".join(f"call tracking tag {tag.id}" for tag in tags[:20])
            raise Conflict(f"this pool is in use by {named}; change that first")
        pool = self._pool(pool_id)
        if expected is not None and pool.version != expected:
            raise Stale(pool.version)
        ids = await self._all_of(pool_id)
        # No tag gives any of them out any more, so none is linked anew meanwhile.
        for standing in await self._look(pool, tuple(ids)):
            await self._leave(standing.number_id, self._owed(pool_id, standing), None)
        await self._configuration.delete("pool", pool_id, expected)

    async def held_until(self, number: Number) -> datetime | None:
        """Until when a visitor's calls to the number are owed to the visit; None without one."""
        left, now = number.withdrawn, self._clock.utc()
        if left is not None:
            return None if left.over(now) else left.until
        pool = self._configuration.current.pools.pool(number.pool_id) if number.pool_id is not None else None
        if pool is None:
            return None
        (standing,) = await self._look(pool, (number.id,))
        owed = self._owed(pool.id, standing)
        return None if owed is None else owed.until

    def _owed(self, pool_id: str, standing: Standing) -> Withdrawal | None:
        until = standing.linked_until
        return (
            None if until is None or until <= self._clock.utc() else Withdrawal(pool_id=pool_id, until=until)
        )

    async def _all_of(self, pool_id: str) -> Sequence[str]:
        found: list[str] = []
        cursor = None
        while True:
            query = ListQuery({"pool_id": pool_id}, None, cursor, _PAGE)
            page = await self._configuration.list("number", query)
            found += [item.id for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _leave(self, number_id: str, left: Withdrawal | None, expected: int | None) -> Number:
        def out(number: Number) -> Number:
            return number.model_copy(update={"pool_id": None, "state": "available", "withdrawn": left})

        made = await self._configuration.amend("number", number_id, out, expected)
        assert isinstance(made, Number)
        return made

    async def _look(self, pool: Pool, ids: tuple[str, ...]) -> Sequence[Standing]:
        answer: Any = await self._store.submit(LookAtNumbers(rules_of(pool), ids, self._clock.utc()))
        if isinstance(answer, Unavailable):
            raise StoreDown("the store can not answer now")
        found: Sequence[Standing] = answer
        return found

    def _pool(self, pool_id: str) -> Pool:
        pool = self._configuration.current.pools.pool(pool_id)
        if pool is None:
            raise NotFound("there is no such pool")
        return pool


def states(numbers: Sequence[PoolNumber]) -> Iterator[str]:
    """The state of each number."""
    return (each.standing.state for each in numbers)
