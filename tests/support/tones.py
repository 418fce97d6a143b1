"""Audio that can be told apart: sine tones, and how much of one is in what was heard (Goertzel)."""

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
RATE = 8000


def tone(frequency: float, seconds: float, *, amplitude: float = 0.5, rate: int = RATE) -> Samples:
    """A sine of ``frequency`` Hz as 16-bit samples; ``amplitude`` 1.0 is full scale."""
    at = np.arange(round(seconds * rate)) / rate
    return (amplitude * 32767 * np.sin(2 * math.pi * frequency * at)).astype(np.int16)


def share(samples: Samples, frequency: float, *, rate: int = RATE) -> float:
    """The part of the signal's energy (0..1) that lies at ``frequency``: a pure tone has nearly 1."""
    x = samples.astype(np.float64)
    energy = float(np.dot(x, x))
    if not energy:
        return 0.0
    turns = np.exp(-2j * math.pi * frequency / rate * np.arange(len(x)))
    return float(2 * abs(np.dot(x, turns)) ** 2 / (len(x) * energy))


def heard(samples: Samples, frequency: float, *, rate: int = RATE, block_s: float = 0.2) -> float:
    """Seconds of ``samples`` in which that tone is most of what is heard."""
    size = round(block_s * rate)
    blocks = [samples[i : i + size] for i in range(0, len(samples) - size + 1, size)]
    return block_s * sum(share(block, frequency, rate=rate) > 0.5 for block in blocks)
