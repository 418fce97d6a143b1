"""A caller for load over one TLS connection, an open loop: few builds of SIPp speak TLS.

``python -m bench.stream`` is the caller itself, a process of its own: it reads a ``Load`` from its standard
input, as JSON, and prints what it placed.
"""

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from typing import Final, cast

from bench.load import Ends, Load, Placed
from bench.ua import sdp

ANSWER_S: Final = 10.0
"""Seconds after which a call without a final answer, or a BYE without one, has failed."""
STEP_S: Final = 0.005
_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE)
_CALL: Final = re.compile(rb"\r\nCall-ID: (\d+)@")
_TAG: Final = re.compile(rb"\r\nTo: [^\r]*;tag=([^\r;]+)")


class Caller(asyncio.Protocol):
    """The connection with all its calls, of which ``waiting`` are not over."""

    def __init__(self, load: Load) -> None:
        self.server, self.number, self.hold_s = load.server, load.ends.number, load.hold_s
        self.asked: dict[int, float] = {}
        self.answers_ms: list[float] = []
        self.good = self.waiting = 0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.host, self.contact = host, f"<sip:load@{host}:{port};transport=tls>"
        self._offer = sdp(host, 30000)

    def call(self, n: int) -> None:
        """Places the n-th call."""
        self.asked[n] = time.monotonic()
        self.waiting += 1
        self._request("INVITE", n, 1, "", self._offer)

    def data_received(self, data: bytes) -> None:
        buffer, at = self._buffer + data, 0
        while (end := buffer.find(b"\r\n\r\n", at)) >= 0:
            head = buffer[at:end]
            length = _LENGTH.search(head)
            after = end + 4 + (int(length[1]) if length else 0)
            if after > len(buffer):
                break
            at = after
            self._take(head)
        self._buffer = buffer[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting = 0

    def _take(self, head: bytes) -> None:
        if not head.startswith(b"SIP/2.0 ") or head[8:9] == b"1":
            return
        call, tag = _CALL.search(head), _TAG.search(head)
        if call is None or tag is None:
            return
        n, answered = int(call[1]), head.startswith(b"SIP/2.0 200")
        if b" BYE\r\n" in head:
            self.good += answered
            self.waiting -= 1
        elif n in self.asked:
            self._answered(n, f";tag={tag[1].decode()}", answered)

    def _answered(self, n: int, tag: str, answered: bool) -> None:
        waited_s = time.monotonic() - self.asked.pop(n)
        self._request("ACK", n, 1, tag)
        if answered and waited_s < ANSWER_S:
            self.answers_ms.append(1000 * waited_s)
            asyncio.get_running_loop().call_later(self.hold_s, self._request, "BYE", n, 2, tag)
        else:
            self.waiting -= 1

    def _request(self, method: str, n: int, cseq: int, tag: str, body: str = "") -> None:
        lines = [
            f"{method} sip:{self.number}@{self.server} SIP/2.0",
            f"Via: SIP/2.0/TLS {self.host};branch=z9hG4bK{n}{method}",
            "Max-Forwards: 70",
            f"From: <sip:+12125550100@{self.host}>;tag=f{n}",
            f"To: <sip:{self.number}@{self.server}>{tag}",
            f"Call-ID: {n}@{self.host}",
            f"CSeq: {cseq} {method}",
            f"Contact: {self.contact}",
            *(["Content-Type: application/sdp"] if body else []),
        ]
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self.transport.write(text.encode())


async def place(load: Load) -> Placed:
    """The calls at their rate, whatever becomes of them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, _, port = load.server.rpartition(":")
    _, caller = await asyncio.get_running_loop().create_connection(
        lambda: Caller(load), host, int(port), ssl=context, local_addr=(load.ends.caller[0], 0)
    )
    began, first, placed = time.monotonic(), time.time_ns(), 0
    while placed < load.calls and not caller.transport.is_closing():
        due = min(load.calls, 1 + int((time.monotonic() - began) * load.rate))
        for n in range(placed, due):
            caller.call(first + n)
        placed = due
        await asyncio.sleep(STEP_S)
    until = time.monotonic() + load.hold_s + ANSWER_S
    while caller.waiting and time.monotonic() < until:
        await asyncio.sleep(STEP_S)
    caller.transport.abort()
    return Placed(caller.good, [round(answer, 1) for answer in caller.answers_ms])


def run(load: Load) -> Placed:
    """The calls, placed by a process of its own."""
    command = (sys.executable, "-m", "bench.stream")
    done = subprocess.run(command, input=json.dumps(load), stdout=subprocess.PIPE, text=True, check=True)
    return Placed(*json.loads(done.stdout))


def main() -> None:
    """``python -m bench.stream``."""
    server, ends, *rest = json.load(sys.stdin)
    print(json.dumps(asyncio.run(place(Load(server, Ends(*ends), *rest)))))


if __name__ == "__main__":
    main()
