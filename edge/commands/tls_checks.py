"""Checks of the files that ``[sip]`` and ``[stir]`` name: certificates, their keys, trust files, presets."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.commands.finding import Finding
from edge.derived import tls_config
from edge.services.presets import PresetsUnusable, read_presets
from edge.settings import Settings
from edge.sip.tls import TlsConfig, TlsUnusable, make_context, own_certificate
from edge.stir import revocation
from edge.stir.errors import Unproven

_SOON_DAYS = 30
_DAY_S = 86_400


def certificates(settings: Settings) -> Iterator[Finding]:
    """What is wrong with the files that ``[sip]`` names; nothing is said while it names none."""
    config = tls_config(settings.sip)
    if config.certificate is not None:
        yield _own(config)
    if config.trust is not None:
        yield _trust(config)
    if settings.sip.presets:
        yield _presets(settings.sip.presets)
    if settings.stir.trust:
        yield _signers(Path(settings.stir.trust))
    if settings.stir.crls:
        yield _revoked(Path(settings.stir.crls))


def _own(config: TlsConfig) -> Finding:
    try:
        found = own_certificate(config)
    except TlsUnusable as error:
        remedy = "write a certificate chain (PEM, ours first) and its private key, readable by the server"
        return Finding("fail", f"sip.tls_certificate can not be used: {error}", remedy)
    ends = str(found.get("notAfter", ""))
    names = ", ".join(value for _, value in found.get("subjectAltName", ())) or "no name"
    text = f"sip.tls_certificate is that of {names} and valid until {ends}"
    if ends and ssl.cert_time_to_seconds(ends) - time.time() < _SOON_DAYS * _DAY_S:
        return Finding("warn", text, "renew it; the server takes the new files up by itself")
    return Finding("ok", text)


def _trust(config: TlsConfig) -> Finding:
    try:
        make_context("client", TlsConfig(trust=config.trust))
    except TlsUnusable as error:
        return Finding("fail", f"sip.tls_trust can not be used: {error}", "write the authorities' PEM file")
    return Finding("ok", f"sip.tls_trust {config.trust} is trusted beside the system's authorities")


def _signers(file: Path) -> Finding:
    # Only a trust list needs it.
    from cryptography import x509  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        return Finding("fail", f"stir.trust can not be used: {error}", "write the authorities' PEM file")
    return Finding("ok", f"stir.trust {file} has {len(found)} authorities for signed calls")


def _revoked(directory: Path) -> Finding:
    remedy = "write a directory of revocation lists (*.crl, *.pem) that are renewed before they are due"
    try:
        files = [path for path in sorted(directory.iterdir()) if path.suffix in (".crl", ".pem")]
        lists = {path: revocation.read(path.read_bytes()) for path in files}
    except (OSError, Unproven) as error:
        return Finding("fail", f"stir.crls can not be used: {error}", remedy)
    old = [path.name for path, found in lists.items() if found.until < datetime.now(UTC)]
    if old or not lists:
        what = f"{', '.join(old)} out of date" if old else "no list"
        return Finding("warn", f"stir.crls {directory}: {what}", remedy)
    return Finding("ok", f"stir.crls {directory} has {len(lists)} revocation lists")


def _presets(file: str) -> Finding:
    try:
        found = read_presets(file)
    except PresetsUnusable as error:
        return Finding("fail", f"sip.presets can not be used: {error}", "correct the file")
    return Finding("ok", f"sip.presets {file}: {len(found.all())} carriers' presets are known")
