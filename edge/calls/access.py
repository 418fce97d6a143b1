"""Who may talk to us: judged for every request outside a dialog, before any state is made for it.

A trunk with ``addresses`` alone is known by its source; with credentials alone it is challenged from
anywhere; with both, both must hold.  While there is a trunk with credentials alone every stranger
gets the same 401, otherwise ``unknown_sources`` says: silence or 403.  A buyer's PBX may ask
OPTIONS, and to take a call of its own from one phone to another; within a call that is over it is told so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from edge.calls import intake
from edge.calls.ports import Challenges, ConfigurationHolder, RefusedCall, SourceGuard
from edge.calls.sources import Sources
from edge.clock import Clock
from edge.model.config import Trunk
from edge.networks import Networks
from edge.routing.snapshot import Snapshot
from edge.sip.bans import Reason
from edge.sip.errors import SipParseError
from edge.sip.events import Allow, Deny, Flow
from edge.sip.grammar import is_address
from edge.sip.message import Request
from edge.sip.server_digest import ServerDigest
from edge.sip.uri import parse_uri
from edge.sip.via import parse_via

SCANNERS = (
    "friendly-scanner", "friendly-request", "sipvicious", "sundayddr", "sipcli", "pplsip", "vaxsipuseragent",
    "iwar", "sip-scan", "sipscan", "smap", "eyebeam release 3004t", "eyebeam release 3006o",
    "eyebeam release 3007n",
)  # fmt: skip
"""How the User-Agent of the common scanners begins, as seen in 2026; in lower case.  The last three are
builds of an old phone, which many pretend to be."""


_UNREADABLE = "(unreadable Via)"
"""The source of who hides behind a proxy: nobody's, and not the proxy's, which may be a trunk."""


class _Asker(NamedTuple):
    """Who asks what: ``source`` is the peer's address, ``trunk`` None for strangers."""

    request: Request
    source: str
    trunk: Trunk | None


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """``unknown_sources``: what strangers get.  ``trusted_proxies``: SIP proxies in front of us, behind
    which the source is the next Via's.  ``domains``: names that callers may use for us; empty: any."""

    unknown_sources: Literal["drop", "403"] = "drop"
    trusted_proxies: Sequence[str] = ()
    domains: Sequence[str] = ()


class Access:
    """The endpoint's access policy."""

    def __init__(
        self,
        config: AccessConfig,
        configuration: ConfigurationHolder,
        digest: ServerDigest,
        refused: Challenges,
        clock: Clock,
        *,
        guard: SourceGuard,
        sources: Sources,
    ) -> None:
        self._unknown_status = 403 if config.unknown_sources == "403" else 0
        self._proxies = Networks.of(config.trusted_proxies)
        self._domains = frozenset(domain.lower() for domain in config.domains)
        self._configuration = configuration
        self._digest = digest
        self._refused = refused
        self._clock = clock
        self._guard = guard
        self._sources = sources

    @property
    def answers_strangers(self) -> bool:
        """See ``edge.sip.events.AccessPolicy``."""
        return bool(self._unknown_status) or self._configuration.current.trunk_index.has_credentials_only

    def judge(self, request: Request, flow: Flow) -> Allow | Deny:
        """See ``edge.sip.events.AccessPolicy``."""
        snapshot = self._configuration.current
        source = self.source(request, flow) if self._proxies else flow.remote[0]
        trunk = snapshot.trunk_index.by_address(source)
        if trunk is None:
            return self._stranger(request, source, flow, snapshot)
        if trunk.username is not None:
            index = snapshot.trunk_index
            judgement = self._digest.judge(
                request, lambda name: _own(index.by_login(source, name), name), self._clock.monotonic(),
                source=source,
            )  # fmt: skip
            proven = index.by_login(source, judgement.username)
            if judgement.verdict != "accepted" or proven is None:
                return self._challenge(_Asker(request, source, trunk), stale=judgement.verdict == "stale")
            self._refused.answered(source)
            trunk = proven
        if trunk.state == "paused":
            return self._deny(
                _Asker(request, source, trunk), 403, "the trunk is paused", "set its state to active"
            )
        return self._known(request, source, trunk)

    def _known(self, request: Request, source: str, trunk: Trunk) -> Allow | Deny:
        if self._domains and request.method == "INVITE" and not self._ours(request):
            remedy = "add the host to sip.domains, or let the carrier send our address"
            return self._deny(
                _Asker(request, source, trunk), 404, "the Request-URI is for another host", remedy
            )
        return Allow(trunk.id)

    def _ours(self, request: Request) -> bool:
        """Whether the Request-URI names us; IP addresses always do, names only as configured."""
        try:
            host = parse_uri(request.uri).host
        except SipParseError:
            return False
        return not host or host.lower() in self._domains or is_address(host)

    def moved(self, request: Request, flow: Flow, peer_id: str) -> Deny | None:
        """See ``edge.sip.events.AccessPolicy``: a trunk without addresses may be anywhere, once it has logged
        in there."""
        trunk, source = self._configuration.current.trunk_index.by_id(peer_id), flow.remote[0]
        if trunk is None or trunk.username is None or trunk.addresses:
            return None
        judgement = self._digest.judge(
            request, lambda name: _own(trunk, name), self._clock.monotonic(), source=source
        )
        if judgement.verdict == "accepted":
            self._logged_in(source, trunk)
            return None
        if judgement.verdict == "refused":
            self._guard.offend(source, "wrong credentials", certain=True)
        return self._challenge(_Asker(request, source, trunk), stale=judgement.verdict == "stale")

    def _logged_in(self, source: str, trunk: Trunk) -> None:
        self._sources.logged_in(source, trunk)
        self._guard.proven(source)
        self._refused.answered(source)

    # -- strangers ------------------------------------------------------------------------------------

    def _stranger(self, request: Request, source: str, flow: Flow, snapshot: Snapshot) -> Allow | Deny:
        """No trunk has this source address: credentials may still prove one that needs no address."""
        if _makes_no_call(request) and (self._sources.is_target(source) or self._guard.is_dialled(source)):
            return Allow("target")
        behind = source != flow.remote[0]
        certain = not behind and flow.transport != "udp"
        if _is_scanner(request):
            self._guard.offend(source, "scanner", certain=certain)
            return Deny(0)
        if behind and self._guard.banned(source, _login(request)):
            return Deny(0)
        asker = _Asker(request, source, None)
        if not snapshot.trunk_index.has_credentials_only:
            self._guard.offend(source, "unknown source", certain=certain)
            return self._deny(
                asker, self._unknown_status, "no trunk has this address", _remedy(source, snapshot)
            )
        judgement = self._digest.judge(
            request, lambda name: _password(snapshot, name), self._clock.monotonic(), source=source
        )
        trunk = snapshot.trunk_index.by_username(judgement.username) if judgement.username else None
        if judgement.verdict == "accepted" and trunk is not None and trunk.state == "active":
            self._logged_in(source, trunk)
            return self._known(request, source, trunk)
        offence = _OFFENCES.get(judgement.verdict)
        if offence is not None:
            # Only who was sent a challenge can give a wrong answer to it; any other datagram may be forged.
            self._guard.offend(source, offence, certain=certain or judgement.verdict == "refused")
        return self._challenge(asker, stale=judgement.verdict == "stale")

    def _challenge(self, asker: _Asker, *, stale: bool) -> Deny:
        """401; in the refused log come calls whose credentials were wrong, or never came."""
        if asker.request.headers.get("Authorization") is None:
            self._ask(asker)
        elif not stale:
            self._refused.answered(asker.source)
            self._note(asker, 401, "wrong credentials", "check the user name and password of the trunk")
        challenges = self._digest.challenges(self._clock.monotonic(), source=asker.source, stale=stale)
        return Deny(401, tuple(("WWW-Authenticate", value) for value in challenges))

    def _ask(self, asker: _Asker) -> None:
        request, source, trunk = asker
        if request.method != "INVITE":
            return
        if trunk is None or not trunk.addresses:
            reason = "no trunk has this address, and it did not log in"
            remedy = _remedy(source, self._configuration.current)
        else:
            reason = f"trunk {trunk.name} has a user name, and it did not log in"
            remedy = "let the carrier log in, or take the trunk's user name out: its addresses are enough"
        called = intake.dialled(request, trunk)
        self._refused.asked(RefusedCall(source, request.method, called, 401, reason, remedy))

    def _deny(self, asker: _Asker, status: int, reason: str, remedy: str) -> Deny:
        self._note(asker, status, reason, remedy)
        return Deny(status)

    def _note(self, asker: _Asker, status: int, reason: str, remedy: str) -> None:
        request, source, trunk = asker
        called = intake.dialled(request, trunk)
        self._refused.note(RefusedCall(source, request.method, called, status, reason, remedy))

    # -- sources --------------------------------------------------------------------------------------

    def source(self, request: Request, flow: Flow) -> str:
        """The peer's address; behind a trusted proxy, the one that the proxy saw (its Via's), and so on
        behind several of them.  A proxy that has no more Vias behind it asks itself."""
        source = flow.remote[0]
        if source not in self._proxies:
            return source
        for value in request.headers.values("Via")[1:]:
            if source not in self._proxies:
                break
            via = parse_via(value)
            if via is None:
                return _UNREADABLE
            source = (via.params.get("received") or via.host).strip("[]")  # RFC 5118 section 4.5
        return source


def _makes_no_call(request: Request) -> bool:
    """Whether no plain call can come of a request, neither of an INVITE with Replaces (RFC 3891), nor of what
    is within a dialog: who is asked has it no more, or it would not ask who that is (481)."""
    if request.method == "OPTIONS" or (request.method == "INVITE" and "Replaces" in request.headers):
        return True
    try:
        return request.to_tag is not None
    except SipParseError:
        return False


def _remedy(source: str, snapshot: Snapshot) -> str:
    preset = snapshot.presets.by_address(source)
    if preset is not None:
        return f"preset {preset.name} would: if {preset.title} is your carrier, name it in the trunk's preset"
    return f"if this is your carrier, add {source} to the addresses of its trunk"


_OFFENCES: dict[str, Reason] = {
    "absent": "no credentials", "stale": "no credentials", "refused": "wrong credentials",
}  # fmt: skip


def _is_scanner(request: Request) -> bool:
    agent = request.headers.get("User-Agent")
    return agent is not None and agent.strip().lower().startswith(SCANNERS)


def _login(request: Request) -> bytes:
    """What credentials there are, as they came."""
    return ",".join(request.headers.all("Authorization")).encode("utf-8", "surrogateescape")


def _password(snapshot: Snapshot, username: str) -> str | None:
    """The password of a trunk that needs no address."""
    trunk = snapshot.trunk_index.by_username(username)
    return None if trunk is None or trunk.addresses else _own(trunk, username)


def _own(trunk: Trunk | None, username: str) -> str | None:
    if trunk is None or trunk.username != username or trunk.password is None:
        return None
    return trunk.password.get_secret_value()
