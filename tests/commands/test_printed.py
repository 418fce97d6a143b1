"""What a terminal is shown: nothing that callers send moves its cursor, and long work is seen to go on."""

import io
import json

import pytest

from edge.commands.printed import one_line, working


@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "a\u202eb", "\u2028", "\x7f", "\u200b", "\ud800"])
def test_a_value_prints_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = one_line({"reason": text, "name": "Frühling"})
    assert shown.isprintable() and "Frühling" in shown
    assert json.loads(shown)["reason"] == text


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("screen", "shows"), [(_Terminal(), True), (io.StringIO(), False)])
def test_long_work_shows_on_a_terminal_and_nowhere_else(
    screen: io.StringIO, shows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")  # a dumb one shows nothing that moves
    with working("the server applies the file"):
        pass
    assert ("the server applies the file" in screen.getvalue()) == shows
    assert bool(screen.getvalue()) == shows
