"""Sends a copy of every SIP message to a Homer collector; what can not be sent at once is dropped."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Final, Literal, Self

import structlog

from edge.clock import Clock
from edge.sip.events import Flow
from edge.sip.hep import encode
from edge.sip.redaction import without, without_secrets

MAX_WAITING: Final = 5_000
AT_ONCE: Final = 100
WAIT_S: Final = 0.02
LOOK_UP_S: Final = 60.0
"""Seconds between two look-ups of the collector's name."""
START_S: Final = 2.0
"""Seconds that the first one may keep the server from starting."""

log = structlog.get_logger(__name__)


class Exporter:
    """An async context manager; ``note`` is the endpoint's trace hook, and hands on to ``others``.

    ``secrets`` tells of a Call-ID what is in its messages that must not go out.  ``sent`` and ``dropped``
    count messages.  The collector's name is looked up again and again: one that has no address yet, or
    another since, keeps nobody from calling.
    """

    def __init__(self, where: tuple[str, int], agent_id: int, clock: Clock) -> None:
        self._where = where
        self._agent_id = agent_id
        self._clock = clock
        self._waiting: deque[tuple[Literal["in", "out"], Flow, float, bytes, Collection[bytes]]] = deque()
        self._due = False
        self._socket: socket.socket | None = None
        self._address: tuple[Any, ...] = ()
        self._missed = False
        self.others: Callable[[Literal["in", "out"], Flow, bytes, str], None] | None = None
        self.secrets: Callable[[str], Collection[bytes]] = _none
        self.sent = 0
        self.dropped = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                await self._look_up()
        self._following = asyncio.create_task(self._follow(), name="collector")
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._following.cancel()
        await asyncio.wait([self._following])
        self._flush()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def note(self, direction: Literal["in", "out"], flow: Flow, data: bytes, sip_call_id: str) -> None:
        """Takes a message; it is sent a little later, with others."""
        if self.others is not None:
            self.others(direction, flow, data, sip_call_id)
        if len(self._waiting) >= MAX_WAITING or self._socket is None:
            self.dropped += 1
            return
        at_s, secrets = self._clock.utc().timestamp(), self.secrets(sip_call_id)
        self._waiting.append((direction, flow, at_s, data, secrets))
        if not self._due:
            self._due = True
            self._loop.call_later(WAIT_S, self._flush)

    async def _follow(self) -> None:
        """Sends to wherever the collector's name leads by now."""
        while True:
            await asyncio.sleep(LOOK_UP_S)
            await self._look_up()

    async def _look_up(self) -> None:
        try:
            found = await self._loop.getaddrinfo(*self._where, type=socket.SOCK_DGRAM)
            if found[0][4] != self._address:
                self._turn_to(*found[0])
            self._missed = False
        except (OSError, UnicodeError) as error:  # it is no name at all
            if not self._missed:
                log.warning("hep_collector_unknown", host=self._where[0], why=str(error))
            self._missed = True

    def _turn_to(self, family: int, kind: int, protocol: int, _: str, address: tuple[Any, ...]) -> None:
        made = socket.socket(family, kind, protocol)
        try:
            made.setblocking(False)
            made.connect(address)
        except OSError:
            made.close()
            raise
        if self._socket is not None:
            self._socket.close()
        self._socket, self._address = made, address

    def _flush(self) -> None:
        self._due = False
        for _ in range(min(AT_ONCE, len(self._waiting))):
            direction, flow, at_s, data, secrets = self._waiting.popleft()
            clean = without(secrets, without_secrets(data))
            self._send(encode(direction, flow, at_s, self._agent_id, clean))
        if self._waiting and self._socket is not None:
            self._due = True
            self._loop.call_soon(self._flush)

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            return
        # A collector that is away answers by ICMP, which the next send tells: one more try is this packet's.
        for _ in range(2):
            with contextlib.suppress(OSError):
                self._socket.send(packet)
                self.sent += 1
                return
        self.dropped += 1


def _none(_: str) -> Collection[bytes]:
    return ()
