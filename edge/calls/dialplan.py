"""How a target is dialled: its URIs in order, the caller identity shown, the headers added.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.calls.placeholders import example, fill, fill_address
from edge.model.config import Target, Trunk
from edge.model.sip import RegisterSpec, SipSettings
from edge.routing.snapshot import Snapshot
from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.grammar import canonical
from edge.sip.uri import parse_uri

_DEFAULT = SipSettings()
OURS: Final = frozenset(
    ("via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route", "allow",
     "supported", "require", "proxy-require", "user-agent", "authorization", "proxy-authorization",
     "content-length", "content-type", "content-encoding", "content-disposition", "mime-version",
     "session-expires", "min-se", "x-edge-call-id", "x-edge-call-key")
)  # fmt: skip
"""Headers that are ours to write: a second one would break the request, or say what is not so."""
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


@dataclass(frozen=True, slots=True)
class Line:
    """One way to reach a target: ``uri`` is the Request-URI, ``via`` where it is sent (a SIP URI)."""

    uri: str
    via: str
    sip: SipSettings
    credentials: Credentials | None
    trunk_id: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: E.164 or None when withheld; ``private`` when it may reach trusted peers only."""

    caller: str | None
    private: bool = False


def lines(target: Target, snapshot: Snapshot, values: Mapping[str, str]) -> list[Line]:
    """The ways to dial ``target``, best first; empty if it is a phone number without a usable trunk."""
    if not target.address.startswith("+"):
        address = fill_address(target.address, values)
        uri, via = _with_host(address, target.sip.ruri_host), over(address, target.sip.transport)
        return [Line(uri, via, target.sip, _login(target))]
    trunks = (snapshot.trunk(trunk_id) for trunk_id in target.trunk_ids)
    return [
        _through(trunk, target)
        for trunk in trunks
        if trunk is not None and trunk.proxy and trunk.state == "active"
    ]


def question(peer: Target | Trunk) -> Line:
    """How a target, or a trunk's proxy, is asked whether it is there: its host, no user."""
    address = fill_address(peer.address, {}) if isinstance(peer, Target) else peer.proxy or ""
    scheme, _, rest = address.partition(":")
    uri = f"{scheme}:{rest.rpartition('@')[2]}"
    return Line(_with_host(uri, peer.sip.ruri_host), over(uri, peer.sip.transport), peer.sip, _login(peer))


def wrong_address(address: str) -> str | None:
    """What is wrong with a target's SIP address, whatever its placeholders become; None if nothing."""
    try:
        uri = parse_uri(example(address))
    except SipParseError as error:
        return error.reason
    if uri.scheme == "tel" or uri.headers:
        return "write sip:user@host[:port], without headers"
    return None


def is_ours(header: str) -> bool:
    """Whether a target may not set this header."""
    return canonical(header).lower() in OURS


def from_header(identity: Identity, sip: SipSettings, our_host: str, caller_id: str | None) -> str:
    """The From name-addr toward a peer: the target's ``caller_id``, else the caller's own number."""
    shown = caller_id or identity.caller
    host = sip.from_host or our_host
    if sip.from_user:
        return f"<sip:{sip.from_user}@{host}>"
    if shown is None or (identity.private and not sip.trusted and caller_id is None):
        return ANONYMOUS
    return f"<sip:{format_number(shown, sip)}@{host}>"


def identity_headers(identity: Identity, sip: SipSettings, our_host: str) -> list[tuple[str, str]]:
    """P-Asserted-Identity and Privacy (RFC 3325): the identity goes to trusted peers only."""
    headers = []
    if sip.trusted and identity.caller is not None:
        headers.append(("P-Asserted-Identity", f"<sip:{identity.caller}@{our_host}>"))
    if identity.private or identity.caller is None:
        headers.append(("Privacy", "id"))
    return headers


def target_headers(
    target: Target, call_id: str, call_key: str, values: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The call's identity for the buyer's PBX, and the target's own headers (rule: call identity)."""
    headers = [("X-Edge-Call-ID", call_id), ("X-Edge-Call-Key", call_key)]
    headers += [(name, fill(value, values)) for name, value in target.headers.items()]
    return headers


def format_number(e164: str, sip: SipSettings) -> str:
    """An E.164 number as the peer wants it written, after its tech prefix."""
    if sip.number_format == "e164_plus":
        digits = e164
    elif sip.number_format == "national" and e164.startswith("+1"):
        digits = e164[2:]
    else:
        digits = e164[1:]
    return sip.tech_prefix + digits


def _through(trunk: Trunk, target: Target) -> Line:
    proxy = trunk.proxy or ""
    sip = _merged(trunk.sip, target.sip)
    host = sip.ruri_host or proxy.split(":", 1)[1].split("@")[-1].split(";", 1)[0]
    scheme = "sips" if proxy[:5].lower() == "sips:" else "sip"
    uri = f"{scheme}:{format_number(target.address, sip)}@{host}"
    return Line(uri, over(proxy, sip.transport), sip, _login(trunk), trunk.id)


def over(uri: str, transport: str | None) -> str:
    """Where a request is sent, over the transport that is set unless the URI names one itself."""
    if transport is None or ";transport=" in uri.lower() or uri[:5].lower() == "sips:":
        return uri
    return f"{uri};transport={transport}"


def _merged(trunk: SipSettings, target: SipSettings) -> SipSettings:
    """The trunk's settings, with what the target sets otherwise than the default."""
    own = {name: value for name, value in target if value != getattr(_DEFAULT, name)}
    return trunk.model_copy(update=own) if own else trunk


def registrar_login(register: RegisterSpec) -> Credentials:
    """What proves to a carrier that we are its customer."""
    return Credentials(register.username, register.password.get_secret_value())


def _login(peer: Target | Trunk) -> Credentials | None:
    if isinstance(peer, Trunk) and peer.register is not None:
        return registrar_login(peer.register)
    if peer.username is None or peer.password is None:
        return None
    return Credentials(peer.username, peer.password.get_secret_value())


def _with_host(uri: str, host: str | None) -> str:
    if host is None:
        return uri
    scheme, _, rest = uri.partition(":")
    user, at, address = rest.rpartition("@")
    _, separator, parameters = address.partition(";")
    return f"{scheme}:{user}{at}{host}{separator}{parameters}"
