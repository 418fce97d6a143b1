"""What an operator sees of the settings: the right value, or a message that helps."""

from pathlib import Path

import pytest

from edge import settings
from edge.settings import SettingsError, SipAddress


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EDGE_CONFIG", "EDGE_ADMIN_TOKEN", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    return path


def problem(path: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        settings.load(path)
    return str(caught.value)


def test_defaults_need_no_file() -> None:
    found = settings.load()
    assert found.sip.addresses == (SipAddress("udp", "0.0.0.0", 5060), SipAddress("tcp", "0.0.0.0", 5060))
    assert found.admin.address == ("127.0.0.1", 8080)
    assert found.media.port_range == range(16384, 32768)
    assert found.public.address is None
    assert found.database_path == Path("data/edge.db")
    assert found.routing.failsafe is None


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '[sip]\nrealm = "file"\ndomains = ["a.example"]\n')
    monkeypatch.setenv("EDGE_SIP__REALM", "variable")
    found = settings.load(path)
    assert (found.sip.realm, found.sip.domains) == ("variable", ("a.example",))


def test_lists_in_variables_are_json_or_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SIP__LISTEN", "udp://127.0.0.1:0, tcp://[::1]:5060")
    monkeypatch.setenv("EDGE_SIP__DOMAINS", '["sip.example.com"]')
    monkeypatch.setenv("EDGE_ROUTING__FAILSAFE", '{"action": "message"}')
    found = settings.load()
    assert found.sip.addresses == (SipAddress("udp", "127.0.0.1", 0), SipAddress("tcp", "::1", 5060))
    assert found.sip.domains == ("sip.example.com",)
    assert found.routing.failsafe is not None
    assert found.routing.failsafe.action == "message"


def test_search_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/edge.toml").write_text('[sip]\nrealm = "usual"')
    assert settings.load().sip.realm == "usual"
    other = write(tmp_path, '[sip]\nrealm = "variable"')
    monkeypatch.setenv("EDGE_CONFIG", str(other))
    assert settings.load().sip.realm == "variable"
    given = tmp_path / "given.toml"
    given.write_text('[sip]\nrealm = "given"')
    assert settings.load(given).sip.realm == "given"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[sip]\nlitsen = ["udp://0.0.0.0:5060"]', ("sip.litsen", "did you mean sip.listen?")),
        ("[spi]\n", ("spi", "did you mean sip")),
        ('[sip]\nlisten = ["5060"]', ("sip.listen[0]", "'5060'", "udp://0.0.0.0:5060")),
        ('[sip]\nlisten = ["ws://0.0.0.0:5061"]', ("sip.listen[0]", "udp, tcp or tls")),
        (
            '[sip]\nlisten = ["udp://0.0.0.0:5060", "udp://sip.example.com:5060"]',
            ("sip.listen[1]", "'udp://sip.example.com:5060'", "IP address of this machine", "sip.domains"),
        ),
        ('[sip]\nlisten = ["tls://0.0.0.0:5061"]', ("sip", "needs tls_certificate")),
        ('[sip]\ntls_certificate = "a.pem"', ("sip", "set both, or neither")),
        ('[sip]\nunknown_sources = "allow"', ("sip.unknown_sources", "'allow'", "'drop' or '403'")),
        ('[media]\nports = "20000"', ("media.ports", "'20000'", "16384-32767")),
        ('[media]\nengine = "rtpengine"', ("media.engine", "'rtpengine'", "'local'")),
        ("[media]\nworkers = -1", ("media.workers", "-1", "greater than or equal to 0")),
        ('[admin]\nlisten = ""', ("admin.listen", "127.0.0.1:8080")),
        ('[public]\nurl = "calls.example.com"', ("public.url", "https://")),
        ('[routing]\nfailsafe = {action = "forward"}', ("routing.failsafe", "target_id")),
        ('[database]\nurl = "postgresql://u:hunter2@h/db"', ("database.url", "leave it empty")),
        ('admin_token = "hunter2"', ("admin_token", "EDGE_ADMIN_TOKEN_FILE")),
        ("[sip\n", ("--config", "not valid TOML", "line 1")),
    ],
)
def test_a_mistake_names_key_value_and_remedy(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    message = problem(write(tmp_path, text))
    assert all(part in message for part in expected), message
    assert "hunter2" not in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = problem(write(tmp_path, '[sip]\nrealms = "x"\n[media]\nworkers = 1000'))
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize("name", ["EDGE_SIP__LITSEN", "EDGE_SPI__LISTEN", "EDGE_LISTEN"])
def test_a_misspelt_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "udp://0.0.0.0:5060")
    message = problem()
    assert name in message
    assert "EDGE_" in message.split("did you mean")[1]


def test_a_bad_value_in_a_variable_names_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_MEDIA__WORKERS", "many")
    assert "media.workers" in problem()
    monkeypatch.setenv("EDGE_MEDIA__WORKERS", "1")
    monkeypatch.setenv("EDGE_ROUTING__FAILSAFE", '{"action": ')
    assert "failsafe" in problem()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "nowhere.toml: can not be read: No such file" in problem(tmp_path / "nowhere.toml")


def test_the_admin_token_from_variable_file_and_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def token() -> str:
        found = settings.load().admin_token
        assert found is not None
        assert "s3cret" not in repr(found)
        return found.get_secret_value()

    monkeypatch.setenv("EDGE_ADMIN_TOKEN", "s3cret-1")
    assert token() == "s3cret-1"
    monkeypatch.delenv("EDGE_ADMIN_TOKEN")
    (tmp_path / "token").write_text("s3cret-2\n")
    monkeypatch.setenv("EDGE_ADMIN_TOKEN_FILE", str(tmp_path / "token"))
    assert token() == "s3cret-2"
    monkeypatch.delenv("EDGE_ADMIN_TOKEN_FILE")
    (tmp_path / "EDGE_ADMIN_TOKEN").write_text("s3cret-3")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert token() == "s3cret-3"


def test_a_secret_file_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_ADMIN_TOKEN_FILE", str(tmp_path / "none"))
    assert "EDGE_ADMIN_TOKEN_FILE" in problem()


def test_an_empty_token_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_ADMIN_TOKEN", "")
    assert settings.load().admin_token is None


def test_digest_algorithms_are_known_ones_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SIP__DIGEST_ALGORITHMS", "MD5")
    assert settings.load().sip.digest_algorithms == ("MD5",)
    for wrong in ("MD4", "MD5,MD5", "[]"):
        monkeypatch.setenv("EDGE_SIP__DIGEST_ALGORITHMS", wrong)
        assert "sip.digest_algorithms" in problem()


@pytest.mark.parametrize(
    "text",
    [
        '[sip]\nlisten = ["5060"]', '[sip]\ndigest_algorithms = ["SHA-1"]', '[sip]\nlisten = []',
        '[sip]\nlisten = ["tcp://localhost:5060"]',
    ],
)  # fmt: skip
def test_a_fault_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    assert len(problem(write(tmp_path, text)).splitlines()) == 1


def test_each_fault_has_a_line_of_its_own(tmp_path: Path) -> None:
    told = problem(write(tmp_path, '[sip]\nlisten = ["x", "y"]\nnever_ban = ["z"]')).splitlines()
    assert [line.partition(" ")[0] for line in told] == ["sip.listen[0]", "sip.listen[1]", "sip.never_ban[0]"]
