"""One prompt's transcoding, in a process of its own: audio on stdin, telephone octets on stdout.

Run by ``prompts.transcode``.  Decoders of strangers' files are where memory bugs live, so this
process gives up files, memory and time before it looks at the first octet.

stdout is one line of JSON, ``{"duration_s": …, "octets": n}``, then n octets of PCMU and n of
PCMA; or ``{"error": "…"}``.
"""

import json
import resource
import sys
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from soundfile import SoundFile

RATE = 8000
MAX_DURATION_S = 600
MAX_BYTES = 20 * 1024 * 1024
MAX_AUDIO_LANES = 8
PEAK = 0.708
"""-3 dBFS: louder prompts are turned down to it; quieter ones stay as their maker wanted them."""

_MEMORY = 768 * 1024 * 1024
_CPU_S = 20
_FILES = 16


class _Unusable(Exception):
    """What is wrong with the audio, in words for whoever uploaded it."""


def main() -> None:
    """Reads stdin, writes stdout; any failure is an ``error`` line."""
    _limit(resource.RLIMIT_CPU, _CPU_S)
    _limit(resource.RLIMIT_AS, _MEMORY)
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    import soundfile  # noqa: PLC0415 - the memory limit holds for its loading, too

    # Everything is loaded: from here on no file may be written.
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _FILES)
    try:
        head, octets = _transcode(data)
    except (_Unusable, MemoryError) as error:
        head, octets = {"error": str(error) or "it needs too much memory to decode"}, b""
    except soundfile.LibsndfileError as error:
        head, octets = {"error": f"it is no audio file that can be read: {error.error_string}"}, b""
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + octets)


def _limit(kind: int, most: int) -> None:
    """Never above what the system allows us already: raising that would fail."""
    _, hard = resource.getrlimit(kind)
    limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (limit, limit))


def _transcode(data: bytes) -> tuple[dict[str, object], bytes]:
    import soundfile  # noqa: PLC0415 - see main

    from edge.media import g711  # noqa: PLC0415 - see main

    if not data:
        raise _Unusable("it is empty")
    if len(data) > MAX_BYTES:
        raise _Unusable(f"it is larger than {MAX_BYTES // 1024**2} MB")
    with soundfile.SoundFile(BytesIO(data)) as source:
        _check(source)
        samples = _samples(source)
    octets = g711.encode("PCMU", samples) + g711.encode("PCMA", samples)
    return {"duration_s": round(len(samples) / RATE, 3), "octets": len(samples)}, octets


def _check(source: "SoundFile") -> None:
    if source.frames == 0:
        raise _Unusable("it holds no sound")
    if source.frames > MAX_DURATION_S * source.samplerate:
        raise _Unusable(f"it is longer than {MAX_DURATION_S // 60} minutes")
    if source.channels > MAX_AUDIO_LANES:
        raise _Unusable(f"it has {source.channels} audio tracks; at most {MAX_AUDIO_LANES} are mixed down")
    if not 4000 <= source.samplerate <= 384_000:
        raise _Unusable(f"its sample rate is {source.samplerate} Hz, not 4 to 384 kHz")


def _samples(source: "SoundFile") -> "NDArray[np.int16]":
    """Mono, 8 kHz, at most PEAK; block by block, since a header may lie about the length."""
    import numpy as np  # noqa: PLC0415 - see main
    import soxr  # noqa: PLC0415 - see main

    resampler = soxr.ResampleStream(source.samplerate, RATE, 1, dtype="float32", quality="HQ")
    pieces = []
    left = MAX_DURATION_S * source.samplerate
    for block in source.blocks(blocksize=source.samplerate, dtype="float32", always_2d=True):
        left -= len(block)
        if left < 0:
            raise _Unusable(f"it is longer than {MAX_DURATION_S // 60} minutes")
        pieces.append(resampler.resample_chunk(np.nan_to_num(block.mean(axis=1))))
    pieces.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    mono = np.concatenate(pieces)
    if len(mono) == 0:
        raise _Unusable("it holds no sound")
    peak = float(np.abs(mono).max())
    if peak > PEAK:
        mono *= PEAK / peak
    return np.round(mono * 32767).astype(np.int16)


if __name__ == "__main__":
    main()
