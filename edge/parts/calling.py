"""The part that calls go through: the SIP endpoint and who may reach it, the switch, the peers."""

import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge.calls.access import Access, AccessConfig
from edge.calls.carried import Carried
from edge.calls.peers import Peers
from edge.calls.replacing import Replacing
from edge.calls.services import CallServices
from edge.calls.sources import Sources
from edge.calls.switch import Switch
from edge.calls.trace import TraceBook
from edge.derived import call_key, call_limits, endpoint_config, most_messages, tls_config
from edge.networks import Networks
from edge.parts.ground import Ground
from edge.services.bans import KeptBans
from edge.services.logins import KeptLogins
from edge.services.peers import PeerService
from edge.services.traces import TRACES, TraceFiles
from edge.sip.endpoint import Endpoint
from edge.sip.exporter import Exporter
from edge.sip.guard import Guard
from edge.sip.server_digest import ServerDigest
from edge.store.bans import BanRecords
from edge.store.logins import LoginRecords
from edge.store.usage import TrunkUsage

if TYPE_CHECKING:
    from edge.stir.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Calling:
    """All of it open: calls are taken.  ``messages`` keeps the SIP messages of calls that are over."""

    endpoint: Endpoint
    guard: Guard
    switch: Switch
    peers: PeerService
    messages: TraceFiles
    bans: KeptBans


async def opened(ground: Ground) -> Calling:
    """The endpoint, and the switch, which is drained before the endpoint closes."""
    enter, sip = ground.stack.enter_async_context, ground.settings.sip
    sources, monotonic = _sources(ground), ground.clock.monotonic
    digest = ServerDigest(sip.realm, ground.secret, algorithms=sip.digest_algorithms)
    guard = Guard(monotonic, sources, lambda host, data: digest.answers(data, monotonic(), host))
    ground.configuration.on_change.append(guard.reconsider)
    access, whose = _access(ground, digest, sources, guard), Peers(ground.clock)
    endpoint = Endpoint(
        endpoint_config(sip), ground.clock, access, lambda invite: switch.take(invite),  # noqa: PLW0108 - it is made below
        guard=guard, over=sources.over, cut_off=sources.cut_off,
        replacing=Replacing(access, whose, ground.configuration, ground.refused),
        carried=Carried(ground.configuration),
    )  # fmt: skip
    messages = await enter(TraceFiles(ground.settings.data_dir / TRACES, sip.trace_max_mb * 1_000_000))
    peers = PeerService(endpoint, ground.configuration, ground.clock, TrunkUsage(ground.database))
    services = await _services(ground, endpoint, peers, messages, whose)
    ground.said.live = switch = Switch(services, ground.configuration, ground.refused)
    bans = await enter(KeptBans(guard, BanRecords(ground.database), ground.clock))
    await enter(KeptLogins(guard, sources, LoginRecords(ground.database), ground.clock))
    await enter(endpoint)
    await enter(peers)
    await enter(switch)
    return Calling(endpoint, guard, switch, peers, messages, bans)


def _sources(ground: Ground) -> Sources:
    sip = ground.settings.sip
    return Sources(
        ground.configuration, ground.refused, ground.clock, most=most_messages(ground.settings),
        proxies=Networks.of(sip.trusted_proxies), never_ban=Networks.of(sip.never_ban),
    )  # fmt: skip


def _access(ground: Ground, digest: ServerDigest, sources: Sources, guard: Guard) -> Access:
    sip = ground.settings.sip
    return Access(
        AccessConfig(sip.unknown_sources, sip.trusted_proxies, sip.domains),
        ground.configuration,
        digest,
        ground.refused,
        ground.clock,
        guard=guard,
        sources=sources,
    )


async def _services(
    ground: Ground, endpoint: Endpoint, peers: PeerService, messages: TraceFiles, whose: Peers
) -> CallServices:
    """What a call needs of everybody."""
    return CallServices(
        clock=ground.clock,
        store=ground.writer,
        counts=ground.writer.counts,
        dialler=endpoint,
        media=ground.engine,
        traces=await _traced(ground, endpoint),
        limits=call_limits(ground.settings.calls),
        draw=random.random,
        prompt_ready=ground.prompts.ready,
        key_of=partial(call_key, ground.secret),
        breaker=peers.breaker,
        outbound=peers.outbound,
        past=ground.callers.past,
        peers=whose,
        down=peers.down,
        verifier=await _verifier(ground),
        said=ground.said,
        messages=messages,
    )


async def _traced(ground: Ground, endpoint: Endpoint) -> TraceBook:
    """Who sees every SIP message: the calls' traces, and a Homer collector if there is one."""
    sip = ground.settings.sip
    traces = TraceBook(ground.clock.monotonic, endpoint.knows)
    endpoint.set_trace(traces.note)
    if sip.collector is not None:
        exporter = await ground.stack.enter_async_context(Exporter(sip.collector, sip.hep_id, ground.clock))
        exporter.others, exporter.secrets = traces.note, traces.secrets
        endpoint.set_trace(exporter.note)
    return traces


async def _verifier(ground: Ground) -> "Verifier | None":
    settings = ground.settings
    if not settings.stir.trust:
        return None
    # With the library behind it 8 MB, which only those pay for who verify.
    from edge.stir.verifier import Verifier  # noqa: PLC0415

    verifier = Verifier.of(settings.stir, tls_config(settings.sip).trust, ground.clock)
    return await ground.stack.enter_async_context(verifier)
