"""Targets and trunks as they are now: who answers OPTIONS, and where we are registered."""

import random
from collections.abc import Container, Mapping
from contextlib import AsyncExitStack
from typing import Self

from edge.calls.breaker import Breaker
from edge.calls.outbound import OutboundLoad
from edge.calls.reachability import ReachabilityWatch
from edge.calls.registration import Registrant, RegistrationWatch
from edge.clock import Clock
from edge.model.peers import Reachability, Registration
from edge.services.configuration import ConfigurationService
from edge.services.outbound import OutboundService
from edge.store.usage import TrunkUsage


class _Down:
    """The ids of both kinds."""

    def __init__(self, silent: Container[str], failing: Breaker) -> None:
        self._silent = silent
        self._failing = failing

    def __contains__(self, peer_id: object) -> bool:
        return peer_id in self._silent or peer_id in self._failing


class PeerService:
    """Follows the configuration; an async context manager within the endpoint's."""

    def __init__(
        self, asker: Registrant, configuration: ConfigurationService, clock: Clock, usage: TrunkUsage
    ) -> None:
        self._configuration = configuration
        self._seen = configuration.current
        self._reachability = ReachabilityWatch(asker, configuration, clock, random.uniform)
        self._registration = RegistrationWatch(asker, configuration, clock, random.uniform)
        self.breaker = Breaker(clock)
        self.outbound = OutboundLoad(clock)
        self._use = OutboundService(usage, self.outbound)
        self._down = _Down(self._reachability.down, self.breaker)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._reachability)
        await self._stack.enter_async_context(self._registration)
        await self._stack.enter_async_context(self._use)
        self._configuration.on_change.append(self._changed)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._configuration.on_change.remove(self._changed)
        await self._stack.aclose()

    @property
    def down(self) -> Container[str]:
        """The ids of targets and trunks that are not to be dialled now."""
        return self._down

    def reachability(self, peer_id: str) -> Reachability | None:
        """Whether a peer answers OPTIONS, and calls; None while nothing is known."""
        return self.breaker.reachability(peer_id) or self._reachability.reachability(peer_id)

    def reachable(self) -> Mapping[str, int]:
        """How many of those that are asked are in which state."""
        return self._reachability.counts()

    def registration(self, trunk_id: str) -> Registration | None:
        """Our registration with a trunk's registrar; None while it has none."""
        return self._registration.registration(trunk_id)

    def registered(self) -> Mapping[str, int]:
        """How many of our registrations are in which state."""
        return self._registration.counts()

    def used(self, trunk_id: str) -> tuple[int, float]:
        """Calls of ours through a trunk with limits now, and its minutes of today."""
        return self.outbound.used(trunk_id)

    def _changed(self) -> None:
        before, self._seen = self._seen, self._configuration.current
        self.breaker.reconsider(before, self._seen)
        self._reachability.changed()
        self._registration.changed()
