"""G.711 for whole arrays of samples, by look-up (ITU-T G.711).  Needs numpy: not for the workers."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge.media import codecs


def encode(law: str, samples: NDArray[np.int16]) -> bytes:
    """16-bit samples to octets of ``law`` (PCMU or PCMA), one each."""
    return _encoder(law)[samples.view(np.uint16)].tobytes()


def decode(law: str, octets: bytes) -> NDArray[np.int16]:
    """Octets of ``law`` (PCMU or PCMA) to 16-bit samples, one each."""
    return _decoder(law)[np.frombuffer(octets, np.uint8)]


@cache
def _encoder(law: str) -> NDArray[np.uint8]:
    one: Callable[[int], int] = codecs.encode_mulaw if law == "PCMU" else codecs.encode_alaw
    signed = (*range(32768), *range(-32768, 0))
    return np.array([one(sample) for sample in signed], np.uint8)


@cache
def _decoder(law: str) -> NDArray[np.int16]:
    one: Callable[[int], int] = codecs.decode_mulaw if law == "PCMU" else codecs.decode_alaw
    return np.array([one(octet) for octet in range(256)], np.int16)
