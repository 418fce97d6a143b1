"""Chance from the operating system."""

import random
import secrets


class SystemChance:
    """Chance from the operating system, drawn in blocks: a tag costs no system call."""

    def __init__(self) -> None:
        self._tokens: list[str] = []

    def token(self) -> str:
        """16 hexadecimal digits."""
        if not self._tokens:
            block = secrets.token_hex(8 * 256)
            self._tokens = [block[at : at + 16] for at in range(0, len(block), 16)]
        return self._tokens.pop()

    def uniform(self, low: float, high: float) -> float:
        """For back-off times, which may be guessed."""
        return random.uniform(low, high)
