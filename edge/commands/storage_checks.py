"""Checks of what lies on disk: the data directory, the database, the built-in prompts."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge.commands.finding import Finding
from edge.media.prompts import PromptError, built_in_prompts, transcode
from edge.settings import Settings
from edge.store.database import StoreInUse, only_server
from edge.store.opening import MIGRATIONS, SCHEMA, revision


def server_runs(settings: Settings) -> bool:
    """Whether a server holds this data directory's database now."""
    if not settings.database_path.exists():
        return False
    try:
        with only_server(settings.database_path):
            return False
    except StoreInUse:
        return True
    except OSError:
        return False


def data_dir(settings: Settings) -> Iterator[Finding]:
    """The data directory can be written, or made."""
    path = settings.data_dir
    there = path if path.exists() else _nearest(path)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        text = f"data_dir {str(path)!r} can not be written: {error.strerror}"
        yield Finding("fail", text, f"let this user write {there}, or set data_dir elsewhere")
        return
    yield Finding("ok", f"data_dir {path} {'is writable' if path.exists() else 'will be made'}")
    free = os.statvfs(there).f_bavail * os.statvfs(there).f_frsize
    if free < 1 << 30:
        text = f"data_dir {str(path)!r}: only {free >> 20} MB are free on its disk"
        yield Finding("warn", text, "make room: calls are refused when records can not be written")


def _nearest(path: Path) -> Path:
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())


def database(settings: Settings) -> Iterator[Finding]:
    """The database is readable, intact at its start, and of a schema that this version knows."""
    path = settings.database_path
    try:
        found = revision(path)
    except sqlite3.Error as error:
        yield Finding(
            "fail", f"database {path}: {error}", "restore it from a copy; edge keeps one per migration"
        )
        return
    known = {file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}
    if found is None:
        yield Finding("ok", f"database {path} will be made at the first start")
    elif found == SCHEMA:
        yield Finding("ok", f"database {path} has the current schema {SCHEMA}")
    elif found in known:
        text = f"database {path} has the older schema {found}"
        yield Finding("warn", text, "'edge serve' migrates it and keeps a copy; or run 'edge db upgrade' now")
    else:
        text = f"database {path} was written by a newer version (schema {found})"
        yield Finding("fail", text, "run that version, or go back to the copy it kept beside the database")


def prompts(_settings: Settings) -> Iterator[Finding]:
    """The built-in prompts are there and can be decoded (that takes a second or two)."""
    try:
        built_in = built_in_prompts()
    except (OSError, ValueError) as error:
        yield Finding("fail", f"the built-in prompts can not be read: {error}", "install edge again")
        return
    broken = asyncio.run(_broken({name: prompt.audio for name, prompt in built_in.items()}))
    for name, why in broken.items():
        yield Finding("fail", f"built-in prompt {name!r}: {why}", "install edge again")
    if not broken:
        yield Finding("ok", f"{len(built_in)} built-in prompts can be decoded")


async def _broken(audio: dict[str, bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, data in audio.items():
        try:
            await transcode(data)
        except PromptError as error:
            found[name] = str(error)
    return found
