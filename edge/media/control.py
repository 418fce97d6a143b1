"""The control protocol between the main process and a media worker: small typed frames.

One ``SOCK_SEQPACKET`` message carries any number of frames, each ``!BH`` (kind, length of the body)
and its body.  A leg is named by its local RTP port: a port belongs to one worker and rests in
quarantine between two calls, so its number can not be mistaken for an earlier one's; ``CLEAR`` makes room
for the next leg of the same call.  A prompt travels as a sealed memory file beside its frame (SCM_RIGHTS),
so the workers share its pages.

Addresses must be IP literals: a worker never resolves names.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final, Literal

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

Address = tuple[str, int]
Codec = Literal["PCMU", "PCMA"]
Fds = tuple[int, ...]

_HEAD = struct.Struct("!BH")
_PORT = struct.Struct("!H")
_PORT_FRAME = struct.Struct("!BHH")
_PAIR = struct.Struct("!HH")
_PLAN = struct.Struct("!HBBBBHI")
_PLAY = struct.Struct("!HIIB")
_DIGIT = struct.Struct("!HcI")
_DONE = struct.Struct("!HI")
_PROMPT = struct.Struct("!III")
_COUNTERS = struct.Struct("!HB7Qf3Q")
_TALLY = struct.Struct("!8Q")
_CONFIGURE = struct.Struct("!HHHHddd")

_CODECS: Final[tuple[Codec | None, ...]] = (None, "PCMU", "PCMA")
_NO_EVENT: Final = 255
_RECEIVE, _SEND, _MUX, _SILENCE_OK, _REMOTE, _REMOTE_RTCP = 1, 2, 4, 8, 16, 32


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


def frames(packet: bytes) -> Iterator[tuple[int, bytes]]:
    """The frames of one control message; raises ProtocolError when it is cut short."""
    at, end = 0, len(packet)
    while at < end:
        if end - at < _HEAD.size:
            raise ProtocolError("a frame head is cut short")
        kind, length = _HEAD.unpack_from(packet, at)
        at += _HEAD.size
        if end - at < length:
            raise ProtocolError(f"frame {kind} is cut short")
        yield kind, packet[at : at + length]
        at += length


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
    flags = (
        (_RECEIVE if plan.receive else 0)
        | (_SEND if plan.send else 0)
        | (_MUX if plan.rtcp_mux else 0)
        | (_SILENCE_OK if plan.silence_ok else 0)
        | (_REMOTE if plan.remote else 0)
        | (_REMOTE_RTCP if plan.remote_rtcp else 0)
    )
    event = _NO_EVENT if plan.event_payload is None else plan.event_payload
    codec = _CODECS.index(plan.play_codec)
    fixed = _PLAN.pack(port, flags, event, codec, plan.play_payload, plan.ptime_ms, plan.clock_rate)
    pairs = bytes(chain.from_iterable(plan.payloads.items()))
    if plan.remote is not None:
        fixed += _host(plan.remote[0]) + _PORT.pack(plan.remote[1])
    if plan.remote_rtcp is not None:
        fixed += _host(plan.remote_rtcp[0]) + _PORT.pack(plan.remote_rtcp[1])
    return _HEAD.pack(UPDATE, len(fixed) + len(pairs)) + fixed + pairs


def decode_update(body: bytes) -> tuple[int, Plan]:
    """The leg's port and its plan."""
    port, flags, event, codec, play_payload, ptime, clock_rate = _PLAN.unpack_from(body)
    at = _PLAN.size
    remote = remote_rtcp = None
    if flags & _REMOTE:
        remote, at = _take_address(body, at)
    if flags & _REMOTE_RTCP:
        remote_rtcp, at = _take_address(body, at)
    plan = Plan(
        remote,
        remote_rtcp,
        bool(flags & _MUX),
        bool(flags & _RECEIVE),
        bool(flags & _SEND),
        dict(zip(body[at::2], body[at + 1 :: 2], strict=True)),
        None if event == _NO_EVENT else event,
        _CODECS[codec],
        play_payload,
        ptime,
        bool(flags & _SILENCE_OK),
        clock_rate,
    )
    return port, plan


@lru_cache(maxsize=1024)
def _host(host: str) -> bytes:
    octets = host.encode()
    return bytes((len(octets),)) + octets


def _take_address(body: bytes, at: int) -> tuple[Address, int]:
    end = at + 1 + body[at]
    (port,) = _PORT.unpack_from(body, end)
    return (body[at + 1 : end].decode(), port), end + 2


def encode_port(kind: int, port: int) -> bytes:
    """CLOSE, STOP, UNBRIDGE, QUERY and SILENT: a leg and nothing else; WANT: how many ports."""
    return _PORT_FRAME.pack(kind, _PORT.size, port)


def decode_port(body: bytes) -> int:
    """The number that ``encode_port`` packed."""
    port: int = _PORT.unpack(body)[0]
    return port


def encode_bridge(a: int, b: int) -> bytes:
    """Two legs that hear each other."""
    return frame(BRIDGE, _PAIR.pack(a, b))


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


def encode_stock(ports: list[int]) -> bytes:
    """Ports that are bound and ready for a leg."""
    return frame(STOCK, struct.pack(f"!{len(ports)}H", *ports))


def decode_stock(body: bytes) -> tuple[int, ...]:
    """The ready ports."""
    return struct.unpack(f"!{len(body) // 2}H", body)


def encode_counters(port: int, counters: LegCounters, *, final: bool) -> bytes:
    """A leg's counters; ``final`` when the leg is closed by it."""
    return frame(COUNTERS, _COUNTERS.pack(port, final, *counters))


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
