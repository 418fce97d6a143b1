"""Tones that need no prompt: octets by codec, ready to be looped."""

from math import pi, sin
from typing import Final

from edge.media.codecs import encode_alaw, encode_mulaw

RINGBACK: Final = "tone:ringback"

_RATE: Final = 8000
_PERIOD: Final = 200
"""Samples: 440 Hz and 480 Hz both come full circle in 25 ms."""
_PEAK: Final = 3700
"""Each frequency at -19 dBm0, where 32,124 is +3.17 dBm0 (ITU-T G.711, Precise Tone Plan)."""
_ON_S: Final = 2
_OFF_S: Final = 4


def ringback() -> dict[str, bytes]:
    """North American audible ringing: 440 Hz + 480 Hz, two seconds on, four off."""
    wave = [
        round(_PEAK * (sin(2 * pi * 440 * n / _RATE) + sin(2 * pi * 480 * n / _RATE))) for n in range(_PERIOD)
    ]
    return {
        "PCMU": _cadence(bytes(map(encode_mulaw, wave)), b"\xff"),
        "PCMA": _cadence(bytes(map(encode_alaw, wave)), b"\xd5"),
    }


def _cadence(period: bytes, silence: bytes) -> bytes:
    return period * (_ON_S * _RATE // _PERIOD) + silence * (_OFF_S * _RATE)
