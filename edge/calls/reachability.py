"""Whether targets and trunks are there: asked by OPTIONS as often as they want (rule: Finding a target)."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, Literal, Protocol, Self

from edge.calls import dialplan
from edge.calls.outcome import told
from edge.calls.ports import ConfigurationHolder
from edge.calls.watches import Watches
from edge.clock import Clock
from edge.logs import get_logger
from edge.model.config import Target, Trunk
from edge.model.peers import Reachability
from edge.routing.snapshot import Snapshot
from edge.sip.endpoint import Unresolvable
from edge.sip.events import Destination, OutgoingRequest
from edge.sip.message import Response

log = get_logger("edge.calls")

MISSES_DOWN: Final = 3
HITS_UP: Final = 2
PATIENCE_S: Final = 4.0
"""Seconds that one address has to answer."""
SPREAD_S: Final = 1.0
"""Seconds over which the first questions are spread, so that a start is no burst."""
_MISSES: Final = frozenset((408, 502, 503, 504))
"""Whoever answers anything else is there, even if it knows no such user."""

Peer = Target | Trunk


class Asker(Protocol):
    """The SIP endpoint, as far as OPTIONS and REGISTER need it."""

    async def resolve(self, uri: str) -> list[Destination]: ...

    async def ask(self, outgoing: OutgoingRequest, patience_s: float) -> Response: ...

    def avoid(self, destination: Destination) -> None: ...

    def local_host(self, destination: Destination) -> str: ...


class Health:
    """One peer's state by its last answers: three misses make it down, two hits up again."""

    __slots__ = ("_hits", "_misses", "reason", "since", "state")

    def __init__(self, now: datetime) -> None:
        self.state: Literal["unknown", "up", "down"] = "unknown"
        self.since = now
        self.reason = ""
        self._hits = 0
        self._misses = 0

    def note(self, why_not: str, now: datetime) -> bool:
        """One question's outcome, empty when it was answered; True when the state has changed."""
        before = self.state
        if why_not:
            self.reason = why_not
            self._hits, self._misses = 0, self._misses + 1
            if self._misses >= MISSES_DOWN:
                self.state = "down"
        else:
            self._hits, self._misses = self._hits + 1, 0
            if before == "unknown" or self._hits >= HITS_UP:
                self.state, self.reason = "up", ""
        if self.state != before:
            self.since = now
        return self.state != before


class ReachabilityWatch:
    """Asks every target and trunk that has ``sip.options_interval_s``; an async context manager.

    ``down`` holds the ids of those that are not to be dialled.  ``uniform`` answers a number between
    two others, for the spread.
    """

    def __init__(
        self,
        asker: Asker,
        configuration: ConfigurationHolder,
        clock: Clock,
        uniform: Callable[[float, float], float],
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._uniform = uniform
        self._health: dict[str, tuple[str, Health]] = {}
        self._watches: Watches[Peer] = Watches(configuration, _wanted, self._watch, self._forget)
        self.down: set[str] = set()

    async def __aenter__(self) -> Self:
        await self._watches.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._watches.__aexit__(*exc)

    def changed(self) -> None:
        """The configuration has changed."""
        self._watches.changed()

    def reachability(self, peer_id: str) -> Reachability | None:
        """What is known of a peer; None while it is not asked."""
        known = self._health.get(peer_id)
        if known is None:
            return None
        health = known[1]
        return Reachability(state=health.state, since=health.since, reason=health.reason)

    def counts(self) -> Mapping[str, int]:
        """How many peers are in which state."""
        return Counter(health.state for _, health in self._health.values())

    async def _watch(self, peer: Peer) -> None:
        interval = peer.sip.options_interval_s or 0.0
        address = _address(peer)
        known = self._health.get(peer.id)
        if known is None or known[0] != address:
            self._forget(peer.id)
            known = self._health[peer.id] = address, Health(self._clock.utc())
        await asyncio.sleep(self._uniform(0.0, min(SPREAD_S, interval)))
        while True:
            why_not = await self._ask(peer)
            if known[1].note(why_not, self._clock.utc()):
                self._tell(peer, known[1])
            await asyncio.sleep(interval * self._uniform(0.9, 1.1))

    def _tell(self, peer: Peer, health: Health) -> None:
        if health.state == "down":
            self.down.add(peer.id)
        else:
            self.down.discard(peer.id)
        level = log.warning if health.state == "down" else log.info
        level("peer.reachability", id=peer.id, name=peer.name, state=health.state, reason=health.reason)

    def _forget(self, peer_id: str) -> None:
        self._health.pop(peer_id, None)
        self.down.discard(peer_id)

    async def _ask(self, peer: Peer) -> str:
        """Why no address of a peer answers; empty when one does."""
        question = dialplan.question(peer)
        try:
            destinations = await self._asker.resolve(question.via)
        except Unresolvable as error:
            return str(error)
        why_not = "it has no address"
        for destination in destinations:
            host = self._asker.local_host(destination)
            from_ = f"<sip:edge@{question.sip.from_host or host}>"
            to = f"<{question.uri}>"
            headers = (("Accept", "application/sdp"),)
            outgoing = OutgoingRequest(
                "OPTIONS", question.uri, destination, from_, to, headers, question.credentials,
                stream_if_big=dialplan.may_stream(question.via),
            )  # fmt: skip
            answer = await self._asker.ask(outgoing, PATIENCE_S)
            if answer.status not in _MISSES:
                return ""
            self._asker.avoid(destination)
            why_not = f"{destination.host}:{destination.port}: {told(answer)}"
        return why_not


def _wanted(snapshot: Snapshot) -> Iterator[Peer]:
    for target in snapshot.targets():
        if not target.sip.options_interval_s or target.state != "active" or target.address.startswith("+"):
            continue
        if dialplan.is_of_one_host(target.address):  # of several nobody knows which to ask
            yield target
    for trunk in snapshot.trunks():
        if trunk.sip.options_interval_s and trunk.state == "active" and trunk.proxy:
            yield trunk


def _address(peer: Peer) -> str:
    return peer.address if isinstance(peer, Target) else peer.proxy or ""
