"""What every call uses, brought once by the composition root."""

from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field

from edge.calls.breaker import Breaker
from edge.calls.outbound import OutboundLoad
from edge.calls.peers import Peers
from edge.calls.ports import (
    CallLimits,
    CallStore,
    CapCounts,
    Dialler,
    IdentityVerifier,
    MessageKeeper,
    NothingKept,
    NothingSaid,
    SaidOf,
)
from edge.calls.trace import TraceBook
from edge.calls.trunk_load import Rates
from edge.clock import Clock
from edge.media.engine import MediaEngine
from edge.model.callers import CallerPast


@dataclass(frozen=True, slots=True)
class CallServices:
    """``draw`` answers a uniform number in [0, 1); ``prompt_ready`` says whether the media engine has
    a prompt under this id; ``key_of`` makes a call's key, with which a buyer proves that it was given
    the call.  ``past`` tells what is known of a caller, and never raises.  ``down`` holds the ids of targets
    and trunks that are not to be dialled now: they do not answer OPTIONS, or ``breaker`` passes them over.
    ``peers`` knows whose PBX has an address.  ``rates`` are those of targets with a ``max_cps``.
    ``verifier`` is None while identities are not verified, ``said`` what publishers said of callers;
    ``messages`` keeps their SIP.
    """

    clock: Clock
    store: CallStore
    counts: CapCounts
    dialler: Dialler
    media: MediaEngine
    traces: TraceBook
    limits: CallLimits
    draw: Callable[[], float]
    prompt_ready: Callable[[str], bool]
    key_of: Callable[[str], str]
    breaker: Breaker
    outbound: OutboundLoad
    past: Callable[[str], Awaitable[CallerPast]]
    peers: Peers
    down: Container[str] = ()
    verifier: IdentityVerifier | None = None
    rates: Rates = field(default_factory=Rates)
    messages: MessageKeeper = field(default_factory=NothingKept)
    said: SaidOf = field(default_factory=NothingSaid)
