"""Carriers that sign calls (STIR/SHAKEN): authorities, certificates and PASSporTs of the tests' own."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

TN_AUTH_LIST = ObjectIdentifier("1.3.6.1.5.5.7.1.26")
PROVIDER = bytes.fromhex("3008a006160437303941")
"""TNAuthList of service provider 709A."""


def for_number(digits: str) -> bytes:
    """TNAuthList of one number."""
    text = digits.encode()
    entry = b"\x16" + bytes([len(text)]) + text
    tagged = b"\xa2" + bytes([len(entry)]) + entry
    return b"\x30" + bytes([len(tagged)]) + tagged


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Party:
    """Somebody with a key and a certificate, signed by ``issuer`` (None: by itself)."""

    def __init__(
        self,
        name: str,
        issuer: "Party | None" = None,
        *,
        authority: bool = False,
        numbers: bytes | None = PROVIDER,
        curve: ec.EllipticCurve | None = None,
        days: tuple[int, int] = (-1, 30),
        list_at: str = "",
        revoker: "Party | None" = None,
    ) -> None:
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        self.issuer = issuer
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(True, False, False, False, False, authority, authority, False, False),
                critical=True,
            )
        )
        if numbers is not None and not authority:
            builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, numbers), critical=False)
        if list_at:
            named = [x509.DirectoryName(revoker.certificate.subject)] if revoker is not None else None
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(list_at)], None, None, named)
            builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        self.certificate = builder.sign((issuer or self).key, SHA256())

    def revoking(
        self, *parties: "Party", days: int = 7, delta: bool = False, indirect: bool = False, said: bool = True
    ) -> bytes:
        """This authority's revocation list (DER) of these certificates, valid for so many days from now.

        ``indirect``: they have other issuers; ``said``: and the list says so.
        """
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(days=10))
            .next_update(now + timedelta(days=days))
        )
        if delta:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        if indirect and said:
            builder = builder.add_extension(
                x509.IssuingDistributionPoint(None, None, False, False, None, True, False), critical=True
            )
        for party in parties:
            entry = x509.RevokedCertificateBuilder().serial_number(party.certificate.serial_number)
            entry = entry.revocation_date(now - timedelta(days=1))
            if indirect:
                issuer = x509.CertificateIssuer([x509.DirectoryName(party.certificate.issuer)])
                entry = entry.add_extension(issuer, critical=True)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """Its certificate, and those above it but the last."""
        own = self.certificate.public_bytes(Encoding.PEM)
        above = self.issuer if self.issuer is not None and self.issuer.issuer is not None else None
        return own + (above.pem if above is not None else b"")

    def sign(self, signed: bytes) -> bytes:
        """ES256 of these octets."""
        r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def identity(
        self, address: str, caller: str, called: str, level: str = "A", *, age_s: float = 0, **changes: Any
    ) -> str:
        """The value of an Identity header; ``changes`` replace what its PASSporT says (None: left out)."""
        header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": address}
        payload = {
            "attest": level,
            "dest": {"tn": [called.lstrip("+")]},
            "iat": int(datetime.now(UTC).timestamp() - age_s),
            "orig": {"tn": caller.lstrip("+")},
            "origid": "123e4567-e89b-12d3-a456-426655440000",
        }
        for part in (header, payload):
            part.update({name: value for name, value in changes.items() if name in part})
        parts = (header, payload)
        signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
        token = f"{signed}.{_b64(self.sign(signed.encode()))}"
        return f"{token};info=<{address}>;alg=ES256;ppt={header['ppt']}"
