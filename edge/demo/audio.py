"""A phone's RTP: one socket that sends a tone every 20 ms and hears what comes (RFC 3550)."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self, cast

from edge.demo.keys import KeyPacket, presses
from edge.demo.sound import Ear, tone
from edge.media.dtmf import DtmfReceiver
from edge.media.engine import Plan
from edge.media.rtp import HEADER, HEADER_SIZE, MARKER, VERSION_2, VERSION_MASK, header_length

_LAWS = {0: "PCMU", 8: "PCMA"}
_FRAME = 160
_FRAME_S = 0.02


class Audio(asyncio.DatagramProtocol):
    """One call's sound.  ``hertz`` is the tone sent; ``on_sound`` is called after each packet heard,
    ``on_key`` with each key pressed at the other end."""

    def __init__(self, hertz: int, ear: Ear, ssrc: int) -> None:
        self.ear = ear
        self.on_sound: Callable[[], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        self.packets_in = 0
        self.packets_out = 0
        self._hertz = hertz
        self._ssrc = ssrc
        self._plan: Plan | None = None
        self._keys_heard = DtmfReceiver()
        self._keys: deque[KeyPacket] = deque()
        self._key_payload: int | None = None
        self._pressed_at = 0
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, host: str, hertz: int, ear: Ear, ssrc: int) -> AsyncIterator[Self]:
        """Bound to a free port of ``host``; the tone is sent until the block is left."""
        loop = asyncio.get_running_loop()
        transport, audio = await loop.create_datagram_endpoint(
            lambda: cls(hertz, ear, ssrc), local_addr=(host, 0)
        )
        sending = asyncio.create_task(audio._send())
        try:
            yield audio
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            transport.close()

    @property
    def port(self) -> int:
        """The local RTP port."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def follow(self, plan: Plan | None, key_payload: int | None) -> None:
        """Sends where, and what, the latest exchange of descriptions says."""
        self._plan = plan
        self._key_payload = key_payload

    def press(self, digits: str) -> None:
        """Presses keys, one after the other; the tone pauses meanwhile."""
        self._keys.extend(presses(digits))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        if len(data) <= HEADER_SIZE or data[0] & VERSION_MASK != VERSION_2:
            return
        payload_type, payload = data[1] & ~MARKER, data[header_length(data, len(data)) :]
        if self._plan is not None and payload_type == self._plan.event_payload:
            self._hear_key(int.from_bytes(data[4:8], "big"), payload)
        elif payload_type in _LAWS:
            self.packets_in += 1
            self.ear.hear(_LAWS[payload_type], payload)
            if self.on_sound is not None:
                self.on_sound()

    def _hear_key(self, timestamp: int, payload: bytes) -> None:
        for key in self._keys_heard.receive(timestamp, payload, asyncio.get_running_loop().time()):
            if self.on_key is not None:
                self.on_key(key.digit)

    def error_received(self, _error: Exception) -> None:
        """Nobody listens at the other end (any more): the call's signalling will say so."""

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for sequence in itertools.count():
            await asyncio.sleep(start + sequence * _FRAME_S - loop.time())
            plan = self._plan
            if plan is not None and plan.send and plan.remote and plan.play_codec and self._transport:
                self._transport.sendto(self._packet(sequence, plan), plan.remote)
                self.packets_out += 1

    def _packet(self, sequence: int, plan: Plan) -> bytes:
        timestamp = sequence * _FRAME
        key = self._keys.popleft() if self._keys else None
        if key is not None and key.payload and self._key_payload is not None:
            self._pressed_at = timestamp if key.first else self._pressed_at
            return self._header(self._key_payload, key.first, sequence, self._pressed_at) + key.payload
        second = tone(self._hertz, plan.play_codec or "PCMU")
        at = timestamp % len(second)
        header = self._header(plan.play_payload, not self.packets_out, sequence, timestamp)
        return header + second[at : at + _FRAME]

    def _header(self, payload_type: int, marked: bool, sequence: int, timestamp: int) -> bytes:
        return HEADER.pack(
            VERSION_2,
            payload_type | (MARKER if marked else 0),
            sequence & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            self._ssrc,
        )
