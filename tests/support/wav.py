"""WAV files in memory."""

import io
import wave
from pathlib import Path

import numpy as np

from tests.support.tones import RATE, Samples


def wav_bytes(samples: Samples, rate: int = RATE) -> bytes:
    """One channel of 16-bit samples as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def samples_of(path: Path | None) -> Samples:
    """The samples of a WAV file of one channel and 16 bits, even one that is still being written."""
    raw = path.read_bytes()[44:] if path is not None else b""
    return np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2")
