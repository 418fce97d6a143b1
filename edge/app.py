"""The composition root: builds the server out of its parts, and takes it down in order."""

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from edge.admin import app as web
from edge.admin.listener import Listener
from edge.admin.ports import Ports
from edge.calls.access import Access, AccessConfig
from edge.calls.services import CallServices
from edge.calls.sources import Sources, networks
from edge.calls.switch import Switch
from edge.calls.trace import TraceBook
from edge.clock import Clock, SystemClock
from edge.derived import call_key, call_limits, endpoint_config, media_address, server_secret, tls_config
from edge.figures import figures_of
from edge.logs import get_logger
from edge.media.local import LocalConfig, LocalEngine
from edge.memory import collect_seldom, use_large_pages
from edge.services.audit import AuditService
from edge.services.bans import BanService
from edge.services.blocks import BlockService
from edge.services.calendars import CalendarService
from edge.services.callers import CallerService
from edge.services.calls import RECORDINGS, CallService
from edge.services.caps import CapService
from edge.services.configuration import ConfigurationService
from edge.services.enrichment import EnrichmentService
from edge.services.inheritance import InheritanceService
from edge.services.insight import InsightService
from edge.services.numbers import NumberService
from edge.services.peers import PeerService
from edge.services.pooling import PoolServices
from edge.services.presets import read_presets
from edge.services.prompts import PromptService
from edge.services.readiness import Readiness
from edge.services.refused import RefusedService
from edge.services.release import ReleaseService
from edge.services.retention import KeptDays, RetentionService
from edge.services.scope import ScopeService
from edge.services.setup.service import SetupService
from edge.services.simulation import SimulationService
from edge.services.tokens import TokenService
from edge.services.traces import TRACES, TraceFiles
from edge.settings import Settings
from edge.sip.digest import ServerDigest
from edge.sip.endpoint import Endpoint
from edge.sip.exporter import Exporter
from edge.sip.guard import Guard
from edge.stir.verifier import Verifier
from edge.store.audio import AudioFiles
from edge.store.audit import AuditTrail
from edge.store.callers import CallerRecords
from edge.store.calls import CallRecords
from edge.store.engine import Database
from edge.store.enrichments import Enrichments
from edge.store.history import History
from edge.store.holdings import Holdings
from edge.store.numbers import NumberRecords
from edge.store.opening import prepare
from edge.store.refused import RefusedSources
from edge.store.repository import Objects
from edge.store.tokens import Tokens
from edge.store.usage import TrunkUsage
from edge.store.writer import Writer

log = get_logger("edge.app")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server really listens: SIP as ``udp://host:port``, HTTP as URLs (``public`` may be
    the admin's)."""

    sip: tuple[str, ...]
    admin: str
    public: str


# -- building ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, as far as whoever runs it needs it."""

    addresses: Addresses
    switch: Switch


class _Builder:
    """Opens the parts in order, each on the stack: what was opened last is closed first."""

    def __init__(self, settings: Settings, clock: Clock, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._clock = clock
        self._stack = stack
        self._secret = b""

    async def server(self) -> Server:
        """Everything, ready for calls."""
        settings, clock, enter = self._settings, self._clock, self._stack.enter_async_context
        writer = await self._store()
        database = await enter(Database(settings.database_path))
        configuration = await self._configuration(database)
        refused = await enter(RefusedService(RefusedSources(database), clock))
        engine = await enter(LocalEngine(self._media(), clock))
        prompts = PromptService(configuration, AudioFiles(settings.data_dir), engine)
        await prompts.load()
        said = await self._said(database, writer)
        callers = CallerService(configuration, CallerRecords(database))
        switch, endpoint, guard, peers = await self._calls(
            writer, configuration, refused, engine, prompts, said, callers
        )
        audit = AuditService(AuditTrail(database), clock)
        insight, records = InsightService(configuration, writer.counts, clock), NumberRecords(database)
        numbers = NumberService(configuration, records)
        pools = PoolServices.of(configuration, numbers, writer, database, clock=clock, public=settings.public)
        held_until, days = pools.numbers.held_until, settings.routing.cooling_days
        releases = await enter(ReleaseService(configuration, numbers, records, clock, days, held_until))
        ports = Ports(
            configuration=configuration,
            numbers=numbers,
            inheritance=InheritanceService(configuration, records),
            releases=releases,
            prompts=prompts,
            callers=callers,
            blocks=BlockService(configuration),
            calendars=CalendarService(configuration),
            tokens=await enter(TokenService(Tokens(database), clock, settings.admin_token)),
            calls=self._call_service(database, switch, audit),
            insight=insight,
            caps=CapService(configuration, insight, Holdings(database), writer, clock),
            simulation=SimulationService(configuration, writer.counts, clock, callers.past),
            refused=refused,
            bans=BanService(guard, clock, audit),
            health=Readiness(_conditions(writer, engine), switch),
            figures=figures_of(writer, engine, switch, endpoint, refused, peers),
            peers=peers,
            presets=configuration.current.presets,
            audit=audit,
            enrichment=said,
            pools=pools,
            trusted_proxies=settings.public.trusted_proxies,
            public_url=settings.public.url,
            scope=ScopeService(configuration, numbers, records),
            setup=SetupService(configuration, prompts, self._history(database)),
        )
        admin, public = await self._web(ports)
        return Server(Addresses(_heard_at(endpoint), admin, public), switch)

    def _history(self, database: Database) -> History:
        return History(database, self._clock, self._settings.admin.keep_versions_days)

    async def _store(self) -> Writer:
        """The database brought to our schema, and its writer."""
        settings = self._settings
        # First, since it says what is wrong with data_dir, if anything is.
        copy = await asyncio.to_thread(prepare, settings.database_path)
        self._secret = await asyncio.to_thread(server_secret, settings.data_dir)
        if copy is not None:
            log.info("database.migrated", copy=str(copy))
        writer = await self._stack.enter_async_context(Writer(settings.database_path, self._clock))
        if writer.recovered:
            log.warning("calls.interrupted", count=writer.recovered)
        return writer

    async def _configuration(self, database: Database) -> ConfigurationService:
        settings, self._database = self._settings, database
        presets = await asyncio.to_thread(read_presets, settings.sip.presets)
        return await self._stack.enter_async_context(
            ConfigurationService(Objects(database), self._clock, settings.routing.failsafe, presets)
        )

    async def _said(self, database: Database, writer: Writer) -> EnrichmentService:
        """What was said of callers; it and visits are kept for a while, and then swept."""
        enter, admin = self._stack.enter_async_context, self._settings.admin
        kept = KeptDays(
            self._settings.public.keep_visits_days, admin.keep_audit_days, admin.keep_versions_days
        )
        said = await enter(EnrichmentService(Enrichments(database), self._clock))
        await enter(RetentionService(writer, self._clock, kept, said.known_since))
        return said

    def _media(self) -> LocalConfig:
        media = self._settings.media
        ports = media.port_range
        return LocalConfig(
            first_port=ports.start,
            last_port=ports.stop - 1,
            advertised_host=media_address(self._settings),
            workers=media.workers,
            media_timeout_s=media.timeout_s,
            recordings=self._settings.data_dir / RECORDINGS,
        )

    async def _calls(  # noqa: PLR0917 - each is another part
        self,
        writer: Writer,
        configuration: ConfigurationService,
        refused: RefusedService,
        engine: LocalEngine,
        prompts: PromptService,
        said: EnrichmentService,
        callers: CallerService,
    ) -> tuple[Switch, Endpoint, Guard, PeerService]:
        """The endpoint, its guard and the switch, which is drained before the endpoint closes."""
        sip, calls = self._settings.sip, self._settings.calls
        sources, guard, access = self._doors(configuration, refused)
        config = endpoint_config(sip)
        endpoint = Endpoint(
            config, self._clock, access, lambda invite: switch.take(invite), guard=guard, over=sources.over  # noqa: PLW0108 - it is made below
        )  # fmt: skip
        traces = await self._traced(endpoint)
        peers = PeerService(endpoint, configuration, self._clock, TrunkUsage(self._database))
        services = CallServices(
            clock=self._clock,
            store=writer,
            counts=writer.counts,
            dialler=endpoint,
            media=engine,
            traces=traces,
            limits=call_limits(calls),
            draw=random.random,
            prompt_ready=prompts.ready,
            key_of=partial(call_key, self._secret),
            breaker=peers.breaker,
            outbound=peers.outbound,
            past=callers.past,
            down=peers.down,
            verifier=await self._verifier(),
            said=said,
            messages=self._messages,
        )
        said.live = switch = Switch(services, configuration, refused)
        await self._stack.enter_async_context(endpoint)
        await self._stack.enter_async_context(peers)
        await self._stack.enter_async_context(switch)
        return switch, endpoint, guard, peers

    def _doors(
        self, configuration: ConfigurationService, refused: RefusedService
    ) -> tuple[Sources, Guard, Access]:
        """Who is heard, before and after a message is read."""
        sip, clock = self._settings.sip, self._clock
        never_ban = networks((*sip.never_ban, *sip.trusted_proxies))
        sources = Sources(configuration, refused, clock, never_ban)
        guard = Guard(clock.monotonic, sources)
        configuration.on_change.append(guard.reconsider)
        config = AccessConfig(sip.unknown_sources, sip.trusted_proxies, sip.domains)
        digest = ServerDigest(sip.realm, self._secret, algorithms=sip.digest_algorithms)
        return (
            sources,
            guard,
            Access(config, configuration, digest, refused, clock, guard=guard, sources=sources),
        )

    async def _traced(self, endpoint: Endpoint) -> TraceBook:
        """Who sees every SIP message: the calls' traces, and a Homer collector if there is one."""
        sip, enter = self._settings.sip, self._stack.enter_async_context
        self._messages = await enter(
            TraceFiles(self._settings.data_dir / TRACES, sip.trace_max_mb * 1_000_000)
        )
        traces = TraceBook(self._clock.monotonic)
        endpoint.set_trace(traces.note)
        if sip.collector is not None:
            exporter = await enter(Exporter(sip.collector, sip.hep_id, self._clock))
            exporter.others = traces.note
            endpoint.set_trace(exporter.note)
        return traces

    async def _verifier(self) -> Verifier | None:
        verifier = Verifier.of(self._settings.stir, tls_config(self._settings.sip).trust, self._clock)
        return await self._stack.enter_async_context(verifier) if verifier is not None else None

    def _call_service(self, database: Database, switch: Switch, audit: AuditService) -> CallService:
        recordings = self._settings.data_dir / RECORDINGS
        return CallService(CallRecords(database), switch, recordings, audit, traces=self._messages)

    async def _web(self, ports: Ports) -> tuple[str, str]:
        """The HTTP listeners; the public one shares the admin's while it has no address."""
        address = self._settings.public.address
        applications = web.build(ports, shared=address is None)
        admin = await self._stack.enter_async_context(
            Listener(applications.admin, self._settings.admin.address)
        )
        public = admin
        if address is not None:
            public = await self._stack.enter_async_context(Listener(applications.public, address))
        ports.pools.setup.serve_at(public.url)
        return admin.url, public.url


def _heard_at(endpoint: Endpoint) -> tuple[str, ...]:
    return tuple(f"{at.transport}://{_bracketed(at.host)}:{at.port}" for at in endpoint.addresses)


def _conditions(writer: Writer, engine: LocalEngine) -> dict[str, Callable[[], str]]:
    return {
        "store": lambda: "" if writer.healthy else f"the store can not write: {writer.failure}",
        "media": lambda: "" if engine.ready else "no media worker has a port left",
    }


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextlib.asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """A whole server while in the block; on leaving it live calls are let finish (``calls.drain_max_s``).

    Raises ``SchemaTooNew``, ``StoreUnusable``, ``StoreInUse``, ``MediaUnavailable`` and ``OSError``
    when it can not start.
    """
    async with AsyncExitStack() as stack:
        server = await _Builder(settings, clock or SystemClock(), stack).server()
        # What lives as long as the server need not be walked at each collection.
        collect_seldom()
        await asyncio.to_thread(use_large_pages)
        log.info(
            "ready",
            sip=list(server.addresses.sip),
            admin=server.addresses.admin,
            public=server.addresses.public,
        )
        yield server


async def serve(settings: Settings, ready: Callable[[Addresses], None]) -> None:
    """Runs until SIGTERM or SIGINT, then drains; a second signal ends live calls at once."""
    stop = asyncio.Event()
    async with running(settings) as server:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _on_signal, server.switch, stop)
        ready(server.addresses)
        await stop.wait()
        log.info("draining", live=server.switch.drain())
        # In the block, so that health, metrics and live calls can be seen until the last call is over.
        await server.switch.drained(settings.calls.drain_max_s)


def _on_signal(switch: Switch, stop: asyncio.Event) -> None:
    if stop.is_set():
        switch.drain(0)
    stop.set()
