"""Ringback as North American callers know it."""

import numpy as np

from edge.media import g711, tones
from tests.support.tones import share


def test_ringback_is_440_and_480_hz_two_seconds_on_four_off() -> None:
    for law, octets in tones.ringback().items():
        samples = g711.decode(law, octets)
        assert len(samples) == 6 * 8000
        on, off = samples[:16000], samples[16000:]
        assert share(on, 440) > 0.45
        assert share(on, 480) > 0.45
        assert np.abs(off.astype(int)).max() <= 8
