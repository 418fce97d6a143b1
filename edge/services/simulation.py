"""What would happen to a call: answered from the snapshot and the counts of this moment."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from edge.clock import Clock
from edge.model.attestation import Attested, Level
from edge.model.callers import NO_PAST, CallerPast
from edge.model.decision import CallFacts
from edge.model.visits import Link, Said
from edge.routing.caps import UNLIMITED
from edge.routing.simulate import Forecast, Question, forecast
from edge.services.insight import Current

_SEEDS = 1 << 32


class Taken(Protocol):
    """What is taken now of a cap's window: used plus reserved."""

    def taken(self, cap_id: str, window: str) -> int:
        """Slots taken of a window of a cap."""
        ...


@dataclass(frozen=True, slots=True)
class Simulated:
    """A call to think of; ``at`` None is now, ``seed`` None another chance each time,
    ``attestation`` how far its caller is vouched for, ``link`` the visit that it belongs to, ``answers``
    the tags that a webhook would answer with."""

    number: str
    caller: str | None = None
    at: datetime | None = None
    tags: Mapping[str, str | tuple[str, ...]] | None = None
    keys: tuple[str, ...] = ()
    seed: int | None = None
    attestation: Level = ""
    link: Link | None = None
    answers: Mapping[str, str | tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Headroom:
    """A slot that the call would take at its arrival, and what is taken of that window now; ``limit`` None:
    unlimited."""

    cap_id: str
    owner_id: str
    window: str
    limit: int | None
    taken: int


@dataclass(frozen=True, slots=True)
class Answer:
    """``seed`` is the one that was used: the same again gives the same order."""

    at: datetime
    seed: int
    forecast: Forecast
    caps: tuple[Headroom, ...]
    config_version: int


class SimulationService:
    """Changes nothing, places nothing.  ``said`` tells what was said of a caller to a campaign."""

    def __init__(
        self,
        configuration: Current,
        counts: Taken,
        clock: Clock,
        past: Callable[[str], Awaitable[CallerPast]],
        said: Callable[[str | None, str | None], Said | None],
    ) -> None:
        self._past = past
        self._said = said
        self._configuration = configuration
        self._counts = counts
        self._clock = clock

    async def simulate(self, call: Simulated) -> Answer:
        """The decision that a call would get, with the reasons and odds of every candidate."""
        snapshot, counts = self._configuration.current, self._counts
        at = (call.at or self._clock.utc()).astimezone(UTC)
        seed = random.randrange(_SEEDS) if call.seed is None else call.seed
        attested = Attested(call.attestation)
        facts = CallFacts("call_simulated", "", call.caller, call.number, at, attested, call.link)
        tags, answers = call.tags or {}, call.answers or {}
        question = Question(facts, tags, call.keys, answers, partial(self._heard, call.caller))
        past = NO_PAST
        if snapshot.askers and call.caller is not None:
            past = await self._past(call.caller)
        found = forecast(question, snapshot, counts, at, random.Random(seed).random, past)
        caps = tuple(
            Headroom(c.cap_id, c.owner_id, c.window, limit, counts.taken(c.cap_id, c.window))
            for c in found.claims
            for limit in (None if c.limit == UNLIMITED else c.limit,)
        )
        return Answer(at, seed, found, caps, snapshot.version)

    def _heard(self, caller: str | None, campaign_id: str | None) -> Said | None:
        return self._said(campaign_id, caller)
