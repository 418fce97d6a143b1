"""Recordings as a media worker sees them: packets of its legs to blocks on a pipe, without waiting.

A pipe that takes no more fails the recording, never the call.
"""

import os
from collections.abc import Callable
from typing import Final

from edge.media.blocks import BLOCK, END, PCMA, PCMU, RATE, Block, encode_block

LAWS: Final = {0: PCMU, 8: PCMA}
"""The payload types that can be recorded (RFC 3551 section 6), and by name what has another number."""
CODES: Final = {"PCMU": PCMU, "PCMA": PCMA}
_SLACK: Final = RATE // 2
"""How far a track's timestamps may part from the clock before it is set by the clock again."""
_LONGEST: Final = 12 * 3600 * RATE


class Tape:
    """One recording; ``now`` is monotonic seconds.  ``write`` answers False when it can not."""

    def __init__(self, number: int, now: float, write: Callable[[bytes], bool]) -> None:
        self.number = number
        self.start = now
        self.failed = False
        self._write = write
        self._tracks: list[Track] = []

    def track(self, number: int) -> "Track":
        """A new side of it."""
        made = Track(self, number)
        self._tracks.append(made)
        return made

    def take(self, block: Block) -> None:
        """A piece of a track; after a failure nothing more is taken."""
        if not self.failed and not self._write(encode_block(block)):
            self.failed = True

    def end(self) -> None:
        """What the tracks still hold goes out, then the end."""
        for track in self._tracks:
            track.flush()
        self.take(Block(self.number, 0, END, 0, b""))


class Track:
    """One leg's side of a recording: its packets in their places."""

    __slots__ = ("_at", "_kind", "_octets", "_offset", "_ssrc", "_tape", "number")

    def __init__(self, tape: Tape, number: int) -> None:
        self.number = number
        self._tape = tape
        self._ssrc: int | None = None
        self._offset = 0
        self._kind = PCMU
        self._at = 0
        self._octets = bytearray()

    def add(self, law: int, stamp: tuple[int, int], octets: bytes | memoryview, now: float) -> None:
        """A packet's audio; ``stamp`` is its timestamp and SSRC."""
        at = self._place(*stamp, int((now - self._tape.start) * RATE))
        if at != self._at + len(self._octets) or law != self._kind or len(self._octets) >= BLOCK:
            self.flush()
            self._at, self._kind = at, law
        self._octets += octets

    def _place(self, timestamp: int, ssrc: int, clock: int) -> int:
        """By the timestamp, as long as it agrees with the clock (RFC 3550 section 6.4.1: they drift)."""
        at = (timestamp + self._offset) & 0xFFFFFFFF
        if ssrc != self._ssrc or abs(at - clock) > _SLACK:
            self._ssrc = ssrc
            self._offset = clock - timestamp
            at = clock
        return at

    def flush(self) -> None:
        """What was gathered goes out as a block."""
        if self._octets and self._at < _LONGEST:
            self._tape.take(Block(self._tape.number, self.number, self._kind, self._at, bytes(self._octets)))
        self._octets.clear()


class Tapes:
    """The recordings of one worker.  ``tell_failed`` is told a recording's number, once."""

    def __init__(self, tell_failed: Callable[[int], None]) -> None:
        self._tell_failed = tell_failed
        self._tapes: dict[int, Tape] = {}
        self._pipe: int | None = None

    def use(self, pipe: int) -> None:
        """The pipe of a new recorder; what the one before was still to get is lost."""
        self.close()
        self._pipe = pipe

    def track(self, number: int, track: int, now: float) -> Track:
        """A new side of a recording, which begins with its first."""
        tape = self._tapes.get(number)
        if tape is None:
            tape = self._tapes[number] = Tape(number, now, self._write)
        return tape.track(track)

    def end(self, number: int) -> None:
        """A recording is over."""
        tape = self._tapes.pop(number, None)
        if tape is not None:
            tape.end()
            if tape.failed:
                self._tell_failed(number)

    def close(self) -> None:
        """Closes the pipe."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _write(self, data: bytes) -> bool:
        if self._pipe is None:
            return False
        try:
            return os.write(self._pipe, data) == len(data)
        except OSError:  # full, or the recorder is gone
            return False
