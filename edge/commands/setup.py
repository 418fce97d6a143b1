"""``edge export``, ``edge diff`` and ``edge apply``: the whole set-up as a file."""

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from edge.commands.client import Api, Refused
from edge.commands.failure import CommandFailed
from edge.commands.printed import one_line, working
from edge.commands.setup_file import SetupFile, load, scalar, written
from edge.model.secrets import HIDDEN, put_secrets, secret_places
from edge.services.setup.document import SECTIONS, SETUP_SPECS

Json = dict[str, Any]
_SIGNS = {"create": "+", "change": "~", "delete": "-"}
_DONE = {"create": "created", "change": "changed", "delete": "removed"}


async def export(api: Api) -> Iterator[str]:
    """The lines of the file."""
    with working("the server writes its set-up"):
        return written(await api.get("/setup", slow=True))


async def apply(api: Api, path: Path, *, prune: bool, dry_run: bool) -> Iterator[str]:
    """Changes the set-up, or only tells what would change; answers what to print."""
    with working(f"reading {path}"):
        file = _read(path)
    query = {"prune": "true"} if prune else {}
    try:
        with working("the server compares the file" if dry_run else "the server applies the file"):
            if dry_run:
                told = await api.post("/setup/diff", file.document, query, slow=True)
            else:
                told = await api.put("/setup", file.document, query, slow=True)
    except Refused as refused:
        raise _explained(refused, path, file) from None
    if told["applied"] and "base" in file.document:
        _rebase(path, file.document["base"], told["base"])
    return _told(told, prune)


def _read(path: Path) -> SetupFile:
    """The file, with secrets where it says that they come from elsewhere."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{path} can not be read: {error}", 2) from None
    file = load(path, text)
    for section, items in file.document.items():
        kind = SECTIONS.get(section)
        for index, item in enumerate(items if kind is not None and isinstance(items, list) else ()):
            if kind is not None and isinstance(item, dict):
                fetched = partial(_fetched, file.unset, f"{section}[{index}]")
                put_secrets(item, secret_places(SETUP_SPECS[kind]), fetched)
    try:
        json.dumps(file.document)
    except (TypeError, ValueError) as error:
        raise CommandFailed(f"{path}: {error}", 2) from None
    return file


def _fetched(unset: dict[str, str], where: str, place: str, value: Any) -> Any:
    """The secret that a reference means; where it can not be had, the one that is set may stay."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    name, source = next((name, str(source)) for name, source in value.items())
    if name == "env":
        found, why = os.environ.get(source), f"the environment variable {source} is not set"
    elif name == "file":
        found, why = _content(Path(source)), f"the file {source} can not be read, or is empty"
    else:
        return value
    if found:
        return found
    unset[f"{where}.{place}"] = why
    return dict(HIDDEN)


def _content(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _explained(refused: Refused, path: Path, file: SetupFile) -> CommandFailed:
    if not refused.errors:
        return refused
    lines = [
        f"{path}{file.place(where)}: {where}: {file.unset.get(where) or why}" for where, why in refused.errors
    ]
    return CommandFailed("\n".join(["nothing was changed:", *lines]), 2)


def _rebase(path: Path, old: Any, new: str) -> None:
    """Writes the new base into the file, so that it can be edited and applied again."""
    if str(path) == "-" or not isinstance(old, str):
        return
    line = rf'^base: *["\']?{re.escape(old)}["\']?'
    text = path.read_text("utf-8")
    path.write_text(re.sub(line, f"base: {scalar(new)}", text, count=1, flags=re.M), "utf-8")


def _told(told: Mapping[str, Any], prune: bool) -> Iterator[str]:
    for change in told["changes"]:
        yield f"{_SIGNS[change['action']]} {change['kind']} {change['id']} {json.dumps(change['name'])}"
        for field in change["fields"]:
            yield f"    {field['path']}: {_compared(field)}"
    counts = {action: sum(c["action"] == action for c in told["changes"]) for action in _SIGNS}
    words = ", ".join(f"{count} {_DONE[action]}" for action, count in counts.items() if count) or "no change"
    yield f"{words}; " + (
        f"the set-up has version {told['version']} now" if told["applied"] else "nothing was written"
    )
    if told["left"]:
        why = "numbers need their release" if prune else "--prune removes them, except numbers"
        yield f"{told['left']} objects that the file does not name were left alone ({why})"


def _compared(field: Mapping[str, Any]) -> str:
    if field["before"] == field["after"] == HIDDEN:
        return "another secret"
    before, after = (
        "default" if value is None else one_line(value) for value in (field["before"], field["after"])
    )
    return f"{before} -> {after}"
