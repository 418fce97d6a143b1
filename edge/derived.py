"""What follows from the settings: addresses, secrets, limits, files."""

import contextlib
import hashlib
import ipaddress
import os
import secrets
from pathlib import Path
from typing import Final

from edge.calls.ports import CallLimits
from edge.calls.sources import LEAST_MESSAGES
from edge.near import WILDCARDS, local_address_toward
from edge.settings import Settings
from edge.settings.sections import CallsSection, SipSection
from edge.sip.listening import EndpointConfig, Listen
from edge.sip.tls import TlsConfig

SECRET_OCTETS: Final = 32
USUAL_MESSAGES: Final = 25
"""For each call a second that the server takes, of a carrier that brings them all and takes them, too:
twice what they need."""
OUTSIDE: Final = {"IPv4": "192.0.2.1", "IPv6": "2001:db8::1"}
"""Somewhere on the Internet: nothing is sent there, but asked which address of ours would be used."""


def server_secret(data_dir: Path) -> bytes:
    """The server's own secret, made once (mode 0600): nonces and call keys come of it.  Blocks."""
    path = data_dir / "secret.key"
    with contextlib.suppress(FileExistsError):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_OCTETS))
    return path.read_bytes()


def call_key(secret: bytes, call_id: str) -> str:
    """What proves to us that somebody was given a call: derived, so it needs no storing."""
    return hashlib.blake2b(b"call:" + call_id.encode(), key=secret, digest_size=16).hexdigest()


def media_address(settings: Settings) -> str:
    """The address in our SDP: advertised, else the SIP listener's, else the one toward the outside."""
    hosts = [address.host for address in settings.sip.addresses]
    known = [*_advertised(settings), *(host for host in hosts if host not in WILDCARDS)]
    if known:
        return known[0]
    name, loopback = ("IPv4", "127.0.0.1") if "0.0.0.0" in hosts else ("IPv6", "::1")  # noqa: S104
    return local_address_toward(OUTSIDE[name]) or loopback


def second_media_address(settings: Settings) -> str:
    """The same for peers of the other family (IPv4, IPv6): a wildcard where they are told what the system
    uses toward each, and empty where we neither listen in that family nor advertise an address of it."""
    first = media_address(settings)
    known = [*_advertised(settings), *(address.host for address in settings.sip.addresses)]
    other = [host for host in known if (":" in host) != (":" in first)]
    return next((host for host in other if host not in WILDCARDS), other[0] if other else "")


def _advertised(settings: Settings) -> list[str]:
    """The addresses that the settings have us advertise; names are not looked up."""
    found = []
    for text in (settings.media.advertised_address, settings.sip.advertised_address):
        host = text.partition(":")[0] if text.count(":") == 1 else text
        host = host[1:].partition("]")[0] if host[:1] == "[" else host
        if host and _is_literal(host):
            found.append(host)
    return found


def tls_config(sip: SipSection) -> TlsConfig:
    """The files of ``[sip]`` that TLS uses."""
    written = (sip.tls_certificate, sip.tls_private_key, sip.tls_trust)
    return TlsConfig(*(Path(text) if text else None for text in written))


def endpoint_config(sip: SipSection) -> EndpointConfig:
    """Where and how our SIP endpoint listens."""
    listen = [Listen(at.transport, at.host, at.port) for at in sip.addresses]
    return EndpointConfig(
        listen, sip.advertised_address, sip.local_networks, sip.domains,
        tls=tls_config(sip), dns_servers=sip.dns_servers,
    )  # fmt: skip


def call_limits(calls: CallsSection) -> CallLimits:
    """The server's own limits on calls."""
    return CallLimits(
        calls.max_duration_s, calls.drain_max_s, calls.max_live, calls.max_cps,
        voicemail_max_s=calls.voicemail_max_s, recording_max_s=calls.recording_max_s,
    )  # fmt: skip


def most_messages(settings: Settings) -> float:
    """How many SIP messages a second one known source may send."""
    usual = max(LEAST_MESSAGES, USUAL_MESSAGES * settings.calls.max_cps)
    return float(settings.sip.max_messages_per_second or usual)


def _is_literal(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False
