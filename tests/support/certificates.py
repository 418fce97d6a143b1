"""An authority of the tests' own, and certificates that it signs."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge.sip.tls import TlsConfig


class Authority:
    """Signs certificates, each in a pair of PEM files in ``directory``; ``above`` is who signs its own."""

    def __init__(self, directory: Path, name: str = "tests", above: "Authority | None" = None) -> None:
        self.directory, self.name = directory, name
        self.file, self._key = directory / "authority.pem", _key(directory / "authority.key")
        # Python 3.13 verifies strictly: what an authority may do is written in its certificate.
        uses = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        signer = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = (
            _builder(name, self._key, days=30)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(uses, critical=True)
            .add_extension(signer, critical=False)
        )
        if above is not None:
            builder = builder.add_extension(above._identifier(), critical=False)
        (above or self)._write(builder, self.file)

    def certificate(self, name: str, *names: str, days: int = 90) -> TlsConfig:
        """Files ``name.pem`` and ``name.key`` for ``names`` (``DNS:a.example``, ``IP:127.0.0.1``, …), valid
        for so many days from now; the configuration trusts this authority as well."""
        made = TlsConfig(self.directory / f"{name}.pem", self.directory / f"{name}.key", self.file)
        key = _key(self.directory / f"{name}.key")
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = (
            _builder(name, key, days)
            .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False)
            .add_extension(own, critical=False)
            .add_extension(self._identifier(), critical=False)
        )
        self._write(builder, self.directory / f"{name}.pem")
        return made

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())

    def _write(self, builder: x509.CertificateBuilder, file: Path) -> None:
        certificate = builder.issuer_name(_name(self.name)).sign(self._key, SHA256())
        file.write_bytes(certificate.public_bytes(Encoding.PEM))


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    made = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _builder(name: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    ends = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(ends, datetime.now(UTC)) - timedelta(days=1))
        .not_valid_after(ends)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    return x509.DNSName(value) if kind == "DNS" else x509.IPAddress(ip_address(value))
