"""RTP load by a small C loop (``rtpblast.c``, built on first use): send, receive, match, time."""

import ctypes
import os
import socket
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("rtpblast.c")
BUCKET_MS = 0.02


class Flow(ctypes.Structure):
    """One direction of one call, as the C side declares it."""

    _fields_ = (
        ("fd_index", ctypes.c_int32),
        ("dst_ip", ctypes.c_uint32),
        ("dst_port", ctypes.c_uint16),
        ("seq", ctypes.c_uint16),
        ("ts", ctypes.c_uint32),
        ("ssrc", ctypes.c_uint32),
        ("sent", ctypes.c_uint64),
        ("received", ctypes.c_uint64),
        ("send_errors", ctypes.c_uint64),
    )


class Socket(ctypes.Structure):
    """A receiving socket; ``peer_flow`` -2: shared by all calls of its side."""

    _fields_ = (
        ("fd", ctypes.c_int32),
        ("peer_flow", ctypes.c_int32),
        ("rx_tagged", ctypes.c_uint64),
        ("rx_other", ctypes.c_uint64),
        ("crossed", ctypes.c_uint64),
        ("last_ns", ctypes.c_uint64),
        ("max_gap_ns", ctypes.c_uint64),
    )


COUNTERS = ("sent", "rx_tagged", "rx_other", "crossed", "late_ticks", "max_late_us", "hist_over")


class Totals(ctypes.Structure):
    """What a run counted; ``hist`` has the delays in steps of 20 µs."""

    _fields_ = (*((name, ctypes.c_uint64) for name in COUNTERS), ("hist", ctypes.c_uint32 * 10000))


def _library() -> ctypes.CDLL:
    built = Path(tempfile.gettempdir()) / f"edge-rtpblast-{os.getuid()}-{SOURCE.stat().st_mtime_ns}.so"
    if not built.exists():
        fresh = built.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(fresh), str(SOURCE)], check=True)
        fresh.rename(built)
    return ctypes.CDLL(str(built))


def media_socket(host: str) -> socket.socket:
    """One large-buffered socket that all calls of one side share."""
    made = socket.socket(type=socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        made.bind((host, 0))
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


class Blast:
    """50 packets a second each way on every call, between two shared sockets."""

    def __init__(self, sides: Sequence[tuple[socket.socket, Sequence[tuple[str, int]]]]) -> None:
        self._library = _library()
        self._sockets = (Socket * len(sides))()
        flows = [(i, remote) for i, (_, remotes) in enumerate(sides) for remote in remotes]
        flows = flows[0::2] + flows[1::2]  # the ends of a call talk at different moments
        self._flows = (Flow * len(flows))()
        for i, (media, _) in enumerate(sides):
            self._sockets[i].fd, self._sockets[i].peer_flow = media.fileno(), -2
        for i, (index, (host, port)) in enumerate(flows):
            flow = self._flows[i]
            flow.fd_index, flow.dst_port = index, port
            flow.dst_ip = struct.unpack("=I", socket.inet_aton(host))[0]
            flow.seq, flow.ts, flow.ssrc = 100, 16000, 0x10000000 + i

    def run(self, seconds: float) -> dict[str, Any]:
        """Talks for ``seconds`` and waits 0.3 s for the last; loss in percent, delay in ms."""
        totals = Totals()
        code = self._library.rb_run(
            *(self._flows, len(self._flows), self._sockets, len(self._sockets)),
            *(ctypes.c_double(seconds), ctypes.c_double(0.3), 20, 160, ctypes.byref(totals)),
        )
        if code:
            raise OSError(-code, os.strerror(-code))
        sent, received = int(totals.sent), int(totals.rx_tagged)
        return {
            "sent": sent,
            "received": received,
            "loss_pct": round(100 * (sent - received) / max(1, sent), 4),
            "delay_p50_ms": _percentile(totals.hist, received, 0.5),
            "delay_p99_ms": _percentile(totals.hist, received, 0.99),
            "load_late_ticks": int(totals.late_ticks),
        }


def _percentile(histogram: Sequence[int], total: int, part: float) -> float | None:
    reached = 0
    for bucket, count in enumerate(histogram):
        reached += count
        if total and reached >= part * total:
            return round((bucket + 1) * BUCKET_MS, 2)
    return None
