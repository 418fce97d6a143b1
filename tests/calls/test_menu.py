"""How often a menu is played, and which key ends it (rule: Menus)."""

from typing import Any, cast

import pytest

from edge.calls.keys import info_key
from edge.calls.menu import ask
from edge.calls.reception import Reception
from edge.model.menu import Menu, MenuKey

ONE, REPLAY = MenuKey(target_id="tgt_1"), MenuKey(replay=True)


class Caller:
    """Stands for the reception: presses these keys in turn, one for each prompt it is played."""

    def __init__(self, *keys: str | None) -> None:
        self.phase = ""
        self.record: Any = self
        self.played: list[str] = []
        self.steps: list[tuple[str, ...]] = []
        self._keys = list(keys)

    def step(self, *words: str) -> None:
        self.steps.append(words)

    async def ask(self, source: str, wait_s: float) -> str | None:
        self.played.append(source)
        return self._keys.pop(0) if self._keys else None


async def menu(caller: Caller, first: str | None = None, **fields: Any) -> str | None:
    keys = {"1": ONE, "9": REPLAY}
    said = await ask(
        cast("Reception", caller), Menu(**{"prompt_id": "menu", "keys": keys, "repeat": 1, **fields}), first
    )
    return said[0] if said is not None else None


async def test_repeat_counts_extra_plays() -> None:
    caller = Caller()
    assert await menu(caller, repeat=2) is None
    assert caller.played == ["menu"] * 3
    assert caller.phase == "menu"


async def test_a_key_of_the_menu_ends_it() -> None:
    caller = Caller(None, "1")
    assert await menu(caller) == "1"
    assert caller.played == ["menu"] * 2


async def test_hearing_it_again_is_not_counted() -> None:
    caller = Caller(*"99999", None, None)
    assert await menu(caller) is None
    assert caller.played == ["menu"] * 7


async def test_a_wrong_key_is_told_and_costs_a_play() -> None:
    caller = Caller("5", None, "6", None)
    assert await menu(caller, invalid_prompt_id="wrong") is None
    assert caller.played == ["menu", "wrong", "menu", "wrong"]
    assert [words[1] for words in caller.steps] == ["key 5", "key 6"]


async def test_a_key_while_the_wrong_one_is_told_counts_even_after_the_last_play() -> None:
    caller = Caller("5", "1")
    assert await menu(caller, invalid_prompt_id="wrong", repeat=0) == "1"
    assert caller.played == ["menu", "wrong"]


async def test_a_key_that_ended_the_greeting_is_taken_without_a_play() -> None:
    caller = Caller()
    assert await menu(caller, first="1") == "1"
    assert caller.played == []


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("Application/DTMF-Relay; charset=utf-8", b"Duration=100\nSignal = #", "#"),
        ("application/dtmf-relay", b"Signal=10\r\n", "*"),
        ("application/dtmf-relay", b"Signal=11\r\n", "#"),
        ("application/dtmf", b"a\r\n", "A"),
        ("application/dtmf-relay", b"Signal=12\r\n", None),
        ("application/dtmf-relay", b"NoSignal=5", None),
        ("application/dtmf", b"55", None),
        ("text/plain", b"5", None),
        ("", b"", None),
    ],
)
def test_the_key_of_an_info(kind: str, body: bytes, key: str | None) -> None:
    assert info_key(kind, body) == key
