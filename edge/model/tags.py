"""A call's tags: who wrote what, and which keys not everybody may write."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeVar

TagOrigin = Literal["number", "url", "page", "publisher", "menu", "webhook", "postback"]
Value = str | tuple[str, ...]
Tags = Mapping[str, Value]
MOST_DATA = 100
"""Keys that are kept of one visit, or of one caller."""
MOST_TEXT = 16_384
"""Characters of these, keys and values."""
V = TypeVar("V", bound=Value | list[str])


def added(known: Mapping[str, V], new: Mapping[str, V]) -> tuple[dict[str, V], list[str]]:
    """What is known, and what comes to it: the newest value of a key counts, the first keys are kept.  Also
    the keys for which there was no room."""
    both, too_much = dict(known), list[str]()
    room = MOST_TEXT - sum(map(_length, both.items()))
    for key, value in new.items():
        taken = _length((key, value)) - (_length((key, both[key])) if key in both else 0)
        if (key in both or len(both) < MOST_DATA) and taken <= max(0, room):
            both[key] = value
            room -= taken
        else:
            too_much.append(key)
    return both, too_much


def _length(item: tuple[str, Value | list[str]]) -> int:
    key, value = item
    return len(key) + (len(value) if isinstance(value, str) else sum(map(len, value)))


MOST_WRITES: Final = 500
"""Writes kept of one call; what comes after them is dropped."""
_PROTECTED: Final = ("system_", "call_", "caller_")
_STRANGE: Final = re.compile(r"[^a-z0-9_]")


class TagWrite(NamedTuple):
    """One write of a key; ``late`` if it came after the call was routed, so that only reports see it."""

    key: str
    value: Value
    origin: TagOrigin
    at: datetime
    late: bool = False


def protected(key: str) -> bool:
    """Whether pages and publishers may not write this key (rule: Tags)."""
    return key.startswith(_PROTECTED)


def key_of(text: str) -> str:
    """The key that a URL parameter's name stands for: case folded, other characters ``_``, cut at 64."""
    return _STRANGE.sub("_", text.lower())[:64]
