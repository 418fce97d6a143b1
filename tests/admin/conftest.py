"""The API over HTTP on a free loopback port, with the real services on a database of its own."""

import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from edge.admin.app import Applications, build
from edge.admin.listener import Listener
from edge.admin.ports import Ports, Sample
from edge.model.peers import Reachability, Registration
from edge.services.audit import AuditService
from edge.services.bans import BanService, KeptBans
from edge.services.blocks import BlockService
from edge.services.calendars import CalendarService
from edge.services.callers import CallerService
from edge.services.calls import CallService
from edge.services.caps import CapService
from edge.services.configuration import ConfigurationService
from edge.services.enrichment import EnrichmentService
from edge.services.inheritance import InheritanceService
from edge.services.insight import InsightService
from edge.services.numbers import NumberService
from edge.services.pooling import PoolServices
from edge.services.presets import read_presets
from edge.services.prompts import PromptService
from edge.services.readiness import Readiness
from edge.services.refused import RefusedService
from edge.services.release import ReleaseService
from edge.services.scope import ScopeService
from edge.services.setup.service import SetupService
from edge.services.simulation import SimulationService
from edge.services.tokens import TokenService
from edge.services.traces import TraceFiles
from edge.settings import Address
from edge.settings.sections import PublicSection
from edge.sip.guard import Guard
from edge.store.audio import AudioFiles
from edge.store.audit import AuditTrail
from edge.store.bans import BanRecords
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
from edge.store.writer import Writer
from tests.admin.client import Client
from tests.support.known import Known

ANYWHERE = Address("127.0.0.1", 0)
ADMIN = "the-token-of-the-environment"


class Clock:
    """Both clocks, set by the test; called, it is the monotonic one."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.date = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> datetime:
        return self.date


class Engine:
    """Stands for the media workers, as far as prompts go."""

    def __init__(self) -> None:
        self.loaded: dict[str, dict[str, bytes]] = {}

    def call(self) -> Any:
        raise AssertionError("no call is placed here")

    async def load_prompt(self, prompt_id: str, frames: dict[str, bytes]) -> None:
        self.loaded[prompt_id] = frames

    async def unload_prompt(self, prompt_id: str) -> None:
        del self.loaded[prompt_id]


@dataclass
class Switch:
    """Stands for the live calls."""

    calls: list[Mapping[str, Any]] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    draining: bool = False
    drained_s: float | None = None

    def live(self) -> Sequence[str]:
        return [call["id"] for call in self.calls]

    def look(self, call_id: str) -> Mapping[str, Any] | None:
        return next((call for call in self.calls if call["id"] == call_id), None)

    def hang_up(self, call_id: str, by: str = "admin") -> bool:
        self.hung_up.append(call_id)
        return any(call["id"] == call_id for call in self.calls)

    def drain(self, max_s: float | None = None) -> int:
        self.draining, self.drained_s = True, max_s
        return len(self.calls)


class Figures:
    """Two figures."""

    def samples(self) -> Iterable[Sample]:
        yield Sample("edge_calls_live", "gauge", "Calls in progress.", 3)
        yield Sample("edge_calls_ended", "counter", "Calls ended.", 2, (("disposition", "connected"),))
        yield Sample("edge_calls_ended", "counter", "Calls ended.", 1, (("disposition", "busy"),))


@dataclass
class Backstage:
    """What stands behind the API, for a test to set or to look at."""

    writer: Writer
    switch: Switch
    engine: Engine
    refused: RefusedService
    guard: Guard
    failing: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Peers:
    """Everybody is up, and knows us."""

    def reachability(self, peer_id: str) -> Reachability:
        return Reachability(state="up", since=datetime(2026, 11, 22, tzinfo=UTC))

    def registration(self, trunk_id: str) -> Registration:
        return Registration(state="registered", since=datetime(2026, 11, 22, tzinfo=UTC))

    def used(self, trunk_id: str) -> tuple[int, float]:
        return 0, 0.0


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("database") / "edge.db"
    prepare(path)
    return path


@pytest.fixture
async def backstage(empty_database: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[Backstage]:
    path = tmp_path / "edge.db"
    shutil.copy(empty_database, path)
    async with (
        Writer(path, clock) as writer,
        Database(path) as database,
        RefusedService(RefusedSources(database), clock) as refused,
    ):
        yield Backstage(writer, Switch(), Engine(), refused, Guard(clock, Known()))


@pytest.fixture
async def ports(backstage: Backstage, tmp_path: Path, clock: Clock) -> AsyncIterator[Ports]:
    presets = read_presets("")
    conditions = {"store": lambda: backstage.failing.get("store", "")}
    async with (
        Database(tmp_path / "edge.db") as database,
        ConfigurationService(Objects(database), clock, presets=presets) as configuration,
        TokenService(Tokens(database), clock, SecretStr(ADMIN)) as tokens,
    ):
        audit = AuditService(AuditTrail(database), clock)
        kept = KeptBans(backstage.guard, BanRecords(database), clock)
        insight = InsightService(configuration, backstage.writer.counts, clock)
        prompts = PromptService(configuration, AudioFiles(tmp_path / "prompts"), backstage.engine)
        records = NumberRecords(database)
        numbers = NumberService(configuration, records)
        callers = CallerService(configuration, CallerRecords(database))
        said = EnrichmentService(Enrichments(database), clock)
        pools = PoolServices.of(
            configuration,
            numbers,
            backstage.writer,
            database,
            clock=clock,
            public=PublicSection(url="https://calls.example.com"),
        )
        held_until = pools.numbers.held_until
        releases = ReleaseService(configuration, numbers, records, clock, held_until=held_until)
        yield Ports(
            configuration=configuration,
            numbers=numbers,
            inheritance=InheritanceService(configuration, records),
            releases=releases,
            callers=callers,
            blocks=BlockService(configuration),
            calendars=CalendarService(configuration),
            prompts=prompts,
            tokens=tokens,
            calls=CallService(
                CallRecords(database),
                backstage.switch,
                tmp_path / "recordings",
                audit,
                traces=TraceFiles(tmp_path / "traces", 0),
            ),
            insight=insight,
            caps=CapService(configuration, insight, Holdings(database), backstage.writer, clock),
            simulation=SimulationService(
                configuration, backstage.writer.counts, clock, callers.past, said.of
            ),
            refused=backstage.refused,
            bans=BanService(backstage.guard, kept, clock, audit),
            health=Readiness(conditions, backstage.switch),
            figures=Figures(),
            peers=Peers(),
            presets=presets,
            audit=audit,
            enrichment=said,
            pools=pools,
            scope=ScopeService(configuration, numbers, records),
            setup=SetupService(configuration, prompts, History(database, clock)),
        )


@pytest.fixture
def applications(ports: Ports, clock: Clock) -> Applications:
    return build(ports, monotonic=clock)


@pytest.fixture
async def api(applications: Applications) -> AsyncIterator[Client]:
    """A client with the environment's token, which is an admin's."""
    async with Listener(applications.admin, ANYWHERE) as listener, Client(listener.url, ADMIN) as client:
        yield client


@pytest.fixture
async def tokens(ports: Ports) -> dict[str, str]:
    """A token of every role, by its role."""
    return {role: (await ports.tokens.create(role, role))[1] for role in ("admin", "operator", "report_only")}
