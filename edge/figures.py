"""The server's figures for ``/metrics``: what the SIP stack, the workers, the calls and the store count.

Names are few and labels of closed sets, since a page with thousands of series takes two RTP frames
to render.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from edge.admin.ports import Sample
from edge.calls.switch import Switch
from edge.media.control import Tally
from edge.media.local import LocalEngine
from edge.services.peers import PeerService
from edge.services.refused import RefusedService
from edge.sip.endpoint import Endpoint
from edge.store.writer import Writer

# What may go down as well as up among the stack's counters.
_NOW = frozenset(("transactions", "dialogs", "connections", "bans"))
_LEGS = "legs"


@dataclass(frozen=True, slots=True)
class CallFigures:
    """The switch's counts: calls that live, arrived since the start, ended by disposition."""

    live: int
    arrived: int
    dispositions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """The writer's counts: commits since the start, 1 while it can write, what happened to number pools."""

    commits: int
    healthy: bool
    pool_events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures are asked for, each at the moment of the request."""

    sip: Callable[[], Mapping[str, int]]
    workers: Callable[[], Sequence[Tally]]
    worker_restarts: Callable[[], int]
    calls: Callable[[], CallFigures]
    store: Callable[[], StoreFigures]
    refused: Callable[[], int]
    reachable: Callable[[], Mapping[str, int]]
    registered: Callable[[], Mapping[str, int]]


class ServerFigures:
    """See ``edge.admin.ports.Figures``."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def samples(self) -> Iterator[Sample]:
        """Every figure of this moment."""
        yield from self._calls()
        yield from self._sip()
        yield from self._media()
        yield from self._store()
        yield from self._peers()

    def _calls(self) -> Iterator[Sample]:
        calls = self._sources.calls()
        yield Sample("edge_calls_live", "gauge", "Calls in progress.", calls.live)
        yield Sample("edge_calls_arrived", "counter", "Calls that arrived from trunks.", calls.arrived)
        for disposition, count in sorted(calls.dispositions.items()):
            label = (("disposition", disposition),)
            yield Sample("edge_calls_ended", "counter", "Calls ended, by disposition.", count, label)
        refused = self._sources.refused()
        yield Sample("edge_refused", "counter", "Requests that were turned away.", refused)

    def _sip(self) -> Iterator[Sample]:
        for name, value in sorted(self._sources.sip().items()):
            if name in _NOW:
                yield Sample(f"edge_sip_{name}", "gauge", f"SIP {name} alive now.", value)
            else:
                label = (("event", name),)
                yield Sample("edge_sip_events", "counter", "SIP messages and drops, by kind.", value, label)

    def _media(self) -> Iterator[Sample]:
        tallies = self._sources.workers()
        yield Sample("edge_media_workers", "gauge", "Media workers alive.", len(tallies))
        restarts = self._sources.worker_restarts()
        yield Sample("edge_media_worker_restarts", "counter", "Media workers restarted.", restarts)
        for item in fields(Tally):
            total = sum(getattr(tally, item.name) for tally in tallies)
            kind = "gauge" if item.name in (_LEGS, "ports_bound") else "counter"
            yield Sample(f"edge_media_{item.name}", kind, f"Media workers' {item.name}, in all.", total)  # type: ignore[arg-type]

    def _peers(self) -> Iterator[Sample]:
        for state, count in sorted(self._sources.reachable().items()):
            label = (("state", state),)
            yield Sample("edge_peers", "gauge", "Targets and trunks that are asked OPTIONS.", count, label)
        for state, count in sorted(self._sources.registered().items()):
            label = (("state", state),)
            yield Sample("edge_registrations", "gauge", "Our registrations with carriers.", count, label)

    def _store(self) -> Iterator[Sample]:
        store = self._sources.store()
        yield Sample("edge_store_commits", "counter", "Group commits of the call path.", store.commits)
        yield Sample("edge_store_healthy", "gauge", "1 while the store can write.", float(store.healthy))
        for event, count in sorted(store.pool_events.items()):
            label = (("event", event),)
            yield Sample("edge_pool_events", "counter", "What happened to number pools.", count, label)


def figures_of(  # noqa: PLR0917 - each is another source
    writer: Writer,
    engine: LocalEngine,
    switch: Switch,
    endpoint: Endpoint,
    refused: RefusedService,
    peers: PeerService,
) -> ServerFigures:
    """The figures of a server that is made of these."""
    return ServerFigures(
        Sources(
            sip=lambda: endpoint.counters,
            workers=lambda: engine.tallies,
            worker_restarts=lambda: engine.restarts,
            calls=lambda: CallFigures(len(switch), switch.arrived, switch.dispositions),
            store=lambda: StoreFigures(writer.commits, writer.healthy, writer.pool_events),
            refused=lambda: refused.total,
            reachable=peers.reachable,
            registered=peers.registered,
        )
    )
