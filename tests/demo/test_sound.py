"""The demo phones' ears: tones, speech and silence are told apart."""

import numpy as np
import pytest

from edge.demo.sound import RATE, Ear, tone
from edge.media import g711

KNOWN = {"700": (700,), "ringback": (440, 480)}


def hear(octets: bytes, law: str = "PCMU", size: int = 160) -> Ear:
    """An ear that heard a second of sound, packet by packet."""
    ear = Ear(KNOWN)
    for at in range(0, len(octets), size):
        ear.hear(law, octets[at : at + size])
    return ear


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
@pytest.mark.parametrize("size", [80, 160, 240])
def test_a_tone_is_heard_as_itself(law: str, size: int) -> None:
    heard = hear(tone(700, law), law, size).heard
    assert (heard.tones, heard.other_s) == ({"700": 1.0, "ringback": 0.0}, 0.0)


def test_two_tones_together_are_known() -> None:
    at = np.arange(RATE) / RATE
    both = 8000 * (np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at))
    assert hear(g711.encode("PCMU", both.astype(np.int16))).heard.tones["ringback"] == 1.0


def test_another_sound_is_other_and_silence_is_nothing() -> None:
    noise = (np.random.default_rng(1).uniform(-1, 1, RATE) * 8000).astype(np.int16)
    heard = hear(g711.encode("PCMU", noise)).heard
    assert (sum(heard.tones.values()), heard.other_s) == (0.0, 1.0)
    assert hear(b"\xff" * RATE).heard.sound_s == 0.0


def test_a_tone_repeats_without_a_click() -> None:
    heard = hear(tone(700, "PCMU") * 3, size=123).heard
    assert (heard.tones["700"], heard.other_s) == (3.0, 0.0)
