"""One TCP or TLS connection: framed, bounded in time and memory."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

import structlog

from edge.sip.errors import SipParseError
from edge.sip.events import Flow
from edge.sip.framer import MAX_HELD, MAX_MESSAGE, Frame, Framer, Keepalive, Verdict
from edge.sip.tls import certified

Address = tuple[str, int]

MAX_UNSENT: Final = 256 * 1024
"""Bytes that wait for a peer that does not read; beyond it the connection is dropped."""
MAX_TOGETHER: Final = 64 * 1024
"""Bytes that go in one piece."""
BATCH: Final = 30
"""Messages of one connection worked on at one wake, so that nothing else in the loop waits longer than some
milliseconds."""
GONE_S: Final = 10
"""Seconds without any sign of the peer's kernel, after which the connection is lost."""
PROBED_S: Final = 30
"""Seconds of silence after which it is asked for one, which also keeps the way through firewalls open."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How many connections peers may make (``strangers`` among them), and we as many; how many of strangers
    may be in the middle of their TLS handshake, and how long they may take (seconds): for that, for a message
    from its first byte on, without any message."""

    connections: int = 2000
    strangers: int = 1000
    per_address: int = 20
    handshakes: int = 200
    handshakes_per_address: int = 5
    handshake_s: float = 5.0
    message_s: float = 10.0
    idle_s: float = 600.0


class StreamOwner(Protocol):
    """Who is told what happens on the connections."""

    def on_frame(self, frame: Frame, flow: Flow) -> None:
        """A message, or what was none."""
        ...

    def admits(self, host: str, cost: float = 1.0) -> bool:
        """Whether to take a connection from this address, which counts for so many messages."""
        ...

    def pause_s(self, host: str, size: int = 0) -> float | None:
        """Seconds not to read on after a message from this address, or a part of one with so many octets;
        None: nothing more is read of it."""
        ...

    def judge(self, head: bytes, flow: Flow) -> Verdict:
        """What to do with a message, by its header block: one too many is answered here, and skipped."""
        ...

    def is_known(self, host: str) -> bool:
        """Whether an address that is admitted is more than a stranger's."""
        ...

    def pongs(self, flow: Flow) -> bool:
        """Whether to answer a ping."""
        ...

    def on_lost(self, flow: Flow) -> None:
        """The connection is gone, or was never made."""
        ...

    def on_refused(self, why: str, flow: Flow) -> None:
        """A connection that a peer made is not served."""
        ...

    def in_use(self, flow: Flow) -> bool:
        """Whether a dialog still needs a connection that is idle."""
        ...


class Keeper(Protocol):
    """Who keeps the connections: ``Streams``."""

    loop: asyncio.AbstractEventLoop
    owner: StreamOwner
    limits: StreamLimits

    def forget(self, connection: "Connection") -> None:
        """A connection is gone."""
        ...


class Connection(asyncio.Protocol):
    """One connection.  Until it is made, and over TLS the peer's name proven, what is sent waits.

    ``source`` is the address or network that it counts for among the connections; empty for one of ours.
    ``holders`` are whom it is kept for while it is idle, and until when.
    """

    def __init__(self, streams: Keeper, flow: Flow, source: str) -> None:
        self.flow = flow
        self.source = source
        self.stranger = False
        self.holders: dict[Callable[[], None], float] = {}
        self._streams = streams
        self._framer = Framer(self._judge)
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._unsent_octets = 0
        self._overdue: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._heard = False
        self._counted = False  # the next message is the one that its first bytes were counted for
        self._owed_s = 0.0
        self._resting: asyncio.TimerHandle | None = None
        self._aborted = False

    # -- asyncio's calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends what has waited."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        watch(transport.get_extra_info("socket"))
        name = self.flow.name
        if name and not certified(transport.get_extra_info("peercert") or {}, name):
            log.warning("sip_tls_name", remote=self.flow.remote[0], wanted=name)
            transport.abort()
            return
        self.flush()
        self._watch_idle()

    def data_received(self, data: bytes) -> None:
        """Cuts the stream into messages and hands each on before the next is looked at; strangers that send
        too much are cut off, others read more slowly."""
        if not self._is_heard(len(data)):
            return
        self._heard = self._counted = True
        self._read(self._framer.feed(data))

    def _read(self, frames: Iterator[Frame]) -> None:
        """Takes the messages that have come; of a crowd the rest after everybody else's turn."""
        taken = 0
        for frame in islice(frames, BATCH):
            taken += 1
            self._stop_overdue()
            self._take(frame)
        if taken == BATCH and self._transport is not None:
            self._transport.pause_reading()
            self._streams.loop.call_soon(self._read_on, frames)
        elif self._owed_s:
            self._rest()
        else:
            self._expect_more()

    def _read_on(self, frames: Iterator[Frame]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._read(frames)

    def eof_received(self) -> None:
        """The peer says no more; what was said to it goes before we close, too."""
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection, and tells."""
        if self._overdue is not None and not self._aborted:
            self._complain("the connection ended within a message")
        self._stop_overdue()
        for timer in (self._idle, self._resting):
            if timer is not None:
                timer.cancel()
        self._streams.forget(self)

    # -- ours --------------------------------------------------------------------------------------------

    @property
    def made(self) -> bool:
        """Whether it stands, TLS and all."""
        return self._transport is not None

    @property
    def closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport is not None and self._transport.is_closing()

    def send(self, data: bytes) -> bool:
        """Keeps it until connected, and to the end of this turn of the loop: what goes together costs the
        system one call.  False when the peer does not read any more."""
        transport = self._transport
        if transport is None:
            if self._unsent_octets + len(data) > MAX_UNSENT:
                return False
        elif transport.is_closing():
            return False
        elif not self._unsent:
            self._streams.loop.call_soon(self.flush)
        self._unsent.append(data)
        self._unsent_octets += len(data)
        if self._unsent_octets > MAX_TOGETHER and transport is not None:
            self.flush()
        return True

    def flush(self) -> None:
        """Writes what has been kept; a peer that lets too much of it wait is given up."""
        transport = self._transport
        if transport is None:
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_octets = 0
        if data and not transport.is_closing():
            transport.write(data)
            if transport.get_write_buffer_size() > MAX_UNSENT:
                transport.abort()

    def close(self) -> None:
        """Closes, once what was sent has gone."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()

    def _is_heard(self, size: int = 0) -> bool:
        """Counts a message of the peer's, or a part of one; False when that was one too many."""
        pause_s = self._streams.owner.pause_s(self.flow.remote[0], size)
        if pause_s is None:
            self.abort()
            return False
        self._owed_s = max(self._owed_s, pause_s)
        return True

    def _judge(self, head: bytes) -> Verdict:
        """The framer's gate."""
        if not self._counted and not self._is_heard():
            return "stop"
        self._counted = False
        if self.stranger:  # there may be many, and no login is as large as a message may be
            known = self._streams.owner.is_known(self.flow.remote[0])
            self._framer.most = MAX_MESSAGE if known else MAX_HELD
        verdict = self._streams.owner.judge(head, self.flow)
        if verdict == "skip":
            self._stop_overdue()
        return verdict

    def _rest(self) -> None:
        """Reads no more for a while; what the peer sends waits at its end."""
        if self._transport is None or self._transport.is_closing():
            return
        self._stop_overdue()
        if self._resting is not None:
            self._resting.cancel()
        self._transport.pause_reading()
        self._resting = self._streams.loop.call_later(self._owed_s, self._go_on)
        self._owed_s = 0.0

    def _go_on(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()
            self._expect_more()

    def _expect_more(self) -> None:
        """What has begun must be complete in time."""
        if self._framer.pending and self._overdue is None:
            loop = self._streams.loop
            self._overdue = loop.call_later(self._streams.limits.message_s, self._give_up)

    def _give_up(self) -> None:
        self._complain("a message was not complete in time")
        self.abort()

    def _complain(self, why: str) -> None:
        """Tells of a message that never came whole: nobody is to be answered."""
        self._streams.owner.on_frame(SipParseError(why, 0, close=True), self.flow)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Keepalive):
            if self._streams.owner.pongs(self.flow):
                self.send(b"\r\n")  # RFC 5626 3.5.1
            return
        self._streams.owner.on_frame(frame, self.flow)
        if isinstance(frame, Exception) and frame.close:
            self.close()

    def _watch_idle(self) -> None:
        """Closes a connection on which nothing came for a whole period and that no dialog needs."""
        streams = self._streams
        self._idle = streams.loop.call_later(streams.limits.idle_s, self._check_idle)

    def _check_idle(self) -> None:
        if self._heard or self.held_by() or self._streams.owner.in_use(self.flow):
            self._heard = False
            self._watch_idle()
        else:
            self.close()

    def held_by(self) -> list[Callable[[], None]]:
        """Those who still need it."""
        now = self._streams.loop.time()
        return [lost for lost, until in self.holders.items() if until > now]

    def _stop_overdue(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None


def watch(sock: socket.socket | None) -> None:
    """Lets the kernel find out that a peer is gone without a word (a firewall that forgot the connection):
    the next request would wait for it in vain, and so would all others for a quarter of an hour."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBED_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, GONE_S // 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_S * 1000)
