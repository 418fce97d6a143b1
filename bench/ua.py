"""A small SIP end for load: caller or target, with kernel time stamps on what it receives.

It knows just what a load run needs (UDP, one offer, one answer, BYE from the caller) and reports
errors instead of raising them.
"""

import asyncio
import os
import re
import socket
import struct
import time
from collections.abc import Callable

SO_TIMESTAMPNS = 35  # the kernel's own time of arrival, on the realtime clock
Address = tuple[str, int]


def sdp(host: str, port: int) -> str:
    """An offer or answer of PCMU and telephone-event."""
    lines = ["v=0", f"o=load 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP 0 101", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000"]
    return "\r\n".join([*lines, "a=fmtp:101 0-15", "a=ptime:20", "a=sendrecv", ""])


def media_address(body: str) -> Address:
    """Where an SDP wants its audio; raises ValueError when it has none."""
    connection = re.search(r"^c=IN IP4 ([\d.]+)", body, re.M)
    audio = re.search(r"^m=audio (\d+)", body, re.M)
    if connection is None or audio is None or audio[1] == "0":
        raise ValueError("no audio in the SDP")
    return connection[1], int(audio[1])


LONG = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}


class Message:
    """A received message, split no further than load needs."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.setdefault(LONG.get(name, name), []).append(value.strip())
        self.status = int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0
        self.method = self.one("cseq").split()[1] if self.status else self.start.split()[0]

    def one(self, name: str) -> str:
        """The first value of a header, empty when it is missing."""
        return self.headers.get(name, [""])[0]


def uri_in(value: str) -> str:
    """The URI of a name-addr or addr-spec."""
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def uri_address(uri: str) -> Address:
    """Host and port that a URI names."""
    found = re.match(r"sips?:(?:[^@]*@)?([^:;>?]+)(?::(\d+))?", uri)
    if found is None:
        raise ValueError(f"no SIP URI: {uri}")
    return found[1], int(found[2] or 5060)


class Leg:
    """One dialog of the load: ``state`` is new, up, gone, timeout or ``rejected N``."""

    def __init__(self, call_id: str, tag: str, media_port: int) -> None:
        self.call_id, self.tag, self.media_port = call_id, tag, media_port
        self.state = "new"
        self.remote: Address | None = None
        self.uri = self.contact = self.local = self.peer = ""
        self.routes: list[str] = []
        self.to: Address = ("", 0)
        self.sent_ns = self.answered_ns = 0
        self.cseq = 1
        self.answer = b""
        loop = asyncio.get_running_loop()
        self.heard, self.settled, self.ended = (
            loop.create_future(),
            loop.create_future(),
            loop.create_future(),
        )


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Agent:
    """A UDP socket with its legs; a context manager."""

    def __init__(self, host: str, port: int, media_port: Callable[[int], int]) -> None:
        self.address, self.media_port = (host, port), media_port
        self.legs: dict[str, Leg] = {}
        self.arrived_ns: dict[str, int] = {}  # caller's user part -> arrival of its INVITE
        self.errors: list[str] = []
        self._unique, self._count = os.urandom(5).hex(), 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Agent":
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind(self.address)
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self._readable)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    async def call(self, server: Address, number: str, caller: str, timeout_s: float = 15) -> Leg:
        """Places a call; returns when it is up, rejected or timed out."""
        self._count += 1
        leg = Leg(f"{self._unique}-{self._count}@load", f"c{self._count}", self.media_port(self._count))
        leg.uri, leg.to = f"sip:{number}@{server[0]}:{server[1]}", server
        leg.local = f"<sip:{caller}@{self.address[0]}>;tag={leg.tag}"
        leg.peer = f"<{leg.uri}>"
        self.legs[leg.call_id] = leg
        request = self._request(leg, "INVITE", 1, sdp(self.address[0], leg.media_port))
        leg.sent_ns = time.time_ns()
        await self._until(request, leg.to, leg.heard)
        try:
            await asyncio.wait_for(asyncio.shield(leg.settled), timeout_s)
        except TimeoutError:
            leg.state = "timeout"
        return leg

    async def hang_up(self, leg: Leg) -> None:
        """BYE, until it is answered."""
        leg.cseq += 1
        await self._until(self._request(leg, "BYE", leg.cseq), self._next_hop(leg), leg.ended)
        self.legs.pop(leg.call_id, None)

    async def _until(self, data: bytes, to: Address, done: "asyncio.Future[None]") -> None:
        wait_s = 0.5
        for _ in range(6):
            self.socket.sendto(data, to)
            try:
                return await asyncio.wait_for(asyncio.shield(done), wait_s)
            except TimeoutError:
                wait_s = min(wait_s * 2, 4)
        return None

    def _request(self, leg: Leg, method: str, cseq: int, body: str = "") -> bytes:
        self._count += 1
        host, port = self.address
        lines = [
            f"{method} {leg.contact or leg.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self._unique}{self._count}",
            f"From: {leg.local}",
            f"To: {leg.peer}",
            f"Call-ID: {leg.call_id}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *(f"Route: {route}" for route in leg.routes),
        ]
        if body:
            lines += [f"Contact: <sip:load@{host}:{port}>", "Content-Type: application/sdp"]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def _next_hop(self, leg: Leg) -> Address:
        return uri_address(uri_in(leg.routes[0]) if leg.routes else leg.contact)

    def _reply(self, message: Message, to: Address, status: str, tag: str, body: str = "") -> None:
        self.socket.sendto(self._response(message, status, tag, body), to)

    def _response(self, message: Message, status: str, tag: str, body: str = "") -> bytes:
        peer = message.one("to")
        lines = [f"SIP/2.0 {status}", *(f"Via: {via}" for via in message.headers.get("via", []))]
        lines += [f"Record-Route: {route}" for route in message.headers.get("record-route", [])]
        lines += [
            f"From: {message.one('from')}",
            f"To: {peer if ';tag=' in peer else f'{peer};tag={tag}'}",
            f"Call-ID: {message.one('call-id')}",
            f"CSeq: {message.one('cseq')}",
            f"Contact: <sip:load@{self.address[0]}:{self.address[1]}>",
            *(["Content-Type: application/sdp"] if body else []),
        ]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def _readable(self) -> None:
        while True:
            try:
                raw, ancillary, _, source = self.socket.recvmsg(65535, 64)
            except BlockingIOError:
                return
            at = time.time_ns()
            for _, kind, data in ancillary:
                if kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", data)
                    at = seconds * 1_000_000_000 + nanoseconds
            try:
                self._take(Message(raw), source, at)
            except (ValueError, IndexError) as error:
                self.errors.append(f"{error!r} in {raw[:60]!r}")

    def _take(self, message: Message, source: Address, at: int) -> None:
        leg = self.legs.get(message.one("call-id"))
        if message.status:
            if leg is not None:
                self._take_response(leg, message, source, at)
        elif message.method == "INVITE":
            self._take_invite(leg, message, source, at)
        elif message.method == "ACK":
            if leg is not None:
                leg.state = "up"
                _settle(leg.settled)
        else:
            self._reply(message, source, "200 OK", leg.tag if leg else "x")
            if message.method == "BYE" and leg is not None:
                leg.state = "gone"

    def _take_response(self, leg: Leg, message: Message, source: Address, at: int) -> None:
        if message.method == "BYE":
            return _settle(leg.ended)
        _settle(leg.heard)
        if message.status < 200:
            return None
        if message.status >= 300:
            leg.state = f"rejected {message.status}"
            self.socket.sendto(self._ack_of_refusal(leg, message), source)
            return _settle(leg.settled)
        leg.peer, leg.contact = message.one("to"), uri_in(message.one("contact"))
        leg.routes = list(reversed(message.headers.get("record-route", [])))
        if not leg.answered_ns:
            leg.answered_ns, leg.remote = at, media_address(message.body)
        self.socket.sendto(self._request(leg, "ACK", 1), self._next_hop(leg))
        leg.state = "up"
        return _settle(leg.settled)

    def _ack_of_refusal(self, leg: Leg, message: Message) -> bytes:
        lines = [f"ACK {leg.uri} SIP/2.0", f"Via: {message.one('via')}", f"From: {leg.local}"]
        lines += [f"To: {message.one('to')}", f"Call-ID: {leg.call_id}", "CSeq: 1 ACK"]
        return "\r\n".join([*lines, "Max-Forwards: 70", "Content-Length: 0", "", ""]).encode()

    def _take_invite(self, leg: Leg | None, message: Message, source: Address, at: int) -> None:
        if leg is not None:  # a retransmission, or a re-INVITE of what is up
            body = sdp(self.address[0], leg.media_port) if leg.state == "up" else ""
            if body:
                self._reply(message, source, "200 OK", leg.tag, body)
            elif leg.answer:
                self.socket.sendto(leg.answer, source)
            return
        user = uri_in(message.one("from")).partition(":")[2].partition("@")[0]
        self.arrived_ns.setdefault(user, at)
        self._count += 1
        leg = Leg(message.one("call-id"), f"t{self._count}", self.media_port(self._count))
        leg.remote = media_address(message.body)
        self.legs[leg.call_id] = leg
        self._reply(message, source, "180 Ringing", leg.tag)
        leg.answer = self._response(message, "200 OK", leg.tag, sdp(self.address[0], leg.media_port))
        task = asyncio.create_task(self._until(leg.answer, source, leg.settled))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
