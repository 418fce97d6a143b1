"""Recorded audio on its way from a media worker to the recorder, and the words said about it.

A recording has a number; each of its tracks is cut into blocks of at most a fifth of a second, whose
place on the recording's time line is in samples (8 kHz) since its start.  A block is written to the
pipe in one piece (POSIX: what is no longer than PIPE_BUF is not interleaved), or not at all.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from edge.media import control

RATE: Final = 8000
BLOCK: Final = 1600
"""Samples of a full block."""
PCMU: Final = 0
PCMA: Final = 1
END: Final = 2
"""The recording is over: no block of it follows from this worker."""

_HEAD = struct.Struct("!IBBIH")
_RECORD = struct.Struct("!IHB")
_NUMBER = struct.Struct("!I")


class Block(NamedTuple):
    """A piece of one track; ``kind`` is PCMU, PCMA or END, ``octets`` one a sample."""

    number: int
    track: int
    kind: int
    at: int
    octets: bytes


def encode_block(block: Block) -> bytes:
    """As it is written to the pipe."""
    return _HEAD.pack(block.number, block.track, block.kind, block.at, len(block.octets)) + block.octets


def blocks(data: bytearray) -> Iterator[Block]:
    """The whole blocks at the front of what was read; they are taken out of it."""
    at = 0
    while len(data) - at >= _HEAD.size:
        number, track, kind, place, length = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if len(data) < end:
            break
        yield Block(number, track, kind, place, bytes(data[at + _HEAD.size : end]))
        at = end
    del data[:at]


def encode_record(number: int, port: int, track: int) -> bytes:
    """What the peer of a leg says is a track of the recording from now on."""
    return control.frame(control.RECORD, _RECORD.pack(number, port, track))


def decode_record(body: bytes) -> tuple[int, int, int]:
    """Recording, port, track."""
    number, port, track = _RECORD.unpack(body)
    return number, port, track


def encode_number(kind: int, number: int) -> bytes:
    """A recording and nothing else: END_RECORDING, RECORDING_FAILED."""
    return control.frame(kind, _NUMBER.pack(number))


def decode_number(body: bytes) -> int:
    """The recording."""
    number: int = _NUMBER.unpack(body)[0]
    return number
