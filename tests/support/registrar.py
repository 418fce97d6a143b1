"""A small registrar over UDP: challenges, wants a least time, keeps bindings, may be told to fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from edge.sip.message import Request, respond
from edge.sip.parser import parse
from edge.sip.server_digest import ServerDigest

LEAST_S = 120


class Registrar(asyncio.DatagramProtocol):
    """``bindings`` are Contacts by the address of record; ``seen`` the methods and Expires, in order."""

    def __init__(self, host: str, username: str, password: str) -> None:
        self.host = host
        self.port = 0
        self.bindings: dict[str, str] = {}
        self.seen: list[tuple[int, str]] = []
        self.failing = 0
        self._account = (username, password)
        self._digest = ServerDigest("carrier", b"secret of the tests")
        self._transport: Any = None
        self._answers: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # What is said again, since our answer was late, is answered again and seen but once.
        if data not in self._answers:
            self._answers[data] = self._answer(data, addr)
        self._transport.sendto(self._answers[data], addr)

    def _answer(self, data: bytes, addr: tuple[str, int]) -> bytes:
        request = parse(data)
        assert isinstance(request, Request) and request.method == "REGISTER"
        request.note_source(*addr)
        status, headers = self._judged(request)
        expires = request.headers.get("Expires") or ""
        self.seen.append((status, expires))
        response = respond(request, status, None, "registrar")
        response.headers.items.extend(headers)
        return response.to_bytes()

    def _judged(self, request: Request) -> tuple[int, list[tuple[str, str]]]:
        if self.failing:
            return self.failing, []
        username, password = self._account
        judged = self._digest.judge(request, lambda name: password if name == username else None, 0.0)
        if judged.verdict != "accepted":
            values = self._digest.challenges(0.0)
            return 401, [("WWW-Authenticate", value) for value in values]
        expires, contact = int(request.headers.get("Expires") or 0), request.headers.get("Contact") or ""
        if 0 < expires < LEAST_S:
            return 423, [("Min-Expires", str(LEAST_S))]
        if not expires:
            self.bindings.pop(request.headers.get("To") or "", None)
            return 200, []
        self.bindings[request.headers.get("To") or ""] = contact
        return 200, [("Contact", f"{contact};expires={expires}")]


@asynccontextmanager
async def registrar(host: str, username: str, password: str) -> AsyncIterator[Registrar]:
    """A running registrar on a free port of ``host``."""
    loop = asyncio.get_running_loop()
    transport, running = await loop.create_datagram_endpoint(
        lambda: Registrar(host, username, password), (host, 0)
    )
    try:
        yield running
    finally:
        transport.close()
