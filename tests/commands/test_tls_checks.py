"""What ``edge check`` says of revocation lists."""

from pathlib import Path

from edge.commands.tls_checks import certificates
from edge.settings import Settings
from tests.support.signer import Party

ROOT = Party("root", authority=True)


def test_revocation_lists_are_read_and_those_out_of_date_are_named(tmp_path: Path) -> None:
    def says() -> tuple[str, str]:
        (finding,) = certificates(Settings.model_validate({"stir": {"crls": str(tmp_path)}}))
        return finding.level, finding.text

    assert says() == ("warn", f"stir.crls {tmp_path}: no list")
    (tmp_path / "a.crl").write_bytes(ROOT.revoking())
    assert says() == ("ok", f"stir.crls {tmp_path} has 1 revocation lists")
    (tmp_path / "b.crl").write_bytes(ROOT.revoking(days=-1))
    assert says() == ("warn", f"stir.crls {tmp_path}: b.crl out of date")
    (tmp_path / "c.crl").write_bytes(ROOT.pem)
    level, text = says()
    assert level == "fail" and "can not be read" in text
