"""pyVoIP in the tests: its registrar, which is also the hop between the phone and our server.

pyVoIP sends everything, responses too, to the registrar that it was given, and waits for ever
without one.  So a registrar takes its REGISTER (challenged with 401, since 407 stops it) and
hands all else on: from the phone to the server, and from the server to the phone.
"""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.support.ports import free_port, own_address

ROOT = Path(__file__).parent.parent.parent
Address = tuple[str, int]


class Registrar(asyncio.DatagramProtocol):
    """Registers one phone and stands between it and the server; the server knows it by its address."""

    def __init__(self, phone: Address, server: Address) -> None:
        self.phone, self.server = phone, server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: Address) -> None:
        if data.startswith(b"REGISTER "):
            self.transport.sendto(_registered(data), self.phone)
        else:
            self.transport.sendto(data, self.phone if source == self.server else self.server)


def _registered(data: bytes) -> bytes:
    lines = data.decode("utf-8", "replace").split("\r\n")
    kept = [line for line in lines if re.match(r"(Via|From|To|Call-ID|CSeq|Contact):", line)]
    known = any(line.startswith("Authorization:") for line in lines)
    challenge = 'WWW-Authenticate: Digest realm="test", nonce="00", algorithm=MD5, qop="auth"'
    start, extra = ("200 OK", "Expires: 120") if known else ("401 Unauthorized", challenge)
    tagged = [f"{line};tag=registrar" if line.startswith("To:") else line for line in kept]
    return "\r\n".join([f"SIP/2.0 {start}", *tagged, extra, "Content-Length: 0", "", ""]).encode()


@dataclass
class PyVoip:
    """A running phone; ``registrar`` is the address that our server sees."""

    process: asyncio.subprocess.Process
    registrar: Address

    async def event(self, name: str, limit_s: float = 30) -> dict[str, Any]:
        """Waits for one of its lines; raises AssertionError, quoting it, when it ends before."""
        assert self.process.stdout is not None
        async with asyncio.timeout(limit_s):
            while line := await self.process.stdout.readline():
                found: dict[str, Any] = json.loads(line)
                if found["event"] == name:
                    return found
        assert self.process.stderr is not None
        raise AssertionError(f"pyVoIP ended: {(await self.process.stderr.read()).decode()[-3000:]}")


@asynccontextmanager
async def registrar(server: Address, phone: Address, host: str) -> AsyncIterator[Address]:
    """The registrar of one phone, on ``host``."""
    loop = asyncio.get_running_loop()
    # On the phone's own port number: its Via asks for no rport, so answers go to that port (RFC 3261 18.2.2).
    address = (host, phone[1])
    transport, _ = await loop.create_datagram_endpoint(lambda: Registrar(phone, server), local_addr=address)
    try:
        yield address
    finally:
        transport.close()


@asynccontextmanager
async def pyvoip(
    server: Address, host: str, *, dial: str | None, sends_hz: float, hears_hz: float, talk_s: float = 1.5
) -> AsyncIterator[PyVoip]:
    """A pyVoIP phone behind a registrar on ``host``, registered; it dials, or waits for a call."""
    phone_host = own_address()
    phone = (phone_host, free_port(phone_host))
    async with registrar(server, phone, host) as at:
        chosen = {"server": at, "host": phone[0], "port": phone[1], "dial": dial}
        chosen |= {"sends_hz": sends_hz, "hears_hz": hears_hz, "talk_s": talk_s}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "ignore", "-m", "tests.support.pyvoip_phone", json.dumps(chosen)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            made = PyVoip(process, at)
            await made.event("ready")
            yield made
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
