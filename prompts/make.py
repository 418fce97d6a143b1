"""Makes the built-in prompts: ``python prompts/make.py``.  Needs espeak-ng.

Speaks each text of ``texts.toml``, and writes 8 kHz mono WAV files of 16 bits with the voice at
-6 dBFS and 0.1 s of silence around it, so that the first syllable survives a late media path.
"""

import subprocess
import tomllib
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

HERE = Path(__file__).parent
RATE = 8000
PEAK = 0.5
VOICE = ("-v", "en-us+f3", "-s", "150", "-p", "45", "-g", "2")


def speak(text: str) -> NDArray[np.float32]:
    """The text as samples at 8 kHz."""
    command = ["espeak-ng", *VOICE, "--stdout", "--", text]
    wav = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout  # noqa: S603
    samples, rate = soundfile.read(BytesIO(wav), dtype="float32")
    spoken: NDArray[np.float32] = soxr.resample(samples, rate, RATE, "VHQ")
    return trim(spoken)


def trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def beep() -> NDArray[np.float32]:
    """1000 Hz for 0.4 s, with soft edges that do not click."""
    time = np.arange(int(0.4 * RATE)) / RATE
    edge = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    return (np.sin(2 * np.pi * 1000 * time) * edge).astype(np.float32)


def write(name: str, samples: NDArray[np.float32]) -> None:
    """Levels, pads and writes one file."""
    pad = np.zeros(RATE // 10, np.float32)
    level = PEAK / np.abs(samples).max()
    soundfile.write(HERE / f"{name}.wav", np.concatenate([pad, samples * level, pad]), RATE, subtype="PCM_16")


def main() -> None:
    """Makes them all."""
    for name, text in tomllib.loads((HERE / "texts.toml").read_text("utf-8")).items():
        write(name, speak(text) if text else beep())


if __name__ == "__main__":
    main()
