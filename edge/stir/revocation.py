"""Revocation lists (RFC 5280 section 5): which of a chain's certificates were taken back, without IO.

A list counts if the certificate's issuer signed it, or an authority of the trust list, where the certificate
names that one for it (4.2.1.13) or the list says that it is of many issuers' certificates (5.2.5): so one
administrator revokes all who sign calls (ATIS-1000080).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from edge.stir.errors import Unproven, Wrong

MAX_OCTETS: Final = 1 << 20
MAX_PLACES: Final = 4
"""Distribution points of a chain that are looked at."""


class Listing(NamedTuple):
    """A list that was read: when each certificate was revoked, by its issuer and serial number; ``until``
    when it is replaced by the next, ``whole`` unless it is only a part (a delta, some reasons), ``indirect``
    if it says that it is of other issuers' certificates too."""

    crl: x509.CertificateRevocationList
    revoked: Mapping[tuple[x509.Name, int], datetime]
    until: datetime
    whole: bool
    indirect: bool


def read(data: bytes) -> Listing:
    """A list in PEM or DER; raises Unproven."""
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in data else x509.load_der_x509_crl
        crl = load(data)
        until = crl.next_update_utc or datetime.max.replace(tzinfo=UTC)
        values = [extension.value for extension in crl.extensions]
        indirect = any(isinstance(v, x509.IssuingDistributionPoint) and v.indirect_crl for v in values)
        return Listing(crl, dict(_entries(crl)), until, not any(map(_is_part, values)), indirect)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Unproven(f"the revocation list can not be read: {error}"[:200]) from None


def check(
    way: Sequence[x509.Certificate],
    listings: Sequence[Listing],
    trusted: Sequence[x509.Certificate],
    now: datetime,
) -> str:
    """Raises Wrong if a certificate on the way up to the trust list was revoked; else answers why that is
    not certain of the first one, the signer's (empty: it is)."""
    counted = []
    for certificate, issuer in pairwise(way):
        those = [listing for listing in listings if _counts(listing, certificate, issuer, trusted)]
        for listing in those:
            at = listing.revoked.get((certificate.issuer, certificate.serial_number))
            if at is not None:
                whose = "the certificate" if certificate is way[0] else "an authority above the certificate"
                raise Wrong(f"{whose} was revoked on {at:%Y-%m-%d}")
        counted.append([listing for listing in those if listing.whole])
    if not counted or not counted[0]:
        return "no revocation list speaks for its certificate"
    latest = max(listing.until for listing in counted[0])
    return "" if latest >= now else f"its revocation list is out of date since {latest:%Y-%m-%d %H:%M}"


def places(way: Iterable[x509.Certificate]) -> list[str]:
    """The https addresses at which the certificates say that their lists are, without any twice."""
    found = dict.fromkeys(address for certificate in way for address in _places(certificate))
    return list(islice(found, MAX_PLACES))


def _points(certificate: x509.Certificate) -> Iterable[x509.DistributionPoint]:
    try:
        return certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return ()


def _places(certificate: x509.Certificate) -> Iterator[str]:
    for point in _points(certificate):
        for name in point.full_name or ():
            if isinstance(name, x509.UniformResourceIdentifier) and _is_https(name.value):
                yield name.value


def _is_https(address: str) -> bool:
    try:
        return urlsplit(address).scheme == "https"
    except ValueError:  # such as "https://[x/": no address at all
        return False


def _entries(crl: x509.CertificateRevocationList) -> Iterator[tuple[tuple[x509.Name, int], datetime]]:
    """Each entry is of the list's issuer, or of the one that it or an entry before it names (5.3.3)."""
    issuer = crl.issuer
    for entry in crl:
        reason = None
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CertificateIssuer):
                names = extension.value.get_values_for_type(x509.DirectoryName)
                issuer = names[0] if names else issuer
            elif isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason
        if reason is not x509.ReasonFlags.remove_from_crl:
            yield (issuer, entry.serial_number), entry.revocation_date_utc


def _is_part(value: x509.ExtensionType) -> bool:
    """Whether an extension says that not all that was revoked is listed."""
    if isinstance(value, x509.IssuingDistributionPoint):
        return bool(
            value.only_some_reasons or value.only_contains_attribute_certs or value.only_contains_ca_certs
        )
    return isinstance(value, x509.DeltaCRLIndicator)


def _counts(
    listing: Listing,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    trusted: Sequence[x509.Certificate],
) -> bool:
    """Whether a list is signed by who may revoke this certificate."""
    own = listing.crl.issuer == certificate.issuer
    others = listing.indirect or _names(certificate, listing.crl.issuer)
    signers = [issuer] if own else trusted if others else ()
    return any(listing.crl.issuer == signer.subject and _signed(listing.crl, signer) for signer in signers)


def _names(certificate: x509.Certificate, revoker: x509.Name) -> bool:
    """Whether a certificate says that this one revokes it."""
    named = [name.value for point in _points(certificate) for name in point.crl_issuer or ()]
    return revoker in named


def _signed(crl: x509.CertificateRevocationList, signer: x509.Certificate) -> bool:
    try:
        usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        usage = None
    if usage is not None and not usage.crl_sign:
        return False
    try:
        return crl.is_signature_valid(signer.public_key())  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
