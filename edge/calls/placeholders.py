"""Fills ``[name]`` and ``[tag:key]`` in a target's headers and address (rule: placeholders)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from edge.sip.headers import without_breaks

_PLACEHOLDER = re.compile(r"\[([a-z_]{1,64}|tag:[a-z0-9_]{1,64})\]")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders replaced; an unknown one becomes empty, CR, LF and NUL vanish, and what
    is no character becomes ``?``."""
    if "[" not in text:
        return text
    filled = without_breaks(_PLACEHOLDER.sub(lambda match: values.get(match[1], ""), text))
    return filled if filled.isascii() else filled.encode("utf-8", "replace").decode()


def fill_address(text: str, values: Mapping[str, str]) -> str:
    """The same for a URI: a value fills its own place only, and never becomes a host or a parameter.

    Some values are what a caller dialled, and no caller steers where a call goes (rule: trunks).  A user
    part that stays empty is left out with its ``@``.
    """
    if "[" not in text:
        return text
    user, at, host = text.rpartition("@")
    filled = _escaped(user, values, _USER) + at if at else ""
    return filled.replace(":@", ":", 1) + _escaped(host, values, _HOST)


def _escaped(text: str, values: Mapping[str, str], safe: str) -> str:
    return _PLACEHOLDER.sub(lambda match: quote(values.get(match[1], ""), safe=safe, errors="replace"), text)


def example(address: str) -> str:
    """An address as it may come out: with a digit, which is good anywhere, for each placeholder."""
    return _PLACEHOLDER.sub("1", address)


_USER: Final = "!~*'()+"
_HOST: Final = _USER + ":"
