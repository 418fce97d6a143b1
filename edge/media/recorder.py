"""The recorder: one process that writes what the media workers hand over to WAV files.

``python -m edge.media.recorder FD DIRECTORY``: FD is its control socket, over which the main process
sends JSON objects: a pipe to read from (its descriptor beside it), a recording to open, one to close.
It answers once a recording: its length, or why there is none.  The process ends when the socket
closes; it ignores SIGINT and SIGTERM, for the main process ends it when its calls are done.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.media.blocks import END, RATE, Block, blocks
from edge.media.wave_file import WaveFile

_MESSAGE: Final = 4096
_READ: Final = 1 << 18
_GRACE_S: Final = 1.0
"""How long after its close a recording's last blocks may come: a worker that died sends no end."""

_DAYS: Final = 3
"""How many of the newest directories are looked through for what was left behind."""


@dataclass(slots=True)
class _Open:
    """A recording that is being written, up to ``limit`` samples; ``until`` once it is to be closed."""

    file: WaveFile
    limit: int
    ended: bool = False
    until: float | None = None


class Recorder:
    """Reads the pipes, writes the files."""

    def __init__(self, control: socket.socket, directory: Path) -> None:
        self._control = control
        self._directory = directory
        self._open: dict[int, _Open] = {}
        self._unread: dict[int, bytearray] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._live = True

    def run(self) -> None:
        """Until the control socket closes."""
        while self._live:
            waiting = any(each.until is not None for each in self._open.values())
            for key, _ in self._selector.select(0.1 if waiting else None):
                if key.fileobj is self._control:
                    self._told()
                else:
                    self._read(key.fd)
            self._finish_due(time.monotonic())
        for number in list(self._open):
            self._finish(number)

    def _told(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE, 1)
        if not message:
            self._live = False
            return
        asked = json.loads(message)
        match asked["do"]:
            case "pipe":
                self._unread[descriptors[0]] = bytearray()
                self._selector.register(descriptors[0], selectors.EVENT_READ)
            case "open":
                self._begin(
                    asked["number"], self._directory / asked["name"], asked["tracks"], asked["limit_s"]
                )
            case "close" if asked["number"] in self._open:
                self._open[asked["number"]].until = time.monotonic() + _GRACE_S * asked["wait"]

    def _begin(self, number: int, path: Path, tracks: int, limit_s: float) -> None:
        try:
            self._open[number] = _Open(WaveFile(path, tracks), int(limit_s * RATE))
        except OSError as error:
            self._answer(number, error=_words(error))

    def _read(self, pipe: int) -> None:
        data = os.read(pipe, _READ)
        if not data:
            self._selector.unregister(pipe)
            del self._unread[pipe]
            os.close(pipe)
            return
        unread = self._unread[pipe]
        unread += data
        for block in blocks(unread):
            self._take(block)

    def _take(self, block: Block) -> None:
        found = self._open.get(block.number)
        if found is None:
            return
        if block.kind == END:
            found.ended = True
            return
        if block.at >= found.limit:
            return
        try:
            found.file.put(block)
        except OSError as error:
            self._fail(block.number, error)

    def _finish_due(self, now: float) -> None:
        for number, each in list(self._open.items()):
            if each.until is not None and (each.ended or each.until <= now):
                self._finish(number)

    def _finish(self, number: int) -> None:
        try:
            seconds = self._open[number].file.finish()
        except OSError as error:
            self._fail(number, error)
        else:
            del self._open[number]
            self._answer(number, duration_s=round(seconds, 3))

    def _fail(self, number: int, error: OSError) -> None:
        """The disk is full, most likely: what was written makes room again."""
        try:
            self._open.pop(number).file.discard()
        except OSError as another:
            error = another
        self._answer(number, error=_words(error))

    def _answer(self, number: int, **said: Any) -> None:
        try:
            self._control.send(json.dumps({"number": number, **said}).encode())
        except OSError:  # the main process is gone, and so shall we be
            self._live = False


def _clear(directory: Path) -> None:
    """What a lost recorder was writing has failed: voices that nobody finds would lie there for ever."""
    with contextlib.suppress(OSError):
        for day in sorted(directory.iterdir())[-_DAYS:]:
            for part in day.glob("*.part"):
                part.unlink()


def _words(error: OSError) -> str:
    return f"the recording can not be written: {error.strerror}"


def main() -> None:
    """Entry point of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        directory = Path(sys.argv[2])
        _clear(directory)
        Recorder(control, directory).run()


if __name__ == "__main__":
    main()
