"""Data by caller, posted before the call and kept for 48 hours (Rule: number pools)."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

from edge.clock import Clock
from edge.model.tags import Tags, Value, added
from edge.model.visits import Said
from edge.services.guard import translated
from edge.store.enrichments import Enrichments
from edge.tracking.tags import cleaned

KEPT_FOR = timedelta(hours=48)
MOST = 100_000
"""Callers remembered at once; past that the oldest is forgotten."""
MOST_OCTETS = 64 << 20
"""The memory that they take, as far as it can be told."""
_A_CALLER, _A_KEY = 500, 150


class LiveCallers(Protocol):
    """The switch, as far as it is told of callers."""

    def learn(self, campaign_id: str, caller: str, tags: Tags) -> bool:
        """Tells the live calls of a caller to a campaign more of it; False if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """``ignored`` are the keys that may not be written; ``in_progress``: a call of the caller is up."""

    ignored: tuple[str, ...]
    in_progress: bool


class EnrichmentService:
    """An async context manager: knows on entering what was said before the restart.

    ``live`` is told of what is said, once it is set.  Raises ``StoreDown``.
    """

    def __init__(self, records: Enrichments, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._said: OrderedDict[tuple[str, str], Said] = OrderedDict()
        self._octets = 0
        self._one_by_one = asyncio.Lock()
        self.live: LiveCallers | None = None

    async def __aenter__(self) -> Self:
        with translated("data"):
            found = await self._records.since(self._clock.utc() - KEPT_FOR)
            gone = [whom for row in found for whom in self._keep(*row)]
            if gone:
                await self._records.drop(gone)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._said.clear()

    def __bool__(self) -> bool:
        return bool(self._said)

    def __len__(self) -> int:
        return len(self._said)

    def known_since(self) -> datetime:
        """What was said before this instant is known no longer."""
        since = self._clock.utc() - KEPT_FOR
        return since if len(self._said) < MOST else max(since, next(iter(self._said.values())).at)

    def of(self, campaign_id: str | None, caller: str | None) -> Said | None:
        """What was said of a caller to a campaign in the last 48 hours."""
        said = self._said.get((campaign_id or "", caller or ""))
        return None if said is None or self._clock.utc() - said.at >= KEPT_FOR else said

    async def say(self, campaign_id: str, caller: str, data: Mapping[str, object]) -> Heard:
        """Keeps data for a caller's next calls, and tells it to those that are up.

        What was said of that caller before stays, key by key, unless it is said anew, and comes first where
        there is too much.
        """
        tags, ignored = cleaned(data)
        async with self._one_by_one:  # what is said meanwhile of the same caller is added to this
            too_many = await self._add(campaign_id, caller, tags)
        up = self.live is not None and self.live.learn(campaign_id, caller, tags)
        return Heard((*ignored, *too_many), up)

    async def _add(self, campaign_id: str, caller: str, tags: Tags) -> list[str]:
        """Keeps it with what was said before; answers the keys for which there was no room."""
        now, before = self._clock.utc(), self.of(campaign_id, caller)
        both, too_many = added(before.tags if before is not None else {}, tags)
        with translated("data"):
            await self._records.put(campaign_id, caller, now, dict(both))
            gone = self._keep(campaign_id, caller, now, both)
            if gone:
                await self._records.drop(gone)
        return too_many

    def _keep(
        self, campaign_id: str, caller: str, at: datetime, data: Mapping[str, Value | list[str]]
    ) -> list[tuple[str, str]]:
        """Remembers it; answers who was forgotten for it."""
        tags = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        self._forget((campaign_id, caller))
        said = self._said[campaign_id, caller] = Said(tags, at)
        self._octets += _octets(said)
        gone: list[tuple[str, str]] = []
        while self._is_too_much(at):  # oldest first: what is over leaves with the next that comes
            gone.append(next(iter(self._said)))
            self._forget(gone[-1])
        return gone

    def _is_too_much(self, at: datetime) -> bool:
        over = len(self._said) > MOST or self._octets > MOST_OCTETS
        return over or at - next(iter(self._said.values())).at >= KEPT_FOR

    def _forget(self, whom: tuple[str, str]) -> None:
        said = self._said.pop(whom, None)
        self._octets -= 0 if said is None else _octets(said)


def _octets(said: Said) -> int:
    texts = (value if isinstance(value, str) else "".join(value) for value in said.tags.values())
    return _A_CALLER + _A_KEY * len(said.tags) + sum(map(len, texts))
