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
from typing import Any

from edge.model.ledger import Command, Connect, Convert, Finish, HandBack, Release
from edge.store.records import made

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
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._facts)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def load(self) -> None:
        """Reads what the server before this one left; a torn last line is left out."""
        with contextlib.suppress(OSError), self._path.open("rb") as lines:
            for line in lines:
                fact = _from_line(line)
                whole = line.endswith(b"\n")
                self._whole += len(line) if whole else 0
                if fact is not None:
                    self._facts.append(fact)
                    self._late.extend(() if whole else (fact,))

    def keep(self, commands: Sequence[Command]) -> None:
        """Adds the facts among the commands; past ``MAX_FACTS`` the new ones are lost and counted.

        Those that the file could not take before are tried again, new ones or not.
        """
        facts = [command for command in commands if isinstance(command, FACTS)]
        room = MAX_FACTS - len(self._facts)
        self.dropped += max(0, len(facts) - room)
        self._facts.extend(facts[:room])
        self._late.extend(facts[:room])
        if self._late:
            self._append()

    def clear(self) -> None:
        """Forgets everything: it has been committed."""
        self._facts.clear()
        self._late.clear()
        self._whole = 0
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _append(self) -> None:
        # Where the disk is full this fails, perhaps within a line: memory still has it, for the next time.
        with contextlib.suppress(OSError), open(self._path, "ab", opener=_private) as file:
            self._whole = min(self._whole, os.fstat(file.fileno()).st_size)
            file.truncate(self._whole)
            while self._late:
                line = _to_line(self._late[0]).encode()
                file.write(line)
                file.flush()
                self._whole += len(line)
                self._late.popleft()
            os.fsync(file.fileno())


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
