"""Structured logs: a console format on a terminal, else one JSON object a line, on standard error.

Every line written while a call runs carries its ``call_id`` (context variables follow the call's
coroutine).  A line is handed to a thread that writes many at once: a slow terminal or a full pipe
never stops the loop; lines that the bounded queue can not take are dropped and counted.
"""

import contextlib
import json
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TextIO

import structlog
from pydantic_core import to_json
from structlog.dev import plain_traceback
from structlog.typing import EventDict, Processor, WrappedLogger

from edge.model.printable import on_one_line

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]

MAX_WAITING = 10_000
_PAUSE_S = 0.2
_SECRET_WORDS = ("password", "secret", "token", "authorization", "credential", "api_key")
HIDDEN = "[hidden]"

_call_id: ContextVar[str] = ContextVar("call_id")


class Logger:
    """What modules log with: ``log.info("call.ended", disposition=…)``.

    Made once, at import; where its lines go is looked up at each of them.  Short lines, which a call
    writes some of, skip the general machinery: it costs five times as much.  They are rendered a moment
    later: fields are values that nobody changes meanwhile.
    """

    __slots__ = ()

    def debug(self, event: str, **fields: Any) -> None:
        _log("debug", logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        _log("info", logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        _log("warning", logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        _log("error", logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        _log("error", logging.ERROR, event, {"exc_info": True, **fields})


_LOGGER = Logger()


def get_logger(_name: str | None = None) -> Logger:
    """The logger; a module gives its name for the reader's sake."""
    return _LOGGER


def of_call(call_id: str) -> None:
    """Binds ``call_id`` to every line that this task logs from now on (and tasks that it starts)."""
    _call_id.set(call_id)


class _Line(NamedTuple):
    """A line without a traceback; it becomes text on the writing thread, many in a row."""

    at: float
    level: str
    event: str
    fields: dict[str, Any]
    call_id: str | None

    def __str__(self) -> str:
        line = {"at": _instant(self.at), "level": self.level, "event": self.event, **self.fields}
        if self.call_id is not None:
            line.setdefault("call_id", self.call_id)
        return _json(hide_secrets(None, self.level, line))


def _instant(at: float) -> str:
    second = int(at)
    return f"{_second(second)}.{int((at - second) * 1e6):06d}Z"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    """To the second: a busy server writes hundreds of lines in one, and this takes longest of a line."""
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]


class _Short(NamedTuple):
    """Where lines without a traceback go as JSON, at and above a level."""

    level: int
    take: Callable[[_Line], None]


_short: _Short | None = None


def _log(name: str, level: int, event: str, fields: dict[str, Any]) -> None:
    short = _short
    if short is None or "exc_info" in fields:
        structlog.get_logger().log(level, event, **fields)
    elif level >= short.level:
        short.take(_Line(time.time(), name, event, fields, _call_id.get(None)))


def _with_call(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    call_id = _call_id.get(None)
    if call_id is not None:
        event.setdefault("call_id", call_id)
    return event


@contextlib.contextmanager
def configured(level: Level = "info", form: Format = "auto", stream: TextIO | None = None) -> Iterator[None]:
    """Sets logging up for the block; what waits is written when it is left.  ``stream``: stderr."""
    global _short  # noqa: PLW0603 - logging is the process's own
    out = sys.stderr if stream is None else stream
    numeric = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and out.isatty())
    with _LineWriter(out) as lines:
        structlog.configure(
            processors=_processors(console, colors=out.isatty()),
            wrapper_class=structlog.make_filtering_bound_logger(numeric),
            logger_factory=lambda *_: lines,
            cache_logger_on_first_use=False,
        )
        root = logging.getLogger()
        handler = _Forward(numeric)
        before = root.level
        root.addHandler(handler)
        root.setLevel(max(numeric, logging.WARNING))
        _short = None if console else _Short(numeric, lines.msg)
        try:
            yield
        finally:
            _short = None
            root.removeHandler(handler)
            root.setLevel(before)
            structlog.reset_defaults()


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replaces the value of every field whose name speaks of a secret."""
    for key in event:
        if _is_secret(key):
            event[key] = HIDDEN
    return event


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    lowered = key.lower()
    return any(word in lowered for word in _SECRET_WORDS) and not lowered.endswith("_id")


def _one_line(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Control characters of the outside world must not forge lines or move the cursor."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable() and key != "exception":
            event[key] = on_one_line(value)
    return event


def _json(event: EventDict, **_: object) -> str:
    """Four times as fast as the standard library, which takes what has surrogates in it, and what a terminal
    would obey (DEL, C1, directions of writing)."""
    try:
        line = to_json(event, fallback=repr).decode()
    except ValueError:
        line = ""
    return line if line.isprintable() and line else json.dumps(event, default=repr)


def _processors(console: bool, colors: bool) -> list[Processor]:
    last: list[Processor] = (
        # A plain traceback: the rich one would print local variables, secrets among them.
        [_one_line, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
    )
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
    return [_with_call, structlog.processors.add_log_level, stamp, hide_secrets, *last]


class _LineWriter:
    """The queue and the thread behind it; also the "logger" that structlog calls with a line."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._waiting: deque[str | _Line] = deque()
        # Not an Event: that one's locks are Python, some ten functions for each wake.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._woken = False
        self._closing = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def __enter__(self) -> "_LineWriter":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing = True
        self._wake.put(None)
        self._thread.join(timeout=5)

    def msg(self, line: str | _Line) -> None:
        """Hands a line over; never blocks."""
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(line)
        if not self._woken:
            self._woken = True
            self._wake.put(None)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg

    def _run(self) -> None:
        while not self._closing:
            self._wake.get()
            while not self._closing and self._more():
                self._write()
        self._write()

    def _more(self) -> bool:
        """Whether there are lines after a pause, which share one write; with none, the next one wakes us.

        So a busy server looks for lines five times a second and its loop need not wake anybody.
        """
        time.sleep(_PAUSE_S)
        if not self._waiting:
            self._woken = False
        return bool(self._waiting)

    def _write(self) -> None:
        lines = []
        while self._waiting:
            lines.append(_text(self._waiting.popleft()))
        if self._dropped:
            lines.append(f'{{"event": "log lines dropped", "level": "warning", "count": {self._dropped}}}')
            self._dropped = 0
        if lines:
            # A closed pipe or a full disk must not end the server.
            with contextlib.suppress(OSError, ValueError):
                self._out.write("\n".join(lines) + "\n")
                self._out.flush()


def _text(line: str | _Line) -> str:
    try:
        return str(line)
    except Exception as error:  # a field's own repr: the lines after it are still to be written
        lost = {"event": "log line could not be rendered", "level": "error", "reason": type(error).__name__}
        return _json(lost)


class _Forward(logging.Handler):
    """Brings the lines of libraries (aiohttp, alembic, asyncio) into our format."""

    def emit(self, record: logging.LogRecord) -> None:
        event: MutableMapping[str, Any] = {"source": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        structlog.get_logger().log(level, record.getMessage(), **event)


class Sparing:
    """Lets lines through that hostile peers cause, but not more in a second than ``PER_SECOND``.

    ``clock`` is in seconds and never goes back.
    """

    PER_SECOND = 10

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._second = 0
        self._written = 0
        self._withheld = 0

    def allows(self) -> int | None:
        """How many lines were withheld before this one, which may be written; None: it may not."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self.PER_SECOND:
            self._withheld += 1
            return None
        self._written += 1
        withheld, self._withheld = self._withheld, 0
        return withheld
