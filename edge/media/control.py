"""The control protocol between the main process and a media worker: small typed frames.

One ``SOCK_SEQPACKET`` message carries any number of frames, each ``!BH`` (kind, length of the body)
and its body.  A leg is named by its local RTP port: a port belongs to one worker and rests in
quarantine between two calls, so its number can not be mistaken for an earlier one's; ``CLEAR`` makes room
for the next leg of the same call.  A prompt travels as a sealed memory file beside its frame (SCM_RIGHTS),
so the workers share its pages.

Addresses must be IP literals: a worker never resolves names.
"""

import marshal
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from edge.media.engine import LegCounters, Plan

# Main process to worker.
CONFIGURE: Final = 1
WANT: Final = 2
UPDATE: Final = 3
BRIDGE: Final = 4
UNBRIDGE: Final = 5
CLOSE: Final = 6
PLAY: Final = 7
STOP: Final = 8
LOAD: Final = 9
UNLOAD: Final = 10
QUERY: Final = 11
PIPE: Final = 12
RECORD: Final = 13
END_RECORDING: Final = 14
PRESS: Final = 15
CLEAR: Final = 16
GIVE_WAY: Final = 17
# Worker to main process.
STOCK: Final = 32
COUNTERS: Final = 33
DIGIT: Final = 34
DONE: Final = 35
SILENT: Final = 36
FAULT: Final = 37
TALLY: Final = 38
RECORDING_FAILED: Final = 39

MAX_PACKET: Final = 60_000
"""Octets of one control message, well under the default socket buffer."""
READ_SIZE: Final = 1 << 17
"""Octets to offer when reading one: a frame's body is under 64 kB."""

Codec = Literal["PCMU", "PCMA"]
Fds = tuple[int, ...]

_HEAD = struct.Struct("!BH")
_PORT = struct.Struct("!H")
_PORT_FRAME = struct.Struct("!BHH")
_PAIR = struct.Struct("!HH")
_PAIR_FRAME = struct.Struct("!BHHH")
_PLAY = struct.Struct("!HIIB")
_DIGIT = struct.Struct("!HcI")
_DONE = struct.Struct("!HI")
_PROMPT = struct.Struct("!III")
_COUNTERS = struct.Struct("!HB7Qf3Q")
_COUNTERS_FRAME = struct.Struct("!BHHB7Qf3Q")
_TALLY = struct.Struct("!8Q")
_CONFIGURE = struct.Struct("!HHHHddd")


class ProtocolError(Exception):
    """A control message is not what the protocol allows: the other side is not our version."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker is told first: its share of the port range and its times in seconds.

    Of the even ports in ``first`` … ``last`` the worker owns every ``count``-th, from ``index``.
    ``bind_hosts`` has an address of each family (IPv4, IPv6) in which a port is bound.
    """

    bind_hosts: tuple[str, ...]
    first: int
    last: int
    index: int
    count: int
    media_timeout_s: float
    relatch_silence_s: float
    quarantine_s: float


@dataclass(frozen=True, slots=True)
class Tally:
    """A worker's totals since its start; ``legs`` is the number open now."""

    legs: int = 0
    packets_in: int = 0
    packets_out: int = 0
    strays: int = 0
    unknown_payload: int = 0
    over_rate: int = 0
    ports_bound: int = 0
    faults: int = 0


def frame(kind: int, body: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(kind, len(body)) + body


def frames(packet: bytes) -> list[tuple[int, bytes]]:
    """The frames of one control message; raises ProtocolError when it is cut short."""
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(packet)
    while at < end:
        body = at + _HEAD.size
        if end < body:
            raise ProtocolError("a frame head is cut short")
        kind, length = _HEAD.unpack_from(packet, at)
        at = body + length
        if end < at:
            raise ProtocolError(f"frame {kind} is cut short")
        found.append((kind, packet[body:at]))
    return found


def pack(frames: list[bytes]) -> list[bytes]:
    """Frames in as few control messages as their size allows."""
    packets: list[bytes] = []
    batch: list[bytes] = []
    size = 0
    for each in frames:
        if size + len(each) > MAX_PACKET and batch:
            packets.append(b"".join(batch))
            batch, size = [], 0
        batch.append(each)
        size += len(each)
    if batch:
        packets.append(b"".join(batch))
    return packets


def encode_configure(config: WorkerConfig) -> bytes:
    """The first frame that a worker gets."""
    fixed = _CONFIGURE.pack(
        config.first,
        config.last,
        config.index,
        config.count,
        config.media_timeout_s,
        config.relatch_silence_s,
        config.quarantine_s,
    )
    return frame(CONFIGURE, fixed + " ".join(config.bind_hosts).encode())


def decode_configure(body: bytes) -> WorkerConfig:
    """Raises struct.error on a short body."""
    first, last, index, count, timeout, relatch, quarantine = _CONFIGURE.unpack_from(body)
    hosts = tuple(body[_CONFIGURE.size :].decode().split())
    return WorkerConfig(hosts, first, last, index, count, timeout, relatch, quarantine)


def encode_update(port: int, plan: Plan) -> bytes:
    """The whole wanted state of a leg."""
    said: tuple[Any, ...] = plan
    if not isinstance(plan.payloads, dict):
        said = plan._replace(payloads=dict(plan.payloads))
    body = marshal.dumps((port, *said))
    return _HEAD.pack(UPDATE, len(body)) + body


def decode_update(body: bytes) -> tuple[int, Plan]:
    """The leg's port and its plan."""
    port, *said = marshal.loads(body)  # noqa: S302 - of our own process, and read in a third of the time
    return port, Plan._make(said)


def encode_port(kind: int, port: int) -> bytes:
    """CLEAR, STOP, GIVE_WAY, UNBRIDGE, QUERY and SILENT: a leg and nothing else; WANT: how many ports."""
    return _PORT_FRAME.pack(kind, _PORT.size, port)


def decode_port(body: bytes) -> int:
    """The number that ``encode_port`` packed."""
    port: int = _PORT.unpack(body)[0]
    return port


def encode_bridge(a: int, b: int) -> bytes:
    """Two legs that hear each other."""
    return _PAIR_FRAME.pack(BRIDGE, _PAIR.size, a, b)


def decode_bridge(body: bytes) -> tuple[int, int]:
    """The two legs' ports."""
    a, b = _PAIR.unpack(body)
    return a, b


def encode_play(port: int, token: int, prompt: int, *, loop: bool) -> bytes:
    """Plays the prompt of that number to a leg."""
    return frame(PLAY, _PLAY.pack(port, token, prompt, loop))


def decode_play(body: bytes) -> tuple[int, int, int, bool]:
    """Port, token, prompt number, loop."""
    port, token, prompt, loop = _PLAY.unpack(body)
    return port, token, prompt, bool(loop)


def encode_load(prompt: int, pcmu: int, pcma: int) -> bytes:
    """A prompt whose memory file holds ``pcmu`` octets of PCMU, then ``pcma`` of PCMA."""
    return frame(LOAD, _PROMPT.pack(prompt, pcmu, pcma))


def decode_load(body: bytes) -> tuple[int, int, int]:
    """Prompt number and the lengths of its two sections."""
    prompt, pcmu, pcma = _PROMPT.unpack(body)
    return prompt, pcmu, pcma


def encode_unload(prompt: int) -> bytes:
    """Forgets a prompt; whoever hears it hears it out."""
    return frame(UNLOAD, _PROMPT.pack(prompt, 0, 0))


def encode_ports(kind: int, ports: Sequence[int]) -> bytes:
    """CLOSE: legs of one call; STOCK: ports that are bound and ready for a leg."""
    return frame(kind, struct.pack(f"!{len(ports)}H", *ports))


def decode_ports(body: bytes) -> tuple[int, ...]:
    """The numbers that ``encode_ports`` packed."""
    return struct.unpack(f"!{len(body) // 2}H", body)


def encode_counters(port: int, counters: LegCounters, *, final: bool) -> bytes:
    """A leg's counters; ``final`` when the leg is closed by it."""
    return _COUNTERS_FRAME.pack(COUNTERS, _COUNTERS.size, port, final, *counters)


def decode_counters(body: bytes) -> tuple[int, LegCounters, bool]:
    """Port, counters, final."""
    port, final, *counted = _COUNTERS.unpack(body)
    return port, LegCounters(*counted), bool(final)


def encode_digit(port: int, digit: str, duration_ms: int) -> bytes:
    """One key press on a leg."""
    return frame(DIGIT, _DIGIT.pack(port, digit.encode(), duration_ms))


def decode_digit(body: bytes) -> tuple[int, str, int]:
    """Port, digit, duration in milliseconds."""
    port, digit, duration = _DIGIT.unpack(body)
    return port, digit.decode(), duration


def encode_done(port: int, token: int) -> bytes:
    """A prompt was heard to its end."""
    return frame(DONE, _DONE.pack(port, token))


def decode_done(body: bytes) -> tuple[int, int]:
    """Port and token."""
    port, token = _DONE.unpack(body)
    return port, token


def encode_tally(tally: Tally) -> bytes:
    """The worker's totals, once a second."""
    return frame(
        TALLY,
        _TALLY.pack(
            tally.legs,
            tally.packets_in,
            tally.packets_out,
            tally.strays,
            tally.unknown_payload,
            tally.over_rate,
            tally.ports_bound,
            tally.faults,
        ),
    )


def decode_tally(body: bytes) -> Tally:
    """The totals."""
    return Tally(*_TALLY.unpack(body))
