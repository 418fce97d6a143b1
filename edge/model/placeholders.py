"""Placeholders in texts that operators write: ``[name]``, ``[tag:key]``, ``[a|b]``, ``[a|'x']``, ``[[``."""

import re
from collections.abc import Callable, Iterator
from typing import Final, Protocol

_NAME = r"(?:[a-z_]{1,64}|tag:[a-z0-9_]{1,64})"
_ALTERNATIVE = rf"(?:{_NAME}|'[^'\[\]]{{0,200}}')"
_PLACEHOLDER: Final = re.compile(rf"\[\[|\[({_ALTERNATIVE}(?:\|{_ALTERNATIVE}){{0,9}})\]")


class Lookup(Protocol):
    """What placeholders stand for."""

    def get(self, name: str, default: str, /) -> str:
        """The value of a name, ``default`` where it is not known."""
        ...


def filled(text: str, values: Lookup, written: Callable[[str], str] = str) -> str:
    """``text`` with each placeholder replaced by the first of its alternatives that is not empty.

    ``written`` makes a value fit for its place.  What is no placeholder stays; ``[[`` is a bracket.
    """

    def value(match: re.Match[str]) -> str:
        return "[" if match[1] is None else written(_first(match[1], values))

    return _PLACEHOLDER.sub(value, text)


def _first(alternatives: str, values: Lookup) -> str:
    for each in alternatives.split("|"):
        found = each[1:-1] if each.startswith("'") else values.get(each, "")
        if found:
            return found
    return ""


def names(text: str) -> Iterator[str]:
    """The names that the placeholders of a text ask for, tags left out."""
    for match in _PLACEHOLDER.finditer(text):
        for each in (match[1] or "").split("|"):
            if each and not each.startswith(("'", "tag:")):
                yield each
