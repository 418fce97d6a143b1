"""Garbage from strangers while the server works: OPTIONS of a carrier, and calls with audio, beside it.

``python -m bench.flood HOST PORT RATE SECONDS`` is the flood itself, a process of its own.
"""

import asyncio
import socket
import struct
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.blast import Blast, media_socket
from bench.calls import caller_number
from bench.load import Ends
from bench.proc import Window, percentile
from bench.ua import SO_TIMESTAMPNS, Address, Agent, Leg
from tests.support.ports import own_address

SOURCES = 200
"""Addresses that the flood comes from: one alone would be banned at once."""
CALLS = 20
PROBE_S = 0.02
"""Seconds between two OPTIONS."""
LATE_S = 2.0
"""Seconds after the last OPTIONS in which its answer still counts."""
GARBAGE = (
    bytes(600),
    bytes(range(256)) * 2,
    b"INVITE sip:" + b"a" * 400,
    b"OPTIONS sip:100@edge SIP/2.0\r\nVia: SIP/2.0/UDP h.test;branch=z9hG4bK1\r\n"
    b"From: <sip:a@h.test>;tag=1\r\nTo: <sip:100@edge>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n",
)


def send(server: Address, rate: int, seconds: float) -> int:
    """``rate`` datagrams a second, from all sources in turn; how many were sent."""
    sources = []
    for _ in range(SOURCES):
        sources.append(socket.socket(type=socket.SOCK_DGRAM))
        sources[-1].bind((own_address(), 0))
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        for _ in range(int(passed * rate) - sent):
            sources[sent % SOURCES].sendto(GARBAGE[sent % len(GARBAGE)], server)
            sent += 1
        time.sleep(0.001)
    return sent


class Prober:
    """Asks OPTIONS again and again from one socket of the carrier; a context manager."""

    def __init__(self, host: str, server: Address) -> None:
        self.host, self.server = host, server
        self.sent: dict[bytes, int] = {}
        self.times_ms: list[float] = []
        self.statuses: set[bytes] = set()

    def __enter__(self) -> "Prober":
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((self.host, 0))
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self._readable)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    async def ask(self, seconds: float) -> None:
        """One question every ``PROBE_S``; an answer that never comes is none of ``times_ms``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._ask(b"%d-probe" % len(self.sent))
            await asyncio.sleep(PROBE_S)
        await asyncio.sleep(LATE_S)

    def _ask(self, call_id: bytes) -> None:
        host, port = self.socket.getsockname()
        to = f"sip:{self.server[0]}:{self.server[1]}"
        lines = (
            f"OPTIONS {to} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id.decode()};rport",
            "Max-Forwards: 70",
            f"From: <sip:carrier@{host}>;tag=1",
            f"To: <{to}>",
            f"Call-ID: {call_id.decode()}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        )
        self.sent[call_id] = time.time_ns()
        self.socket.sendto("\r\n".join((*lines, "", "")).encode(), self.server)

    def _readable(self) -> None:
        while True:
            try:
                raw, ancillary, _, _ = self.socket.recvmsg(4096, 64)
            except BlockingIOError:
                return
            call_id = raw.partition(b"Call-ID: ")[2].partition(b"\r\n")[0]
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            if call_id in self.sent:
                at = seconds * 1_000_000_000 + nanoseconds
                self.times_ms.append((at - self.sent[call_id]) / 1e6)
                self.statuses.add(raw[8:11])


async def flood(server: Address, pid: int, ends: Ends, rate: int, seconds: float) -> dict[str, Any]:
    """The flood for ``seconds``, and what the carrier and its calls felt of it."""
    async with AsyncExitStack() as stack:
        near, far = media_socket(ends.caller[0]), media_socket(ends.target[0])
        stack.callback(near.close)
        stack.callback(far.close)
        caller = await stack.enter_async_context(Agent(*ends.caller, lambda n: near.getsockname()[1]))
        target = await stack.enter_async_context(Agent(*ends.target, lambda n: far.getsockname()[1]))
        prober = stack.enter_context(Prober(ends.caller[0], server))
        legs = [await caller.call(server, ends.number, caller_number(n)) for n in range(CALLS)]
        blast = Blast([(near, _remotes(legs)), (far, _remotes(list(target.legs.values())))])
        command = (sys.executable, "-m", "bench.flood", server[0], str(server[1]), str(rate), str(seconds))
        sender = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        with Window(pid, [sender.pid]) as window:
            media, _ = await asyncio.gather(asyncio.to_thread(blast.run, seconds), prober.ask(seconds))
        sent, _ = await sender.communicate()
        up = [leg for leg in legs if leg.state == "up"]
        await asyncio.gather(*(caller.hang_up(leg) for leg in up))
        ended = sum(leg.ended.done() for leg in up)
    times = prober.times_ms
    return {
        "garbage": int(sent),
        "options": len(prober.sent),
        "options_unanswered": len(prober.sent) - len(times),
        "options_statuses": sorted(status.decode() for status in prober.statuses),
        "options_p99_ms": _round(percentile(times, 99)),
        "options_max_ms": _round(max(times, default=None)),
        "calls": CALLS,
        "calls_disturbed": CALLS - ended,
        "loss_pct": media["loss_pct"],
        "delay_p99_ms": media["delay_p99_ms"],
        "server_cpu_pct": round(100 * window.cpu / window.wall, 1),
        "others_pct": window.others_pct,
    }


def _remotes(legs: list[Leg]) -> list[Address]:
    return [leg.remote for leg in legs if leg.remote is not None]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


if __name__ == "__main__":
    print(send((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), float(sys.argv[4])))
