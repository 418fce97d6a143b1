"""Prefixed, sortable identifiers: ``call_01hf…`` = prefix, 48 bits of milliseconds, 80 of chance.

The order of ids is the order of creation to the millisecond; the text is lower-case Crockford
base 32 (26 characters), as ULIDs are.
"""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def new_id(prefix: str) -> str:
    """A new identifier such as ``num_01jd3v9k6w8z5x2c4v7b9n1m3q``."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    pairs = _PAIRS
    text = "".join([pairs[value >> shift & 1023] for shift in range(120, -1, -10)])
    return f"{prefix}_{text}"
