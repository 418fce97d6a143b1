"""A phone's RTP: one socket that sends a tone every 20 ms and hears what comes (RFC 3550)."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self, cast

from edge.demo.sound import Ear, tone
from edge.media.engine import Plan
from edge.media.rtp import HEADER, HEADER_SIZE, MARKER, VERSION_2, VERSION_MASK, header_length

_LAWS = {0: "PCMU", 8: "PCMA"}
_FRAME = 160
_FRAME_S = 0.02


class Audio(asyncio.DatagramProtocol):
    """One call's sound.  ``hertz`` is the tone sent; ``listener`` is told after each packet heard."""

    def __init__(self, hertz: int, ear: Ear, ssrc: int) -> None:
        self.ear = ear
        self.listener: Callable[[], None] | None = None
        self.packets_in = 0
        self.packets_out = 0
        self._hertz = hertz
        self._ssrc = ssrc
        self._plan: Plan | None = None
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

    def follow(self, plan: Plan | None) -> None:
        """Sends where, and what, the latest exchange of descriptions says."""
        self._plan = plan

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        if len(data) <= HEADER_SIZE or data[0] & VERSION_MASK != VERSION_2:
            return
        law = _LAWS.get(data[1] & ~MARKER)
        if law is None:
            return
        self.packets_in += 1
        self.ear.hear(law, data[header_length(data, len(data)) :])
        if self.listener is not None:
            self.listener()

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
        header = HEADER.pack(
            VERSION_2,
            plan.play_payload | (0 if self.packets_out else MARKER),
            sequence & 0xFFFF,
            sequence * _FRAME & 0xFFFFFFFF,
            self._ssrc,
        )
        second = tone(self._hertz, plan.play_codec or "PCMU")
        at = sequence * _FRAME % len(second)
        return header + second[at : at + _FRAME]
