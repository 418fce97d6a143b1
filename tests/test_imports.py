"""The rooms of docs/architecture.md, kept: who imports whom, and where IO, time and chance may live."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RIMS = {
    "sip": {"exporter", "transport", "streams", "connection", "tls", "dns", "resolver", "chance", "endpoint"}
}
MEDIA_CORES = {
    "sdp",
    "negotiate",
    "plans",
    "streams",
    "codecs",
    "rtp",
    "rtcp",
    "dtmf",
    "latch",
    "silence",
    "payloads",
    "pacer",
    "control",
}
IMPURE = {"asyncio", "socket", "time", "random", "secrets", "select", "selectors", "threading", "subprocess"}
EVERYTHING = {"app", "parts", "cli", "derived", "commands", "demo"}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; a package by its ``__init__``."""
    found = {}
    for path in sorted((ROOT / "edge").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide the room"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in MODULES else str(node.module)


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports, anywhere in its text."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in _named(node))


def _for_types_only(tree: ast.AST) -> set[ast.AST]:
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    return {inner for block in blocks for inner in ast.walk(block)}


@cache
def run_time_imports(module: str) -> frozenset[str]:
    """What a module imports when it runs: without what only a type checker reads."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    unseen = _for_types_only(tree)
    return frozenset(name for node in ast.walk(tree) if node not in unseen for name in _named(node))


def room(module: str) -> str:
    """The room that a module of ours is in: the part after ``edge.``."""
    return module.split(".")[1] if "." in module else ""


@cache
def table() -> dict[str, set[str]]:
    """Room -> the rooms it may import, as the table in the document says."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    allowed: dict[str, set[str]] = {}
    for names, _, what in re.findall(r"^\| (`.+?`) \| (.+?) \| (.+?) \|$", text, re.M):
        for name in re.findall(r"[\w]+", names):
            allowed[name] = set(re.findall(r"\w+", what)) if "everything" not in what else set()
    return allowed


def test_every_room_is_in_the_table() -> None:
    rooms = {room(m) for m in MODULES} - {"", "__main__"}
    assert rooms <= set(table()), f"rooms without a row: {sorted(rooms - set(table()))}"


def test_rooms_import_only_what_the_table_allows() -> None:
    wrong = []
    for module in MODULES:
        own = room(module)
        if own in EVERYTHING | {"", "__main__"}:
            continue
        for name in imports(module):
            if name.startswith("edge.") and room(name) not in table()[own] | {own}:
                wrong.append(f"{module} imports {name}")
    assert not wrong, "\n".join(wrong)


def _is_core(module: str) -> bool:
    own, leaf = room(module), module.rsplit(".", 1)[-1]
    if own == "media":
        return leaf in MEDIA_CORES
    return own in {"routing", "model", "tracking"} or (own == "sip" and leaf not in RIMS["sip"])


def test_cores_have_no_io_no_clock_and_no_chance() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if _is_core(module)
        for name in imports(module)
        if name.split(".")[0] in IMPURE
    ]
    assert not wrong, "\n".join(wrong)


def _cycle(start: str) -> list[str] | None:
    path, seen = [start], set()

    def walk(module: str) -> bool:
        for name in sorted(run_time_imports(module) & MODULES.keys()):
            if name == start:
                return True
            if name not in seen:
                seen.add(name)
                path.append(name)
                if walk(name):
                    return True
                path.pop()
        return False

    return [*path, start] if walk(start) else None


@pytest.mark.parametrize("module", MODULES)
def test_no_import_cycle(module: str) -> None:
    cycle = _cycle(module)
    assert cycle is None, " -> ".join(cycle or [])


def test_third_parties_stay_in_their_rooms() -> None:
    """SQL only in the store, HTTP only where a listener or a client is, pyVoIP nowhere."""
    homes = {
        "sqlalchemy": {"store"},
        "aiosqlite": {"store"},
        "alembic": {"store"},
        "sqlite3": {"store", "commands"},
        "aiohttp": {"admin", "app", "commands", "demo", "stir"},
        "cryptography": {"stir", "commands"},
        "numpy": {"media", "demo"},
        "soundfile": {"media", "demo"},
        "soxr": {"media"},
        "dns": {"sip"},
        "pyVoIP": set(),
    }
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if room(module) not in homes.get(name.split(".")[0], {room(module)})
    ]
    assert not wrong, "\n".join(wrong)
