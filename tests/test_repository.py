"""The repository as a whole: nothing in it leans on one machine, and the code keeps its measure."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOREIGN = [  # written in pieces, so that this file does not name them itself
    "/" + "work/",
    "/" + "root/",
    "../" + "shared",
    "files." + "pythonhosted",
    "pypi." + "org",
    "registry." + "npmjs",
    "deb." + "debian.org",
]
MODULE_LINES, FUNCTION_LINES, MEDIAN_LINES = 350, 50, 10


def tracked() -> list[Path]:
    """Every file under version control; in an unpacked archive, every file."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return [p for p in ROOT.rglob("*") if p.is_file() and not {".venv", ".git"} & set(p.parts)]
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.mark.parametrize("word", FOREIGN)
def test_no_file_names_a_machine_or_a_registry(word: str) -> None:
    guilty = [str(p.relative_to(ROOT)) for p in tracked() if word.encode() in p.read_bytes()]
    assert not guilty, f"{word!r} in {guilty}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines (without the docstring) of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = ast.get_docstring(node, clean=False) is not None
            spoken = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield node.name, (node.end_lineno or 0) - node.lineno + 1 - spoken


SOURCES = sorted((ROOT / "edge").rglob("*.py"))


def test_modules_have_one_job() -> None:
    sizes = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert not {name: n for name, n in sizes.items() if n > MODULE_LINES}


def test_functions_are_short() -> None:
    found = [(p.relative_to(ROOT), name, lines) for p in SOURCES for name, lines in functions(p)]
    assert not [f"{p}: {name} has {lines} lines" for p, name, lines in found if lines > FUNCTION_LINES]
    assert statistics.median(lines for _, _, lines in found) < MEDIAN_LINES


def test_nothing_is_put_off() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error", "X" + "XX")
    late = [
        (str(p.relative_to(ROOT)), m) for p in SOURCES for m in marks if m in p.read_text(encoding="utf-8")
    ]
    assert not late


def test_no_pattern_has_a_possessive_group() -> None:
    """Python 3.11.0 to 3.11.3 (Debian 12 has 3.11.2) match ``(...)?+`` and its kin wrongly."""
    group = re.compile(r"\)[?*+]\+")
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "edge").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and group.search(node.value)
    ]
    assert not guilty, guilty


def test_names_say_what_a_thing_is() -> None:
    vague = re.compile(r"(session|manager|helper|util|channel)", re.I)
    named = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and vague.search(node.name)
    ]
    assert not named + [str(path) for path in SOURCES if vague.search(path.name)]


def test_markdown_links_inside_the_repository_lead_somewhere() -> None:
    dead = []
    for path in (p for p in tracked() if p.suffix == ".md"):
        for piece in path.read_text(encoding="utf-8").split("](")[1:]:
            target = piece.split(")")[0].split("#")[0]
            if target and "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)} -> {target}")
    assert not dead
