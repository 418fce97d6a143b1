"""A WAV file that is written while it is heard: 16 bits, 8 kHz, its tracks side by side."""

import os
import struct
from pathlib import Path
from typing import Final

from edge.media.blocks import PCMA, PCMU, RATE, Block

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SAMPLE: Final = 2
_KEPT: Final = 2 * RATE
"""Samples that are held back, for what comes late or on the other track."""
_GATHERED: Final = 6 * RATE


def _expanded(code: int, kind: int) -> int:
    """One octet of G.711 as 16 bits (ITU-T G.711, tables 1 and 2)."""
    if kind == PCMA:
        code ^= 0x55
        mantissa, segment = (code & 15) << 4 | 8, code >> 4 & 7
        level = mantissa + 0x100 << segment - 1 if segment else mantissa
        return level if code & 0x80 else -level
    code ^= 0xFF
    level = (((code & 15) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return -level if code & 0x80 else level


def _octet(kind: int, which: int) -> bytes:
    return bytes(_expanded(code, kind).to_bytes(_SAMPLE, "little", signed=True)[which] for code in range(256))


_TABLES: Final = {kind: (_octet(kind, 0), _octet(kind, 1)) for kind in (PCMU, PCMA)}


def _header(tracks: int, octets: int) -> bytes:
    frame = _SAMPLE * tracks
    form = (b"fmt ", 16, 1, tracks, RATE, RATE * frame, frame, 8 * _SAMPLE)
    return _HEADER.pack(b"RIFF", 36 + octets, b"WAVE", *form, b"data", octets)


class WaveFile:
    """Written as ``NAME.part``, and named ``path`` when it is whole.  Methods raise OSError."""

    def __init__(self, path: Path, tracks: int) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._tracks = tracks
        self._frame = _SAMPLE * tracks
        self._written = 0
        self._window = bytearray()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        try:
            self._file.write(_header(tracks, 0))
        except BaseException:
            self.discard()
            raise

    def put(self, block: Block) -> None:
        """A piece of a track in its place; what comes too late for it is left out."""
        late = max(0, self._written - block.at)
        octets, track = block.octets[late:], block.track
        if not octets or track >= self._tracks:
            return
        if block.at - self._written > len(self._window) // self._frame + _GATHERED:
            self._pass_over(block.at - _KEPT)
        start = (block.at + late - self._written) * self._frame
        missing = start + len(octets) * self._frame - len(self._window)
        if missing > 0:
            self._window += bytes(missing)
        first = start + _SAMPLE * track
        end = first + (len(octets) - 1) * self._frame
        for which, table in enumerate(_TABLES[block.kind]):
            self._window[first + which : end + which + 1 : self._frame] = octets.translate(table)
        if len(self._window) > _GATHERED * self._frame:
            self._write(len(self._window) - _KEPT * self._frame)

    def finish(self) -> float:
        """The whole file, in its place; its length in seconds.

        Not forced to the disk: that may take seconds, in which no other recording would be written.
        """
        self._write(len(self._window))
        self._file.seek(0)
        self._file.write(_header(self._tracks, self._written * self._frame))
        self._file.close()
        self._part.replace(self._path)
        return self._written / RATE

    def discard(self) -> None:
        """Leaves nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _pass_over(self, until: int) -> None:
        """Silence up to that sample, which a file has where nothing was written: an hour of hold, say."""
        self._write(len(self._window))
        self._file.seek((until - self._written) * self._frame, os.SEEK_CUR)
        self._written = until

    def _write(self, octets: int) -> None:
        view = memoryview(self._window)[:octets]
        done = 0
        while done < octets:  # an unbuffered write may take less than all
            done += self._file.write(view[done:])
        view.release()
        del self._window[:octets]
        self._written += octets // self._frame
