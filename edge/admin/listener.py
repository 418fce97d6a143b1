"""Runs an application on a listening address, with bounds that aiohttp itself does not set."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from edge.admin.problem import NO_HURRY, Handler
from edge.logs import Sparing
from edge.settings import Address

MOST = 256
FIRST_REQUEST_S = 15.0
IDLE_S = 30.0
YOUNG_S = 1.0
# An answer is on its way for so long after it was made, as far as the network takes it.
ANSWER_S = 0.25
# An answer that nobody reads for so long may be given up where others wait, and is after some more.
UNREAD_S = 10.0
STUCK_S = 60
LOOKED_AT = 64
LINGER_S = 1.0
SHUTDOWN_S = 5.0


_sparing = Sparing(time.monotonic)


def _brief(record: logging.LogRecord) -> bool:
    """Malformed HTTP from outside is one line, not a traceback, and few of them in a second; who leaves in
    the middle of a request is nobody's mistake."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectionError):
        return False
    if isinstance(error, HttpProcessingError):
        withheld = _sparing.allows()
        if withheld is None:
            return False
        record.exc_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        said = repr(error.message[:200])
        record.msg, record.args = "malformed HTTP request: %s (%d more withheld)", (said, withheld)
    return True


_log = logging.getLogger("edge.http")
_log.addFilter(_brief)


class _Arriving(asyncio.Protocol):
    """A connection before it is counted."""

    def __init__(self, take: Callable[[asyncio.Transport], None]) -> None:
        self._take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._take(transport)


class Listener:
    """An application on ``host:port`` while in the block; port 0 takes a free one.

    At most ``most`` connections; one that brings no whole request within 15 s is closed, but for a route that
    is in no hurry, and so is one that idles for 30 s.  When all are taken, the oldest that has brought no
    request makes room, else the one whose next one is under way for longest, else who idles, or leaves its
    answer unread, for longest: neither silent connections nor those that browsers keep lock anybody out.
    """

    def __init__(self, application: web.Application, address: Address, most: int = MOST) -> None:
        self._application = application
        self._wanted = address
        self._most = most
        self._unheard: dict[web.RequestHandler, asyncio.TimerHandle] = {}
        self._sending: dict[web.RequestHandler, float] = {}
        self._idle: dict[web.RequestHandler, float] = {}
        self.addresses: tuple[tuple[str, int], ...] = ()

    async def __aenter__(self) -> Self:
        self._application.on_response_prepare.append(self._hear)
        self._application.middlewares.append(self._heard_out)
        self._runner = web.AppRunner(
            self._application,
            access_log=None,
            logger=_log,
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
            shutdown_timeout=SHUTDOWN_S,
            max_line_size=8190,
            max_field_size=8190,
        )
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(self._arriving, *self._wanted)
        except OSError:
            await self._runner.cleanup()
            raise
        self.addresses = tuple(s.getsockname()[:2] for s in self._server.sockets)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for timer in self._unheard.values():
            timer.cancel()
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Those that there are now."""
        return len(self._runner.server.connections) if self._runner.server is not None else 0

    @property
    def url(self) -> str:
        """``http://host:port`` as really bound."""
        host, port = self.addresses[0]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @web.middleware
    async def _heard_out(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A request is whole with the last octet of its body, however long its answer takes."""
        request.content.on_eof(lambda: self._keep(request))
        request[NO_HURRY] = partial(self._keep, request)
        if self._idle.pop(request.protocol, None) is None:
            # Its first: the task serves the connection for as long as that lasts, and no answer outlives it.
            request.task.add_done_callback(partial(self._gone, request.protocol))
        elif not request.content.is_eof():
            self._sending[request.protocol] = asyncio.get_running_loop().time()
        try:
            return await handler(request)
        finally:
            self._idle[request.protocol] = asyncio.get_running_loop().time()

    async def _hear(self, request: web.Request, _response: web.StreamResponse) -> None:
        self._keep(request)

    def _gone(self, protocol: web.RequestHandler, _task: "asyncio.Task[None]") -> None:
        self._idle.pop(protocol, None)
        self._sending.pop(protocol, None)

    def _keep(self, request: web.Request) -> None:
        self._sending.pop(request.protocol, None)
        timer = self._unheard.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()

    def _arriving(self) -> asyncio.Protocol:
        return _Arriving(self._take)

    def _take(self, transport: asyncio.Transport) -> None:
        """Counts a connection in, or closes it."""
        server = self._runner.server
        assert server is not None
        if len(server.connections) >= self._most and not self._make_room():
            transport.abort()
            return
        if len(self._unheard) >= 2 * self._most:
            self._forget_ended()
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_S * 1000
        )
        protocol = server()
        loop = asyncio.get_running_loop()
        self._unheard[protocol] = loop.call_later(FIRST_REQUEST_S, self._reap, protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)

    def _forget_ended(self) -> None:
        """Those who left without a word: what is known of silent connections stays bounded however fast
        they come and go."""
        for protocol in [one for one in self._unheard if one.transport is None]:
            self._unheard.pop(protocol).cancel()

    def _make_room(self) -> bool:
        """A new connection that said nothing yet goes last: many may have come at once."""
        return self._end_silent(YOUNG_S) or self._end_sending() or self._end_idle() or self._end_silent(0.0)

    def _end_silent(self, for_s: float) -> bool:
        """Closes the oldest connection without a request, so old at least; False if there is none."""
        now = asyncio.get_running_loop().time() + FIRST_REQUEST_S
        while self._unheard:
            protocol, timer = next(iter(self._unheard.items()))
            alive = protocol.transport is not None
            if alive and timer.when() > now - for_s:
                return False
            timer.cancel()
            self._reap(protocol)
            if alive:
                return True
        return False

    def _end_idle(self) -> bool:
        """Closes the connection that idles for longest; False if there is none."""
        now = asyncio.get_running_loop().time()
        for protocol, since in list(islice(self._idle.items(), LOOKED_AT)):
            if now - since < ANSWER_S:
                break
            transport = protocol.transport
            if not isinstance(transport, asyncio.Transport):
                del self._idle[protocol]
            elif not transport.get_write_buffer_size():
                del self._idle[protocol]
                protocol.force_close()
                return True
            elif now - since >= UNREAD_S:
                del self._idle[protocol]
                transport.abort()
                return True
        return False

    def _end_sending(self) -> bool:
        """Closes the connection whose later request is under way for longest; False if there is none."""
        protocol, since = next(iter(self._sending.items()), (None, 0.0))
        if protocol is None or asyncio.get_running_loop().time() - since < YOUNG_S:
            return False
        del self._sending[protocol]
        protocol.force_close()
        return True

    def _reap(self, protocol: web.RequestHandler) -> None:
        self._unheard.pop(protocol, None)
        if protocol.transport is not None:
            protocol.force_close()
