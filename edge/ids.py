"""Prefixed, sortable identifiers: ``call_01hf…`` = prefix, 48 bits of milliseconds, 80 of chance.

The order of ids is the order of creation to the millisecond; the text is lower-case Crockford
base 32 (26 characters), as ULIDs are.
"""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


_CHANCE_OCTETS = 10
_BLOCK = 256
_chance: list[int] = []


def _draw() -> int:
    """80 random bits; drawn from the operating system in blocks, so that an id costs no system call."""
    if not _chance:
        block = os.urandom(_CHANCE_OCTETS * _BLOCK)
        starts = range(0, len(block), _CHANCE_OCTETS)
        _chance.extend(int.from_bytes(block[at : at + _CHANCE_OCTETS]) for at in starts)
    return _chance.pop()


def new_id(prefix: str) -> str:
    """A new identifier such as ``num_01jd3v9k6w8z5x2c4v7b9n1m3q``."""
    value = (time.time_ns() // 1_000_000) << 80 | _draw()
    pairs = _PAIRS
    text = "".join([pairs[value >> shift & 1023] for shift in range(120, -1, -10)])
    return f"{prefix}_{text}"
