"""What every other part stands on: the store, the configuration, media, prompts."""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

from edge.clock import Clock
from edge.derived import media_address, second_media_address, server_secret
from edge.descriptors import most
from edge.logs import get_logger
from edge.media.local import LocalConfig, LocalEngine
from edge.services.callers import CallerService
from edge.services.calls import RECORDINGS
from edge.services.configuration import ConfigurationService
from edge.services.enrichment import EnrichmentService
from edge.services.presets import read_presets
from edge.services.prompts import PromptService
from edge.services.refused import RefusedService
from edge.services.retention import KeptDays, RetentionService
from edge.settings import Settings
from edge.store.audio import AudioFiles
from edge.store.callers import CallerRecords
from edge.store.engine import Database
from edge.store.enrichments import Enrichments
from edge.store.opening import prepare
from edge.store.refused import RefusedSources
from edge.store.repository import Objects
from edge.store.writer import Writer

log = get_logger("edge.app")


@dataclass(frozen=True, slots=True)
class Ground:
    """All of it open; ``secret`` is the server's own, ``stack`` closes what later parts open."""

    settings: Settings
    clock: Clock
    stack: AsyncExitStack
    secret: bytes
    writer: Writer
    database: Database
    configuration: ConfigurationService
    refused: RefusedService
    engine: LocalEngine
    prompts: PromptService
    said: EnrichmentService
    callers: CallerService


async def laid(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Ground:
    """The ground."""
    # First, since it says what is wrong with data_dir, if anything is.
    copy = await asyncio.to_thread(prepare, settings.database_path)
    secret = await asyncio.to_thread(server_secret, settings.data_dir)
    if copy is not None:
        log.info("database.migrated", copy=str(copy))
    writer = await stack.enter_async_context(Writer(settings.database_path, clock))
    if writer.recovered:
        log.warning("calls.interrupted", count=writer.recovered)
    database = await stack.enter_async_context(Database(settings.database_path))
    presets = await asyncio.to_thread(read_presets, settings.sip.presets)
    configuration = await stack.enter_async_context(
        ConfigurationService(Objects(database), clock, settings.routing.failsafe, presets)
    )
    refused = await stack.enter_async_context(RefusedService(RefusedSources(database), clock))
    engine = await stack.enter_async_context(LocalEngine(_media(settings), clock))
    _warn_of_files(engine, settings)
    prompts = PromptService(configuration, AudioFiles(settings.data_dir), engine)
    await prompts.load()
    said = await stack.enter_async_context(EnrichmentService(Enrichments(database), clock))
    await stack.enter_async_context(RetentionService(writer, clock, _kept(settings), said.known_since))
    callers = CallerService(configuration, CallerRecords(database))
    return Ground(
        settings,
        clock,
        stack,
        secret,
        writer,
        database,
        configuration,
        refused,
        engine,
        prompts,
        said,
        callers,
    )


def _warn_of_files(engine: LocalEngine, settings: Settings) -> None:
    """Where the ports are enough for the calls that are admitted, and the descriptors are not."""
    files, most_calls = most(), settings.calls.max_live
    calls = engine.room(files)
    if calls < min(most_calls, engine.room(sys.maxsize)):
        remedy = "raise the hard limit of open files (LimitNOFILE), see 'edge check'; or lower calls.max_live"
        log.warning("media.few_open_files", files=files, calls=calls, max_live=most_calls, remedy=remedy)


def _kept(settings: Settings) -> KeptDays:
    """How long what is of no call stays, before it is swept."""
    admin = settings.admin
    return KeptDays(settings.public.keep_visits_days, admin.keep_audit_days, admin.keep_versions_days)


def _media(settings: Settings) -> LocalConfig:
    media = settings.media
    ports = media.port_range
    return LocalConfig(
        first_port=ports.start,
        last_port=ports.stop - 1,
        advertised_host=media_address(settings),
        second_host=second_media_address(settings),
        local_networks=settings.sip.local_networks,
        proxies=settings.sip.trusted_proxies,
        workers=media.workers,
        media_timeout_s=media.timeout_s,
        recordings=settings.data_dir / RECORDINGS,
    )
