"""An authority of the tests' own, and certificates that it signs, made by openssl."""

import subprocess
from pathlib import Path

from edge.sip.tls import TlsConfig

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Authority:
    """Signs certificates, each in a pair of PEM files in ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file, self._key = directory / "authority.pem", directory / "authority.key"
        # Python 3.13 verifies strictly: what an authority may do is written in its certificate.
        uses = ("-addext", "keyUsage = critical,keyCertSign,cRLSign")
        out = (*uses, "-keyout", str(self._key), "-out", str(self.file))
        _openssl("req", "-x509", *_KEY, "-subj", "/CN=tests", "-days", "30", *out)

    def certificate(self, name: str, *names: str, days: int = 90) -> TlsConfig:
        """Files ``name.pem`` and ``name.key`` for ``names`` (``DNS:a.example``, ``IP:127.0.0.1``, …);
        the configuration trusts this authority as well."""
        made = TlsConfig(self.directory / f"{name}.pem", self.directory / f"{name}.key", self.file)
        request = self.directory / f"{name}.csr"
        names_file = self.directory / f"{name}.ext"
        # And who signed one, in that.
        keys = "subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid\n"
        names_file.write_text(f"subjectAltName = {','.join(names)}\n{keys}", encoding="ascii")
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", str(made.private_key), "-out", str(request))
        signed = ("-CA", str(self.file), "-CAkey", str(self._key), "-CAcreateserial", "-days", str(days))
        files = ("-in", str(request), "-extfile", str(names_file), "-out", str(made.certificate))
        _openssl("x509", "-req", *signed, *files)
        return made
