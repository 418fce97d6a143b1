"""The main process's end of one worker: its process, its control socket, its stock of ports."""

import asyncio
import contextlib
import os
import socket
import struct
from array import array
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from edge.alarm import Alarm
from edge.logs import get_logger
from edge.media import blocks, control
from edge.media.engine import Dtmf, LegCounters, MediaEvent, MediaTimeout, MediaUnavailable, PlayDone

if TYPE_CHECKING:
    from edge.media.library import Stored

log = get_logger(__name__)

_FLUSH_S: Final = 0.01
"""Half a packet time: waking a worker costs more than what it is told, so what calls want is gathered."""
_MAX_WAITING: Final = 4096
"""Control messages a worker may leave unread before it counts as hung."""
_GOODBYE_S: Final = 2.0
_CHANCE_OCTETS: Final = 1024
_LOOKS: Final = 5
"""Times that a worker is found silent, one after the other, before it counts as hung."""


class Listener(Protocol):
    """Who hears of a port: a leg of a call."""

    def happened(self, event: MediaEvent) -> None:
        """Something on the leg."""

    def counted(self, counters: LegCounters, *, final: bool) -> None:
        """The leg's counters; ``final`` when it is closed."""


class Link:
    """One life of one worker process; ``on_died`` callbacks run once, when it is over.

    ``free`` is how many ports in stock are promised to no call; those that rest or are being closed are not
    there.  ``stocked`` is how many it had first; ``on_stock`` is called when it has more.
    """

    def __init__(self, sock: socket.socket, process: asyncio.subprocess.Process, stock: int) -> None:
        self.alive = True
        self.tally = control.Tally()
        self.calls = 0
        self.listeners: dict[int, Listener] = {}
        self.on_died: dict[object, Callable[[], None]] = {}
        self.on_stock: Callable[[], None] | None = None
        self.on_recording_failed: Callable[[int], None] | None = None
        self._sock = sock
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.stocked: asyncio.Future[int] = self._loop.create_future()
        self.free = 0
        self._stock: list[int] = []
        self._stock_size = stock
        self._ordered = 0
        self._chance: list[int] = []
        self._frames: list[bytes] = []
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._flusher: asyncio.Handle | None = None
        self._alarm = Alarm(self._loop, self._ring)
        self._next_flush = 0.0
        self._leaves = 0.0
        """When what waits does so at the latest, in the loop's time."""
        self._blocked = False
        self._beats = 0
        self._buffer = memoryview(bytearray(control.READ_SIZE))
        self._ended = asyncio.Event()
        self._actions: dict[int, Callable[[bytes], None]] = {
            control.STOCK: self._on_stock,
            control.COUNTERS: self._on_counters,
            control.DIGIT: self._on_digit,
            control.DONE: self._on_done,
            control.SILENT: self._on_silent,
            control.FAULT: self._on_fault,
            control.TALLY: self._on_tally,
            control.RECORDING_FAILED: self._on_recording_failed,
        }
        self._loop.add_reader(sock.fileno(), self._readable)

    # --- ports

    def order(self) -> None:
        """Orders ports when half of those that are to be free are not."""
        missing = self._stock_size - self.free - self._ordered
        if missing >= self._stock_size // 2:
            self._ordered += missing
            self.send(control.encode_port(control.WANT, missing))

    def promise(self, count: int) -> None:
        """A call may take so many ports, whenever it wants them."""
        self.free -= count
        self.order()

    def forgo(self, count: int) -> None:
        """A call takes so many of what it was promised no more."""
        self.free += count

    def take_port(self, *, promised: bool) -> int:
        """A bound port, chosen at random; raises MediaUnavailable when none is left, but for what others were
        promised."""
        stock = self._stock
        if not stock or not (promised or self.free > 0):
            raise MediaUnavailable("no RTP port is left")
        at = self._draw() % len(stock)
        stock[at], stock[-1] = stock[-1], stock[at]
        port = stock.pop()
        if not promised:
            self.promise(1)
        return port

    def _draw(self) -> int:
        """16 bits of the system's chance, taken in blocks: a port costs no system call."""
        if not self._chance:
            self._chance = array("H", os.urandom(_CHANCE_OCTETS)).tolist()
        return self._chance.pop()

    # --- sending

    def send(self, frame: bytes, patience_s: float = 0.0) -> None:
        """Queues a frame: it leaves when the loop is done with what it is at, all of a busy 10 ms together.

        A lone call's frames wait for nobody, so neither does it cost another wake of ours.  A frame with
        patience waits so long for others to leave with.
        """
        if not self.alive:
            return
        waiting = bool(self._frames)
        self._frames.append(frame)
        if waiting and (self._flusher is not None or self._leaves <= self._next_flush):
            return
        now = self._loop.time()
        due = max(self._next_flush, now + patience_s)
        if waiting and self._leaves <= due:
            return
        self._leaves = due
        if due > now:
            self._alarm.by(due)
        else:
            self.hurry()

    def hurry(self) -> None:
        """What waits for others to leave with goes with what the loop is at."""
        if self._frames and self._flusher is None:
            self._flusher = self._loop.call_soon(self._flush)

    def _ring(self) -> None:
        if self._frames and self._flusher is None:
            self._flush()

    def send_prompt(self, stored: "Stored") -> None:
        """Hands a prompt's memory file over."""
        if self.alive:
            self._pack()
            self._waiting.append((stored.frame, os.dup(stored.fd)))
            self._drain()

    def send_pipe(self, fd: int) -> None:
        """Hands over the pipe to the recorder, which is closed here."""
        if self.alive:
            self._pack()
            self._waiting.append((control.frame(control.PIPE, b""), fd))
            self._drain()
        else:
            os.close(fd)

    def _flush(self) -> None:
        self._flusher = None
        self._next_flush = self._loop.time() + _FLUSH_S
        frames = b"".join(self._frames)
        if 0 < len(frames) <= control.MAX_PACKET and not self._waiting:
            self._frames = []
            self._waiting.append((frames, None))
        else:
            self._pack()
        self._drain()

    def _pack(self) -> None:
        frames, self._frames = self._frames, []
        self._waiting += [(packet, None) for packet in control.pack(frames)]

    def _drain(self) -> None:
        """Sends what waits; when the socket is full, goes on once it is writable."""
        waiting = self._waiting
        try:
            while waiting:
                packet, fd = waiting[0]
                if fd is None:
                    self._sock.send(packet)
                else:
                    socket.send_fds(self._sock, [packet], [fd])
                    os.close(fd)
                waiting.popleft()
        except BlockingIOError:
            if len(waiting) > _MAX_WAITING:
                self._over("it does not read its control socket")
        except OSError as error:
            self._over(str(error))
        if self.alive and bool(waiting) != self._blocked:
            self._blocked = bool(waiting)
            if waiting:
                self._loop.add_writer(self._sock.fileno(), self._drain)
            else:
                self._loop.remove_writer(self._sock.fileno())

    # --- receiving

    def _readable(self) -> None:
        """One message a wake: the loop tells if there are more."""
        try:
            length = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            length = 0
        if length:
            self._read(bytes(self._buffer[:length]))
        else:
            self._over("its control socket closed")

    def _read(self, packet: bytes) -> None:
        try:
            for kind, body in control.frames(packet):
                self._actions[kind](body)
        except (control.ProtocolError, KeyError, struct.error) as error:
            self._over(f"it said what is not in the protocol: {error!r}")

    def _on_stock(self, body: bytes) -> None:
        ports = control.decode_ports(body)
        self._ordered -= len(ports)
        self.free += len(ports)
        self._stock.extend(ports)
        if not self.stocked.done():
            self.stocked.set_result(len(ports))
        if self.on_stock is not None:
            self.on_stock()

    def _on_counters(self, body: bytes) -> None:
        port, counters, final = control.decode_counters(body)
        listener = self.listeners.pop(port, None) if final else self.listeners.get(port)
        if listener is not None:
            listener.counted(counters, final=final)

    def _on_digit(self, body: bytes) -> None:
        port, digit, duration_ms = control.decode_digit(body)
        self._tell(port, Dtmf(digit, duration_ms))

    def _on_done(self, body: bytes) -> None:
        port, token = control.decode_done(body)
        self._tell(port, PlayDone(token))

    def _on_silent(self, body: bytes) -> None:
        self._tell(control.decode_port(body), MediaTimeout())

    def _tell(self, port: int, event: MediaEvent) -> None:
        listener = self.listeners.get(port)
        if listener is not None:
            listener.happened(event)

    def _on_fault(self, body: bytes) -> None:
        log.error("media worker fault", worker=self._process.pid, traceback=body.decode(errors="replace"))

    def _on_recording_failed(self, body: bytes) -> None:
        if self.on_recording_failed is not None:
            self.on_recording_failed(blocks.decode_number(body))

    def _on_tally(self, body: bytes) -> None:
        self.tally = control.decode_tally(body)
        self._beats += 1

    # --- the end

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    async def ended(self, hung_s: float) -> None:
        """Until the worker is gone, or gave no sign of life for that long, without what we sleep through
        ourselves: a machine that stood still, or was moved, gave the worker no time either."""
        look_s, silent = hung_s / _LOOKS, 0
        while self.alive:
            beats, began = self._beats, self._loop.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(look_s):
                    await self._ended.wait()
            if beats != self._beats:
                silent = 0
            elif self._loop.time() - began < 2 * look_s:
                silent += 1
            if silent == _LOOKS:
                self._over("it hangs")

    def _over(self, why: str) -> None:
        if not self.alive:
            return
        log.error("media worker lost", worker=self.pid, reason=why, calls=len(self.on_died))
        self._disconnect()

    def _disconnect(self) -> None:
        self.alive = False
        self.free -= len(self._stock)
        self._stock.clear()
        self._alarm.stop()
        if self._flusher is not None:
            self._flusher.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        for _, fd in self._waiting:
            if fd is not None:
                os.close(fd)
        self._waiting.clear()
        self.listeners.clear()
        died, self.on_died = self.on_died, {}
        for tell in died.values():
            tell()
        self._ended.set()

    async def close(self) -> None:
        """Closes the control socket, which ends the worker; one that stays is killed."""
        if self.alive:
            self._disconnect()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
