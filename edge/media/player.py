"""Playing a prompt to one leg: a frame each packet time, from ready octets."""

import random
from typing import Final, Protocol

from edge.media.control import Codec
from edge.media.engine import Plan
from edge.media.outlet import Outlet
from edge.media.rtp import HEADER, HEADER_SIZE, MARKER, VERSION_2

Prompt = dict[str, memoryview]
"""By codec, raw octets at 8 kHz: one octet is one sample."""

_SAMPLES_PER_MS: Final = 8
_SILENCE: Final[dict[Codec, bytes]] = {"PCMU": b"\xff", "PCMA": b"\xd5"}
_chance = random.SystemRandom()


class Listener(Protocol):
    """What a player needs of its leg."""

    plan: Plan
    out: Outlet

    @property
    def player(self) -> object:
        """What plays now; None if nothing does."""
        ...

    def played(self, token: int) -> None:
        """The player came to its end."""

    def stop(self) -> None:
        """Ends the playing."""


class Voice:
    """A leg's own synchronization source: one SSRC, sequence and timestamp over all it is played.

    Between two prompts the timestamp goes on with the time that passed, as §5.1 of RFC 3550 wants.
    """

    __slots__ = ("_at", "_sequence", "_ssrc", "_timestamp", "packet")

    def __init__(self) -> None:
        self._ssrc = _chance.getrandbits(32)
        self._sequence = _chance.getrandbits(16)
        self._timestamp = _chance.getrandbits(32)
        self._at: int | None = None
        self.packet = bytearray(HEADER_SIZE)

    def frame(self, tick: int, payload_type: int, octets: memoryview | bytes, *, first: bool) -> bytearray:
        """The packet for that millisecond; ``first`` sets the marker bit."""
        if first and self._at is not None:
            self._timestamp += _SAMPLES_PER_MS * max(0, tick - self._at)
        HEADER.pack_into(
            self.packet,
            0,
            VERSION_2,
            payload_type | (MARKER if first else 0),
            self._sequence,
            self._timestamp & 0xFFFFFFFF,
            self._ssrc,
        )
        self.packet[HEADER_SIZE:] = octets
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp += len(octets)
        self._at = tick + len(octets) // _SAMPLES_PER_MS
        return self.packet

    def event(self, tick: int, payload_type: int, octets: bytes, *, first: bool, per_ms: int) -> bytearray:
        """A packet of a key press; all of one press bear the timestamp of its beginning (RFC 4733 §2.1)."""
        if first:
            self._timestamp += per_ms * max(0, tick - self._at) if self._at is not None else 0
            self._at = tick
        marked = payload_type | (MARKER if first else 0)
        timestamp = self._timestamp & 0xFFFFFFFF
        HEADER.pack_into(self.packet, 0, VERSION_2, marked, self._sequence, timestamp, self._ssrc)
        self.packet[HEADER_SIZE:] = octets
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self.packet


class Player:
    """One prompt on its way to one leg.  ``step`` is called by the pacer.

    If it ``gives_way`` it is over as soon as the leg has something else to hear.
    """

    __slots__ = ("_first", "_leg", "_loop", "_position", "_prompt", "_token", "_voice", "gives_way")

    def __init__(self, leg: Listener, voice: Voice, token: int, prompt: Prompt, *, loop: bool) -> None:
        self._leg = leg
        self._voice = voice
        self._token = token
        self._prompt = prompt
        self._loop = loop
        self._position = 0
        self._first = True
        self.gives_way = False

    def step(self, tick: int) -> int:
        """Sends the frame of that tick; answers the milliseconds to the next, 0 at the end."""
        leg = self._leg
        if leg.player is not self:  # stopped, replaced, or the leg is closed
            return 0
        plan = leg.plan
        codec: Codec = plan.play_codec or "PCMU"
        octets = self._prompt[codec]
        size = _SAMPLES_PER_MS * plan.ptime_ms
        start = self._position
        if start >= len(octets):
            if not self._loop or not octets:
                leg.played(self._token)
                return 0
            start = 0
        self._position = start + size
        if plan.play_codec is not None and leg.out.is_open:
            self._send(tick, _frame(octets, start, size, codec))
        else:
            self._first = True
        return plan.ptime_ms

    def _send(self, tick: int, frame: memoryview | bytes) -> None:
        packet = self._voice.frame(tick, self._leg.plan.play_payload, frame, first=self._first)
        self._first = False
        transmit(self._leg.out, packet)


def make_way(leg: Listener | None) -> None:
    """There is something else for a leg to hear than what is played to it, if that gives way."""
    if leg is not None and isinstance(leg.player, Player) and leg.player.gives_way:
        leg.stop()


def transmit(out: Outlet, packet: bytearray) -> None:
    """Sends a packet of ours and counts it; one that can not be sent is lost."""
    try:
        out.transmit(packet)
    except OSError:
        return
    out.packets_out += 1
    out.octets_out += len(packet)


def _frame(octets: memoryview, start: int, size: int, codec: Codec) -> memoryview | bytes:
    """One frame, the last one filled up with silence."""
    frame = octets[start : start + size]
    if len(frame) == size:
        return frame
    return bytes(frame) + _SILENCE[codec] * (size - len(frame))
