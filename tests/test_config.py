"""The settings file that comes with the product says what the server does without one."""

import tomllib
from pathlib import Path

import pytest

from edge import settings

CONFIG = Path(__file__).parent.parent / "config" / "edge.toml"


def _dotted(table: dict[str, object]) -> set[str]:
    return {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in table.items()
        for key in (value if isinstance(value, dict) else [name])
    }


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    for name in ("EDGE_CONFIG", "EDGE_ADMIN_TOKEN", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return CONFIG.read_text(encoding="utf-8")


def test_every_key_is_there_and_no_other(shipped: str) -> None:
    assert _dotted(tomllib.loads(shipped)) == set(settings.keys())


@pytest.mark.usefixtures("shipped")
def test_every_value_is_the_default() -> None:
    assert settings.load(CONFIG) == settings.load()


def test_every_key_is_explained(shipped: str) -> None:
    lines = shipped.splitlines()
    for place, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            above = lines[place - 1]
            # A key may share the words of the key above it.
            assert above.startswith("#") or " = " in above, f"{line!r} is not explained"
