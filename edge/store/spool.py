"""What could not be written yet: kept in memory and, if that works, in a file beside the database.

Only facts wait here (a call was bridged, an attempt or a call is over, slots went back).  Requests (a
reservation) were refused when they were made.
"""

import contextlib
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from edge.logs import get_logger
from edge.model.ledger import Command, Connect, Convert, Finish, HandBack, Release
from edge.store.records import made

log = get_logger("edge.store")

Fact = Connect | Release | HandBack | Convert | Finish
FACTS = (Connect, Release, HandBack, Convert, Finish)
MAX_FACTS = 50_000

_TYPES = {fact.__name__: fact for fact in FACTS}


class Spool:
    """The waiting facts, oldest first.  One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: deque[Fact] = deque()
        self._late: deque[Fact] = deque()  # those that the file does not have
        self._whole = 0  # octets of the file; what comes behind them is the beginning of a line
        self._unsafe = False  # a sync failed: what was cached may be gone, and the next one would not say so

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def load(self) -> None:
        """Reads what the server before this one left; a torn last line is left out."""
        with contextlib.suppress(OSError):
            self._anew.unlink(missing_ok=True)
        with contextlib.suppress(OSError), self._path.open("rb") as lines:
            for line in lines:
                fact = _from_line(line)
                whole = line.endswith(b"\n")
                self._whole += len(line) if whole else 0
                if fact is not None:
                    self._facts.append(fact)
                    self._late.extend(() if whole else (fact,))

    def keep(self, commands: Sequence[Command]) -> None:
        """Adds the facts among the commands; past ``MAX_FACTS`` the new ones are lost, and the log says so.

        Those that the file could not take before are tried again, new ones or not.  A file of which the disk
        may have lost something is written anew when nothing is added, which is seldom: all of it takes time.
        """
        facts = [command for command in commands if isinstance(command, FACTS)]
        room = MAX_FACTS - len(self._facts)
        if len(facts) > room:
            log.error("store.facts_lost", lost=len(facts) - room, kept=MAX_FACTS)
        self._facts.extend(facts[:room])
        self._late.extend(facts[:room])
        if self._unsafe and not commands:
            self._write_anew()
        elif self._late and not self._unsafe:
            self._append()

    def clear(self) -> None:
        """Forgets everything: it has been committed."""
        self._facts.clear()
        self._late.clear()
        self._whole, self._unsafe = 0, False
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _append(self) -> None:
        # Where the disk is full this fails, perhaps within a line: memory still has it, for the next time.
        with contextlib.suppress(OSError), open(self._path, "ab", opener=_private) as file:
            known = self._whole > 0
            self._whole = min(self._whole, os.fstat(file.fileno()).st_size)
            file.truncate(self._whole)
            try:
                self._write_late(file)
            finally:
                self._unsafe = True
                os.fsync(file.fileno())
                self._unsafe = False
                if not known:
                    self._sync_folder()

    def _write_late(self, file: BinaryIO) -> None:
        while self._late:
            line = _to_line(self._late[0]).encode()
            file.write(line)
            file.flush()
            self._whole += len(line)
            self._late.popleft()

    def _write_anew(self) -> None:
        """Everything, into a file that takes the place of the one that is not to be trusted."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as undone:
            undone.callback(self._anew.unlink, missing_ok=True)
            with open(self._anew, "wb", opener=_private) as file:
                file.writelines(_to_line(fact).encode() for fact in self._facts)
                file.flush()
                os.fsync(file.fileno())
                whole = file.tell()
            self._anew.replace(self._path)
            self._sync_folder()
            self._whole, self._unsafe = whole, False
            self._late.clear()

    @property
    def _anew(self) -> Path:
        return self._path.with_name(f"{self._path.name}.new")

    def _sync_folder(self) -> None:
        """A file is there after a crash only if its folder knows it; not every file system can be asked."""
        with contextlib.suppress(OSError):
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _to_line(fact: Fact) -> str:
    return made(fact, _finish_line) if isinstance(fact, Finish) else _line(fact)


def _finish_line(fact: Finish) -> str:
    return _line(fact, record=fact.told())


def _line(fact: Fact, **instead: object) -> str:
    fields = {name: getattr(fact, name) for name in fact.__dataclass_fields__} | instead
    return json.dumps({"type": type(fact).__name__, **fields}, default=_plain) + "\n"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _from_line(line: bytes) -> Fact | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        kind = _TYPES[fields.pop("type")]
        for name in ("at", "ended_at"):
            if name in fields:
                fields[name] = datetime.fromisoformat(fields[name])
        return kind(**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
