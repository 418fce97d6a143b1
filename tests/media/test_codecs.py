"""G.711: the values that ITU-T G.711 gives, and that speech survives it."""

import numpy as np
import pytest

from edge.media import codecs, g711
from tests.support import tones

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int16)


@pytest.mark.parametrize(
    ("sample", "mulaw", "alaw"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7F, 0x55),
        (32767, 0x80, 0xAA),
        (-32768, 0x00, 0x2A),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
    ],
)
def test_known_values(sample: int, mulaw: int, alaw: int) -> None:
    assert (codecs.encode_mulaw(sample), codecs.encode_alaw(sample)) == (mulaw, alaw)


@pytest.mark.parametrize(("law", "positive_zero"), [("PCMU", 0x7F), ("PCMA", None)])
def test_every_octet_decodes_to_a_sample_that_encodes_to_it(law: str, positive_zero: int | None) -> None:
    octets = bytes(octet for octet in range(256) if octet != positive_zero)  # µ-law has two zeros
    assert g711.encode(law, g711.decode(law, octets)) == octets


@pytest.mark.parametrize(("law", "smallest"), [("PCMU", 8), ("PCMA", 8)])
def test_no_sample_is_further_off_than_half_a_step(law: str, smallest: int) -> None:
    error = np.abs(g711.decode(law, g711.encode(law, EVERY_SAMPLE)).astype(int) - EVERY_SAMPLE)
    assert np.all(error <= smallest + np.abs(EVERY_SAMPLE.astype(int)) / 31)


@pytest.mark.parametrize("law", ["PCMU", "PCMA"])
def test_a_tone_survives(law: str) -> None:
    assert tones.share(g711.decode(law, g711.encode(law, tones.tone(440, 0.5))), 440) > 0.99
