"""What a phone sends and hears: tones that can be told apart from each other and from speech."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge.media import g711

RATE = 8000
BLOCK = 800
"""Samples that are judged at once: 0.1 s."""

_LEVEL = 0.25
_AUDIBLE = 0.01 * 32768
_MOSTLY = 0.8


@cache
def tone(hertz: int, law: str) -> bytes:
    """One second of a sine at -12 dBFS in G.711; whole periods, so that it can be repeated."""
    at = np.arange(RATE) / RATE
    return g711.encode(law, np.round(_LEVEL * 32767 * np.sin(2 * math.pi * hertz * at)).astype(np.int16))


@dataclass(slots=True)
class Heard:
    """Seconds heard: of each named tone, of ``other`` sound (speech), and of any sound at all."""

    tones: dict[str, float] = field(default_factory=dict)
    other_s: float = 0.0

    @property
    def sound_s(self) -> float:
        """Seconds that were not silent."""
        return sum(self.tones.values()) + self.other_s


class Ear:
    """Judges what is heard, 0.1 s at a time (Goertzel's measure, by dot products).

    ``names`` are the tones it knows: a name and the frequencies (Hz) that sound together in it.
    """

    def __init__(self, names: Mapping[str, tuple[int, ...]]) -> None:
        turn = -2j * math.pi * np.arange(BLOCK) / RATE
        self._waves = {name: [np.exp(turn * hertz) for hertz in parts] for name, parts in names.items()}
        self._waiting = np.zeros(0, np.int16)
        self.heard = Heard(dict.fromkeys(names, 0.0))

    def hear(self, law: str, octets: bytes) -> None:
        """Takes in the payload of one packet."""
        waiting = np.concatenate([self._waiting, g711.decode(law, octets)])
        while len(waiting) >= BLOCK:
            self._judge(waiting[:BLOCK].astype(np.float64))
            waiting = waiting[BLOCK:]
        self._waiting = waiting

    def _judge(self, block: NDArray[np.float64]) -> None:
        energy = float(np.dot(block, block))
        if energy < BLOCK * _AUDIBLE**2:
            return
        for name, waves in self._waves.items():
            power = sum(abs(np.dot(block, wave)) ** 2 for wave in waves)
            if 2 * power / (BLOCK * energy) > _MOSTLY:
                self.heard.tones[name] = round(self.heard.tones[name] + BLOCK / RATE, 1)
                return
        self.heard.other_s = round(self.heard.other_s + BLOCK / RATE, 1)
