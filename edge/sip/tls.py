"""TLS: our certificate, whom we trust, and whether a peer is who its name says.

TLS 1.2 and 1.3 only, without renegotiation (RFC 8996).  Names are judged by RFC 5922 section 7,
but for one thing: wildcards in the first label of a DNS name count, as carriers' certificates
have them.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import structlog

SHUTDOWN_S: Final = 1.0

Role = Literal["server", "client"]
_Stamp = tuple[tuple[int, int, int], ...]

log = structlog.get_logger(__name__)


class TlsUnusable(OSError):
    """A certificate, key or trust file is missing, unreadable, or they do not fit one another."""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """PEM files: our chain and its key, and authorities trusted beside the system's (None: none)."""

    certificate: Path | None = None
    private_key: Path | None = None
    trust: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are set."""
        return tuple(file for file in (self.certificate, self.private_key, self.trust) if file is not None)


class Certificates:
    """The contexts of both roles, made anew when a file has changed.

    Files that can not be used any more change nothing: the last good context stays, and the log
    says so once.
    """

    def __init__(self, config: TlsConfig) -> None:
        self._config = config
        self._kept: dict[Role, tuple[_Stamp, ssl.SSLContext]] = {}
        self._one = asyncio.Lock()

    async def context(self, role: Role) -> ssl.SSLContext:
        """The context for a new connection; ``TlsUnusable`` when there never was a good one."""
        stamp = _stamp(self._config)
        kept = self._kept.get(role)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        async with self._one:
            return await self._renewed(role, stamp)

    async def _renewed(self, role: Role, stamp: _Stamp) -> ssl.SSLContext:
        kept = self._kept.get(role)
        if kept is not None and kept[0] == stamp:
            return kept[1]  # another one waited for the same
        try:
            # The system's authorities alone take 20 ms to read.
            context = await asyncio.to_thread(make_context, role, self._config)
        except TlsUnusable as error:
            if kept is None:
                raise
            log.warning("tls_files_unusable", error=str(error))
            context = kept[1]
        self._kept[role] = (stamp, context)
        return context


def make_context(role: Role, config: TlsConfig) -> ssl.SSLContext:
    """A context as RFC 8996 wants it; blocks; raises ``TlsUnusable``.

    Names are judged after the handshake by ``certified``: the library knows no SIP URIs.
    """
    server = role == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if server or config.certificate is not None:
        _load_own(context, config)
    if not server:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_default_certs()
        _load_trust(context, config)
    return context


def _load_own(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.certificate is None:
        raise TlsUnusable("no certificate is set")
    try:
        # A key with a passphrase would ask on the terminal; an empty one makes it an error.
        context.load_cert_chain(config.certificate, config.private_key, password=lambda: "")
    except ssl.SSLError as error:
        what = "the private key is not that of the certificate" if "MISMATCH" in str(error) else _words(error)
        raise TlsUnusable(f"{config.certificate}, {config.private_key}: {what}") from None
    except OSError as error:
        raise TlsUnusable(f"{config.certificate}, {config.private_key}: {error.strerror or error}") from None


def _load_trust(context: ssl.SSLContext, config: TlsConfig) -> None:
    if config.trust is None:
        return
    try:
        context.load_verify_locations(config.trust)
    except OSError as error:
        raise TlsUnusable(f"{config.trust}: {_words(error)}") from None


def _words(error: OSError) -> str:
    return "it holds no such PEM text" if isinstance(error, ssl.SSLError) else error.strerror or str(error)


def _stamp(config: TlsConfig) -> _Stamp:
    """What changes when a file does; a missing one counts as changed."""
    return tuple(_state(file) for file in config.files)


def _state(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_ino, found.st_size  # the kernel's clock has ticks of some milliseconds


# -- names ------------------------------------------------------------------------------------------


def certified(certificate: Mapping[str, Any], name: str) -> bool:
    """Whether a verified certificate (as ``SSLSocket.getpeercert`` gives it) is that of ``name``.

    SIP URIs among its names win over DNS names (RFC 5922 section 7.1); the subject's common name
    never counts.
    """
    wanted = name.lower().rstrip(".")
    names = [(str(kind), str(value).lower()) for kind, value in certificate.get("subjectAltName", ())]
    if any(kind == "IP Address" and _same_address(value, wanted) for kind, value in names):
        return True
    uris = [value[4:] for kind, value in names if kind == "URI" and value.startswith("sip:")]
    domains = [value for value in uris if "@" not in value]
    if domains:
        return wanted in domains
    return any(kind == "DNS" and _covers(value.rstrip("."), wanted) for kind, value in names)


def _covers(pattern: str, name: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == name
    label, dot, rest = name.partition(".")
    return bool(label and dot) and rest == pattern[2:] and "." in rest


def _same_address(value: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(value) == ipaddress.ip_address(wanted)
    except ValueError:
        return False


def own_certificate(config: TlsConfig) -> Mapping[str, Any]:
    """What our certificate says, as ``SSLSocket.getpeercert`` gives it, learnt by talking to ourselves.

    Blocks; raises ``TlsUnusable`` when it can not be used, an expired one included.
    """
    server = make_context("server", config)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the leaf is its own authority here
    assert config.certificate is not None
    client.load_verify_locations(config.certificate)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True))
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                raise TlsUnusable(f"{config.certificate}: {error.verify_message}") from None
    return ends[0].getpeercert() or {}
