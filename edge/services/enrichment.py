"""Data by caller, posted before the call and kept for 48 hours (Rule: number pools)."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, Self

from edge.clock import Clock
from edge.model.tags import Tags, Value
from edge.model.visits import Said
from edge.services.guard import translated
from edge.store.enrichments import Enrichments
from edge.tracking.tags import cleaned

KEPT_FOR = timedelta(hours=48)
MOST = 100_000
"""Callers remembered at once; past that the oldest is forgotten."""


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
        self.live: LiveCallers | None = None

    async def __aenter__(self) -> Self:
        with translated("data"):
            found = await self._records.since(self._clock.utc() - KEPT_FOR)
        for campaign_id, caller, at, data in found:
            self._keep(campaign_id, caller, data, at)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._said.clear()

    def __bool__(self) -> bool:
        return bool(self._said)

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

        What was said of that caller before stays, key by key, unless it is said anew.
        """
        tags, ignored = cleaned(data)
        now, before = self._clock.utc(), self.of(campaign_id, caller)
        both = {**(before.tags if before is not None else {}), **tags}
        with translated("data"):
            await self._records.put(campaign_id, caller, now, dict(both))
        self._keep(campaign_id, caller, both, now)
        up = self.live is not None and self.live.learn(campaign_id, caller, tags)
        return Heard(tuple(ignored), up)

    def _keep(
        self, campaign_id: str, caller: str, data: Mapping[str, Value | list[str]], at: datetime
    ) -> None:
        tags = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        self._said.pop((campaign_id, caller), None)
        self._said[campaign_id, caller] = Said(tags, at)
        # Oldest first: what is over leaves with the next that comes.
        while len(self._said) > MOST or at - next(iter(self._said.values())).at >= KEPT_FOR:
            self._said.popitem(last=False)
