"""The part that people and their programs talk to: the services behind the API, and its listeners."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.admin import app as web
from edge.admin.listener import MOST, Listener
from edge.admin.ports import Ports
from edge.figures import figures_of
from edge.media.local import LocalEngine
from edge.parts.calling import Calling
from edge.parts.ground import Ground
from edge.services.audit import AuditService
from edge.services.bans import BanService
from edge.services.blocks import BlockService
from edge.services.calendars import CalendarService
from edge.services.calls import RECORDINGS, CallService
from edge.services.caps import CapService
from edge.services.inheritance import InheritanceService
from edge.services.insight import InsightService
from edge.services.numbers import NumberService
from edge.services.pooling import PoolServices
from edge.services.readiness import Readiness
from edge.services.release import ReleaseService
from edge.services.scope import ScopeService
from edge.services.setup.service import SetupService
from edge.services.simulation import SimulationService
from edge.services.tokens import TokenService
from edge.store.audit import AuditTrail
from edge.store.calls import CallRecords
from edge.store.history import History
from edge.store.holdings import Holdings
from edge.store.numbers import NumberRecords
from edge.store.tokens import Tokens
from edge.store.writer import Writer


@dataclass(frozen=True, slots=True)
class Serving:
    """The URLs of the listeners; ``public`` may be the admin's."""

    admin: str
    public: str


async def opened(ground: Ground, calling: Calling) -> Serving:
    """The HTTP listeners; the public one shares the admin's while it has no address."""
    enter, settings = ground.stack.enter_async_context, ground.settings
    ports = await _ports(ground, calling)
    address = settings.public.address
    applications = web.build(ports, shared=address is None)
    most = settings.public.max_connections
    shared = max(MOST, most) if address is None else MOST
    admin = await enter(Listener(applications.admin, settings.admin.address, shared))
    public = admin
    if address is not None:
        public = await enter(Listener(applications.public, address, most))
    ports.pools.setup.serve_at(public.url)
    return Serving(admin.url, public.url)


async def _ports(ground: Ground, calling: Calling) -> Ports:
    """Every service, each made of what it needs."""
    settings, clock, enter = ground.settings, ground.clock, ground.stack.enter_async_context
    writer, database, configuration = ground.writer, ground.database, ground.configuration
    audit = AuditService(AuditTrail(database), clock)
    insight, records = InsightService(configuration, writer.counts, clock), NumberRecords(database)
    numbers = NumberService(configuration, records)
    pools = PoolServices.of(configuration, numbers, writer, database, clock=clock, public=settings.public)
    held_until, days = pools.numbers.held_until, settings.routing.cooling_days
    history = History(database, clock, settings.admin.keep_versions_days)
    return Ports(
        configuration=configuration,
        numbers=numbers,
        inheritance=InheritanceService(configuration, records),
        releases=await enter(ReleaseService(configuration, numbers, records, clock, days, held_until)),
        prompts=ground.prompts,
        callers=ground.callers,
        blocks=BlockService(configuration),
        calendars=CalendarService(configuration),
        tokens=await enter(TokenService(Tokens(database), clock, settings.admin_token)),
        calls=_calls(ground, calling, audit),
        insight=insight,
        caps=CapService(configuration, insight, Holdings(database), writer, clock),
        simulation=SimulationService(
            configuration, writer.counts, clock, ground.callers.past, ground.said.of
        ),
        refused=ground.refused,
        bans=BanService(calling.guard, calling.bans, clock, audit),
        health=Readiness(_conditions(writer, ground.engine), calling.switch),
        figures=figures_of(
            writer, ground.engine, calling.switch, calling.endpoint, ground.refused, calling.peers
        ),
        peers=calling.peers,
        presets=configuration.current.presets,
        audit=audit,
        enrichment=ground.said,
        pools=pools,
        trusted_proxies=settings.public.trusted_proxies,
        public_url=settings.public.url,
        scope=ScopeService(configuration, numbers, records),
        setup=SetupService(configuration, ground.prompts, history),
    )


def _calls(ground: Ground, calling: Calling, audit: AuditService) -> CallService:
    recordings = ground.settings.data_dir / RECORDINGS
    records = CallRecords(ground.database)
    return CallService(records, calling.switch, recordings, audit, traces=calling.messages)


def _conditions(writer: Writer, engine: LocalEngine) -> dict[str, Callable[[], str]]:
    return {
        "store": lambda: "" if writer.healthy else f"the store can not write: {writer.failure}",
        "media": lambda: "" if engine.ready else "no media worker has the ports of one more call",
    }
