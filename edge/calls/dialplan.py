"""How a target is dialled: its URIs in order, the caller identity shown, the headers added.  Pure."""

from typing import Final, NamedTuple

from edge.calls.placeholders import example, fill, fill_address
from edge.model.config import Target, Trunk
from edge.model.placeholders import Lookup
from edge.model.sip import RegisterSpec, SipSettings
from edge.routing.e164 import written
from edge.routing.snapshot import Snapshot
from edge.sip.errors import SipParseError
from edge.sip.events import Credentials
from edge.sip.grammar import canonical
from edge.sip.uri import escape_user, parse_uri

_DEFAULT = SipSettings()
OURS: Final = frozenset(
    ("via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route", "allow",
     "supported", "require", "proxy-require", "user-agent", "authorization", "proxy-authorization",
     "content-length", "content-type", "content-encoding", "content-disposition", "mime-version",
     "session-expires", "min-se", "rack", "rseq", "refer-to", "replaces", "x-edge-call-id", "x-edge-call-key")
)  # fmt: skip
"""Headers that are ours to write: a second one would break the request, or say what is not so."""


class Line(NamedTuple):
    """One way to reach a target: ``uri`` is the Request-URI, ``via`` where it is sent (a SIP URI),
    ``country`` the one whose national numbers are written so.  A redirection or a transfer leads elsewhere
    than to the target's ``own`` PBX."""

    uri: str
    via: str
    sip: SipSettings
    credentials: Credentials | None
    trunk_id: str | None = None
    country: str = "US"
    own: bool = True


def lines(target: Target, snapshot: Snapshot, values: Lookup, country: str = "US") -> list[Line]:
    """The ways to dial ``target``, best first; empty if it is a phone number without a usable trunk.

    ``country`` is that of the caller's trunk: a target without a trunk is taken to be at home there.
    """
    if not target.address.startswith("+"):
        sip, address = target.sip, target.address
        if "[" in address:
            address = fill_address(address, values)
        uri = address if sip.ruri_host is None else _with_host(address, sip.ruri_host)
        via = address if sip.transport is None else over(address, sip.transport)
        login = None if target.username is None else _login(target)
        return [Line(uri, via, sip, login, None, country)]
    trunks = (snapshot.trunk(trunk_id) for trunk_id in target.trunk_ids)
    return [
        _through(trunk, target)
        for trunk in trunks
        if trunk is not None and trunk.proxy and trunk.state == "active"
    ]


def elsewhere(line: Line, uri: str) -> Line:
    """Where a redirection or a transfer leads, in the same way."""
    return line._replace(uri=uri, via=over(uri, line.sip.transport), own=False)


def question(peer: Target | Trunk) -> Line:
    """How a target, or a trunk's proxy, is asked whether it is there: its host, no user."""
    address = fill_address(peer.address, {}) if isinstance(peer, Target) else peer.proxy or ""
    scheme, _, rest = address.partition(":")
    uri = f"{scheme}:{rest.rpartition('@')[2]}"
    return Line(_with_host(uri, peer.sip.ruri_host), over(uri, peer.sip.transport), peer.sip, _login(peer))


def is_of_one_host(address: str) -> bool:
    """Whether a target's SIP address leads to the same host, whatever its placeholders become."""
    host = address.rpartition("@")[2]
    return fill_address(host, {}) == example(host)


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


def target_headers(target: Target, call_id: str, call_key: str, values: Lookup) -> list[tuple[str, str]]:
    """The call's identity for the buyer's PBX, and the target's own headers (rule: call identity)."""
    headers = [("X-Edge-Call-ID", call_id), ("X-Edge-Call-Key", call_key)]
    if target.headers:
        headers += [(name, fill(value, values)) for name, value in target.headers.items()]
    return headers


def _through(trunk: Trunk, target: Target) -> Line:
    proxy = trunk.proxy or ""
    sip = _merged(trunk.sip, target.sip)
    host = sip.ruri_host or proxy.split(":", 1)[1].split("@")[-1].split(";", 1)[0]
    scheme = "sips" if proxy[:5].lower() == "sips:" else "sip"
    user = sip.tech_prefix + written(target.address, sip.number_format, trunk.country)
    uri = f"{scheme}:{escape_user(user)}@{host}"
    return Line(uri, over(proxy, sip.transport), sip, _login(trunk), trunk.id, trunk.country)


def over(uri: str, transport: str | None) -> str:
    """Where a request is sent, over the transport that is set unless the URI names one itself."""
    if transport is None or ";transport=" in uri.lower() or uri[:5].lower() == "sips:":
        return uri
    return f"{uri};transport={transport}"


def may_stream(via: str) -> bool:
    """Whether what is too big for a datagram may go by TCP: where no transport was asked for."""
    return ";transport=" not in via.lower()


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
