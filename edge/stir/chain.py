"""Certificates of those who sign calls (RFC 8226): is a chain good for a number, at an instant?

An operator's trust list holds the authorities; a chain is the signer's certificate and those above it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ObjectIdentifier

from edge.stir.errors import Unproven, Wrong
from edge.stir.numbers import Allowed, allowed_numbers

MAX_CERTIFICATES: Final = 6
_UNUSABLE: Final = (UnsupportedAlgorithm, TypeError, ValueError)  # keys that cannot be read, or used
TN_AUTH_LIST: Final = ObjectIdentifier("1.3.6.1.5.5.7.1.26")


class Signer(NamedTuple):
    """A signer whose chain leads to the trust list.  ``since`` and ``until`` bound the whole chain,
    ``allowed`` is what it may sign for; ``way`` is the chain, its own certificate first, and ``doubt`` why
    it is not certain that none of it was revoked."""

    key: ec.EllipticCurvePublicKey
    since: datetime
    until: datetime
    allowed: Allowed
    way: tuple[x509.Certificate, ...]
    doubt: str = ""

    def check(self, signed: bytes, signature: bytes, caller: str, now: datetime) -> None:
        """Raises Wrong unless it signed this, may do so for that number, and may do so now."""
        if not self.since <= now <= self.until:
            raise Wrong("the certificate is not valid now")
        if not self.allowed.covers(caller):
            raise Wrong("the certificate is not for this number")
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        try:
            self.key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
        except InvalidSignature:
            raise Wrong("the signature is not the certificate's") from None


def read(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM text (or of one in DER); raises Unproven."""
    try:
        if b"-----BEGIN" not in pem:
            return [x509.load_der_x509_certificate(pem)]
        return x509.load_pem_x509_certificates(pem)[:MAX_CERTIFICATES]
    except ValueError as error:
        raise Unproven(f"the certificate can not be read: {error}") from None


def signer(given: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> Signer:
    """The signer whose certificate comes first in ``given``; raises Wrong if none of ``trusted`` stands
    for it."""
    if not given:
        raise Unproven("there is no certificate")
    leaf = given[0]
    try:
        key = leaf.public_key()
    except _UNUSABLE:
        raise Wrong("the certificate's key is of no kind that is known") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Wrong("the certificate's key is not of P-256")
    way = _way(leaf, given[1:], trusted)
    since, until = max(c.not_valid_before_utc for c in way), min(c.not_valid_after_utc for c in way)
    return Signer(key, since, until, _allowed(leaf), tuple(way))


def _way(
    leaf: x509.Certificate, between: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]
) -> list[x509.Certificate]:
    """From the leaf up to an authority of the trust list."""
    way = [leaf]
    while len(way) <= MAX_CERTIFICATES:
        last = way[-1]
        for authority in trusted:
            if authority == last and len(way) > 1:
                return way
            if _issued(last, authority, len(way) - 1):
                return [*way, authority]
        above = next((c for c in between if c not in way and _issued(last, c, len(way) - 1)), None)
        if above is None:
            break
        way.append(above)
    raise Wrong("the certificate does not lead to an authority of the trust list")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, below: int) -> bool:
    """Whether ``issuer`` signed it and may: with ``below`` authorities between it and the signer."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        bounds = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (*_UNUSABLE, x509.ExtensionNotFound, x509.DuplicateExtension, InvalidSignature):
        return False
    return bounds.ca and (bounds.path_length is None or bounds.path_length >= below)


def _allowed(leaf: x509.Certificate) -> Allowed:
    """What the TNAuthList (RFC 8226 section 9) says; a certificate without one signs no calls."""
    try:
        found = leaf.extensions.get_extension_for_oid(TN_AUTH_LIST).value
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise Wrong("the certificate is not one for signing calls") from None
    if not usage.digital_signature or not isinstance(found, x509.UnrecognizedExtension):
        raise Wrong("the certificate is not one for signing calls")
    return allowed_numbers(found.value)
