"""Fills ``[name]`` and ``[tag:key]`` in the headers that a target wants (rule: placeholders)."""

import re
from collections.abc import Mapping

from edge.sip.headers import without_breaks

_PLACEHOLDER = re.compile(r"\[([a-z_]{1,64}|tag:[a-z0-9_]{1,64})\]")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with its placeholders replaced; an unknown one becomes empty, CR, LF and NUL vanish."""
    if "[" not in text:
        return text
    return without_breaks(_PLACEHOLDER.sub(lambda match: values.get(match[1], ""), text))
