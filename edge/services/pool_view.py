"""What is known of pools and their visits: lists, figures, and how large a pool should be."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from edge.clock import Clock
from edge.model.instants import from_text, to_text
from edge.model.visits import Link
from edge.services.errors import NotFound
from edge.services.guard import translated
from edge.services.insight import Current
from edge.services.listing import ListQuery, Page
from edge.services.pool_numbers import PoolNumberService, states
from edge.store.duplicates import DuplicatePage, DuplicateSnippets
from edge.store.impressions import Impressions
from edge.tracking.advice import Advice, Visited, advise, stays_of

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MOST_REPLAYED = 100_000


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """What happened to a pool in the hours from ``since`` to ``until``, and how it stands now.

    ``counts`` by event, with the ``peak`` of numbers held at once; ``now`` how many numbers are in which
    state; ``size`` how many there are.
    """

    since: datetime
    until: datetime
    counts: Mapping[str, int]
    now: Mapping[str, int]
    size: int


__all__ = ["Advice", "DuplicatePage", "PoolFigures", "PoolViewService"]


class PoolViewService:
    """Raises ``NotFound``, ``Invalid`` (a bad cursor) and ``StoreDown``.

    Nothing is told of what is older than ``kept``: some of it is gone.
    """

    def __init__(
        self,
        configuration: Current,
        records: Impressions,
        duplicates: DuplicateSnippets,
        numbers: PoolNumberService,
        clock: Clock,
        *,
        kept: timedelta,
    ) -> None:
        self._configuration = configuration
        self._records = records
        self._duplicates = duplicates
        self._numbers = numbers
        self._clock = clock
        self._kept = kept

    async def impressions(self, query: ListQuery) -> Page[Mapping[str, Any]]:
        """A page of visits, the newest first unless sorted otherwise."""
        with translated("impression"):
            items, cursor = await self._records.list(query.filters, query.sort, query.cursor, query.limit)
        return Page(items, cursor)

    async def impression(self, impression_id: str) -> Mapping[str, Any]:
        """One visit."""
        with translated("impression"):
            return await self._records.get(impression_id)

    async def link(self, impression_id: str) -> Link:
        """A visit as a call of it would keep it."""
        with translated("impression"):
            return await self._records.link(impression_id)

    async def figures(self, pool_id: str, since: datetime | None, until: datetime | None) -> PoolFigures:
        """The figures of whole hours; of the last day unless told otherwise."""
        now = self._clock.utc()
        end = until or now + _HOUR
        start = max(since or now - _DAY, now - self._kept)
        numbers = await self._numbers.list(pool_id)
        with translated("pool"):
            counts = await self._records.counts(pool_id, to_text(start), to_text(end))
        return PoolFigures(start, end, counts, Counter(states(numbers)), len(numbers))

    async def advice(self, pool_id: str, since: datetime | None, share: float, hold_s: int | None) -> Advice:
        """The pool's visits replayed (of the last week, unless told otherwise; 100,000 at most)."""
        pool = self._configuration.current.pools.pool(pool_id)
        if pool is None:
            raise NotFound("there is no such pool")
        now = self._clock.utc()
        start = max(since or now - 7 * _DAY, now - self._kept)
        with translated("pool"):
            found = await self._records.arrivals(pool_id, to_text(start), _MOST_REPLAYED)
        size = len(self._configuration.current.pools.members(pool_id))

        after_call_s = pool.post_call_hold_s if pool.recycle == "lease_or_call_end" else None

        def replayed() -> Advice:
            visits = [Visited._make(map(_instant, each)) for each in found]
            stays = stays_of(visits, pool.hold_s if hold_s is None else hold_s, after_call_s)
            return advise(stays, size, share)

        return await asyncio.to_thread(replayed)

    async def duplicates(self, campaign_id: str) -> Sequence[DuplicatePage]:
        """The pages of a campaign on which a second snippet ran."""
        if self._configuration.current.campaign(campaign_id) is None:
            raise NotFound("there is no such campaign")
        with translated("page"):
            return await self._duplicates.of(campaign_id)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else from_text(text)
