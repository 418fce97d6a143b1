"""Logs: one line an event, the call's id on each of its lines, no secrets, no forged lines."""

import asyncio
import io
import json
import logging
from typing import Any

import pytest

from edge import logs


def written(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_one_json_object_a_line_above_the_level() -> None:
    out = io.StringIO()
    with logs.configured("info", "json", out):
        log = logs.get_logger()
        log.info("call ended", disposition="connected")
        log.debug("not this")
    (line,) = written(out)
    assert (line["event"], line["level"], line["disposition"]) == ("call ended", "info", "connected")
    assert line["at"].endswith("Z")


async def test_each_call_has_its_id_on_its_lines() -> None:
    out = io.StringIO()
    with logs.configured("info", "json", out):
        log = logs.get_logger()

        async def call(call_id: str) -> None:
            logs.of_call(call_id)
            await asyncio.sleep(0)
            log.info("ringing")

        await asyncio.gather(call("a"), call("b"))
        log.info("after")
    found = [line.get("call_id") for line in written(out)]
    assert sorted(found, key=str) == [None, "a", "b"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_hidden_and_lines_can_not_be_forged(form: logs.Format) -> None:
    out = io.StringIO()
    with logs.configured("info", form, out):
        hostile = "a\n{forged}\x1b[2J\x9b2J\x7f\u2028\u202e\udcff é"
        logs.get_logger().info("x", password="hunter2", api_token="hunter2", source=hostile)
    assert "hunter2" not in out.getvalue()
    (line,) = out.getvalue().splitlines()
    assert set(filter(lambda char: not char.isprintable(), line)) <= set("\x1b" * (form == "console"))
    assert "\x1b[2J" not in line


def test_libraries_log_in_our_format() -> None:
    out = io.StringIO()
    with logs.configured("info", "json", out):
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("aiohttp.server").exception("request failed: %s", 7)
    (line,) = written(out)
    assert (line["event"], line["source"], line["level"]) == ("request failed: 7", "aiohttp.server", "error")
    assert "ValueError: broken" in line["exception"]


class _Slow(io.StringIO):
    """A terminal that stands still until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = logs.threading.Event()

    def write(self, text: str) -> int:
        self.go.wait(5)
        return super().write(text)


def test_a_terminal_that_stands_still_blocks_nobody_and_what_is_lost_is_counted() -> None:
    out = _Slow()
    with logs.configured("info", "json", out):
        log = logs.get_logger()
        for n in range(2 * logs.MAX_WAITING + 50):
            log.info("line", n=n)
        out.go.set()
    lines = written(out)
    lost = [line["count"] for line in lines if line["event"] == "log lines dropped"]
    assert sum(lost) > 0
    assert len(lines) - len(lost) + sum(lost) == 2 * logs.MAX_WAITING + 50


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def test_a_field_that_can_not_be_rendered_loses_its_own_line_only() -> None:
    out = io.StringIO()
    with logs.configured("info", "json", out):
        logs.get_logger().info("first", what=_Unprintable())
        logs.get_logger().info("second")
    assert [line["event"] for line in written(out)] == ["log line could not be rendered", "second"]


def test_a_closed_pipe_ends_nothing() -> None:
    out = io.StringIO()
    with logs.configured("info", "json", out):
        out.close()
        logs.get_logger().info("x")


def _fail() -> None:
    password = "open-sesame-" + str(len("x"))
    raise RuntimeError(f"no way in ({len(password)})")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_tells_no_local_variable(form: logs.Format) -> None:
    out = io.StringIO()
    with logs.configured("info", form, out):
        try:
            _fail()
        except RuntimeError:
            logs.get_logger().exception("failed")
    assert "no way in (13)" in out.getvalue()
    assert "open-sesame-1" not in out.getvalue()
