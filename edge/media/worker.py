"""A media worker: its own process, told what to do over a Unix socket, relaying and playing RTP.

``python -m edge.media.worker FD``: FD is the control socket.  The process ends when that closes; it
ignores SIGINT and SIGTERM, for the main process ends it when its calls are done.
"""

import gc
import mmap
import os
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from edge.descriptors import most, raise_limit
from edge.media import blocks, control
from edge.media.engine import LegCounters
from edge.media.leg import Leg
from edge.media.player import Player, Prompt
from edge.media.ports import Ports
from edge.media.presses import Presses, decode_press
from edge.media.reactor import Reactor
from edge.media.room import even_ports, share_of
from edge.media.tape import Tapes
from edge.media.totals import Totals
from edge.memory import use_large_pages

_BEAT_MS: Final = 250
_BEATS_A_SWEEP: Final = 4
_ANCILLARY: Final = socket.CMSG_SPACE(4)
"""One descriptor comes with a message at most."""
_MAX_WAITING: Final = 4096
"""Control messages that the main process may leave unread before the worker gives up on it."""
_MAX_FAULTS_TOLD: Final = 100


class Worker:
    """Legs, prompts and ports of one process, and the control socket."""

    def __init__(self, sock: socket.socket, reactor: Reactor, config: control.WorkerConfig) -> None:
        self.open = True
        self._sock = sock
        self._reactor = reactor
        self._config = config
        self._legs: dict[int, Leg] = {}
        self._pressing: set[Leg] = set()
        self._prompts: dict[int, Prompt] = {}
        self._outbox: list[bytes] = []
        self._tell = self._outbox.append
        self._waiting: deque[bytes] = deque()
        self._blocked = False
        self._buffer = memoryview(bytearray(control.READ_SIZE))
        self._fds: deque[int] = deque()
        self._beats = 0
        self._faults = 0
        self._totals = Totals()
        self._tapes = Tapes(self._tell_failed)
        share = even_ports(config.first, config.last)[config.index :: config.count]
        numbers, spare = share_of(share, open_files=most(), families=len(config.bind_hosts))
        self._ports = Ports(
            reactor, config.bind_hosts, numbers, self._announce,
            quarantine_s=config.quarantine_s, spare=spare,
        )  # fmt: skip
        self._actions: dict[int, Callable[[bytes, float], None]] = {
            control.WANT: self._want,
            control.UPDATE: self._update,
            control.BRIDGE: self._bridge,
            control.UNBRIDGE: self._unbridge,
            control.CLOSE: self._close,
            control.CLEAR: self._clear,
            control.PLAY: self._play,
            control.PRESS: self._press,
            control.STOP: self._stop,
            control.GIVE_WAY: self._give_way,
            control.LOAD: self._load,
            control.UNLOAD: self._unload,
            control.QUERY: self._query,
            control.PIPE: self._pipe,
            control.RECORD: self._record,
            control.END_RECORDING: self._end_recording,
        }
        reactor.on_fault = self.fault
        reactor.watch(sock.fileno(), self.on_control)
        reactor.pacer.start(self._beat, int(reactor.clock() * 1000))

    def run(self) -> None:
        """Until the control socket closes."""
        while self.open:
            self.round()

    def round(self, timeout: float = -1) -> None:
        """One round of the loop (waits at most ``timeout`` seconds), and what it has to tell."""
        self._reactor.run_once(timeout)
        if self._outbox:
            self._flush()

    def fault(self, error: BaseException) -> None:
        """Something that should not happen did: told to the main process, which logs it."""
        self._faults += 1
        if self._faults <= _MAX_FAULTS_TOLD:
            text = "".join(traceback.format_exception(error))[-4000:]
            self._tell(control.frame(control.FAULT, text.encode(errors="replace")))

    def close(self) -> None:
        """Closes every leg and port."""
        for leg in self._legs.values():
            leg.close()
        self._legs.clear()
        self._ports.close()
        self._tapes.close()
        for fd in self._fds:
            os.close(fd)

    # --- the control socket

    def on_control(self, now: float) -> None:
        """Reads one control message and does what its frames say, in order."""
        if self._waiting:
            self._send_waiting()
        try:
            length, ancillary, _, _ = self._sock.recvmsg_into([self._buffer], _ANCILLARY)
        except BlockingIOError:
            return
        except OSError:
            length, ancillary = 0, []
        for _, _, data in ancillary:
            self._fds.append(int.from_bytes(data[:4], sys.byteorder))
        if not length:
            self.open = False
            return
        for kind, body in control.frames(bytes(self._buffer[:length])):
            try:
                self._actions[kind](body, now)
            except Exception as error:  # one leg's fault must not end the others' calls
                self.fault(error)

    def _flush(self) -> None:
        self._waiting.extend(control.pack(self._outbox))
        self._outbox.clear()
        self._send_waiting()

    def _send_waiting(self) -> None:
        waiting = self._waiting
        try:
            while waiting:
                self._sock.send(waiting[0])
                waiting.popleft()
        except BlockingIOError:
            self.open = len(waiting) <= _MAX_WAITING
        except OSError:
            self.open = False
        if bool(waiting) != self._blocked:
            self._blocked = bool(waiting)
            self._reactor.watch_writable(self._sock.fileno(), self._blocked)

    # --- what the main process may ask

    def _want(self, body: bytes, now: float) -> None:
        self._ports.want(control.decode_port(body), now)

    def _announce(self, ports: list[int]) -> None:
        self._tell(control.encode_ports(control.STOCK, ports))

    def _leg(self, port: int, now: float) -> Leg | None:
        """The leg on a port; one that was announced gets its leg by the first word about it."""
        leg = self._legs.get(port)
        if leg is None and (leg := self._made(port, now)) is not None:
            self._legs[port] = leg
        return leg

    def _made(self, port: int, now: float) -> Leg | None:
        pair = self._ports.get(port)
        if pair is None:
            return None
        return Leg(pair, self._reactor, self._config, now, notify=self._tell, pressing=self._pressing)

    def _update(self, body: bytes, now: float) -> None:
        port, plan = control.decode_update(body)
        leg = self._leg(port, now)
        if leg is not None:
            leg.update(plan, now)

    def _bridge(self, body: bytes, now: float) -> None:
        a, b = control.decode_bridge(body)
        first, second = self._leg(a, now), self._leg(b, now)
        if first is not None and second is not None:
            first.join(second, now)

    def _unbridge(self, body: bytes, _: float) -> None:
        leg = self._legs.get(control.decode_port(body))
        if leg is not None:
            leg.part()

    def _close(self, body: bytes, now: float) -> None:
        for port in control.decode_ports(body):
            counters = self._end(port, now)
            if counters is not None:
                self._tell(control.encode_counters(port, counters, final=True))

    def _clear(self, body: bytes, now: float) -> None:
        """The leg ends, and its call has another use for the port at once."""
        self._end(control.decode_port(body), now, rests=False)

    def _end(self, port: int, now: float, *, rests: bool = True) -> LegCounters | None:
        leg = self._legs.pop(port, None) or self._made(port, now)
        if leg is None:
            return None
        self._pressing.discard(leg)
        leg.close()
        counters = leg.counters()
        self._totals.add(counters)
        self._ports.revive(leg.pair)
        if rests:
            self._ports.rest(leg.pair, now)
        return counters

    def _play(self, body: bytes, now: float) -> None:
        port, token, number, loop = control.decode_play(body)
        leg = self._leg(port, now)
        prompt = self._prompts.get(number)
        if leg is None:
            return
        if prompt is None:
            self._tell(control.encode_done(port, token))
        else:
            leg.perform(lambda voice: Player(leg, voice, token, prompt, loop=loop), now)

    def _press(self, body: bytes, now: float) -> None:
        port, token, payload_type, digits, clock = decode_press(body)
        leg = self._leg(port, now)
        if leg is not None:
            leg.perform(lambda voice: Presses(leg, voice, token, digits, (payload_type, clock)), now)

    def _stop(self, body: bytes, _: float) -> None:
        leg = self._legs.get(control.decode_port(body))
        if leg is not None:
            leg.stop()

    def _give_way(self, body: bytes, _: float) -> None:
        leg = self._legs.get(control.decode_port(body))
        if leg is not None and isinstance(leg.player, Player):
            leg.player.gives_way = True

    def _load(self, body: bytes, _: float) -> None:
        number, pcmu, pcma = control.decode_load(body)
        fd = self._fds.popleft()
        try:
            view = memoryview(mmap.mmap(fd, pcmu + pcma, prot=mmap.PROT_READ))
        finally:
            os.close(fd)
        self._prompts[number] = {"PCMU": view[:pcmu], "PCMA": view[pcmu:]}

    def _unload(self, body: bytes, _: float) -> None:
        self._prompts.pop(control.decode_load(body)[0], None)

    def _query(self, body: bytes, _: float) -> None:
        port = control.decode_port(body)
        leg = self._legs.get(port)
        if leg is not None:
            self._tell(control.encode_counters(port, leg.counters(), final=False))

    # --- recording

    def _pipe(self, _body: bytes, _: float) -> None:
        self._tapes.use(self._fds.popleft())

    def _record(self, body: bytes, now: float) -> None:
        number, port, track = blocks.decode_record(body)
        leg = self._leg(port, now)
        if leg is not None:
            leg.record(self._tapes.track(number, track, now))

    def _end_recording(self, body: bytes, _: float) -> None:
        self._tapes.end(blocks.decode_number(body))

    def _tell_failed(self, number: int) -> None:
        self._tell(blocks.encode_number(control.RECORDING_FAILED, number))

    # --- time

    def _beat(self, tick: int) -> int:
        now = tick / 1000
        self._tend(list(self._pressing), Leg.expire_press, now)
        self._ports.supply(now)
        self._beats += 1
        self._tend(self._shard(self._beats % _BEATS_A_SWEEP), Leg.sweep, now)
        if self._beats % _BEATS_A_SWEEP == 0:
            self._tell_tally()
        return _BEAT_MS

    def _shard(self, number: int) -> list[Leg]:
        """A quarter of the legs, which one beat sweeps: all at once would hold packets up."""
        step = 2 * self._config.count
        return [leg for port, leg in self._legs.items() if port // step % _BEATS_A_SWEEP == number]

    def _tend(self, legs: Iterable[Leg], does: Callable[[Leg, float], None], now: float) -> None:
        for leg in legs:
            try:
                does(leg, now)
            except Exception as error:  # one leg's fault must end neither the others' calls nor the beat
                self.fault(error)

    def _tell_tally(self) -> None:
        """The totals of closed legs (live ones count when they close): also a sign of life."""
        tally = self._totals.tally(len(self._legs), len(self._ports), self._faults)
        self._tell(control.encode_tally(tally))


def _first_word(sock: socket.socket) -> control.WorkerConfig | None:
    """The configuration, None when the main process went away instead."""
    packet = sock.recv(control.READ_SIZE)
    for kind, body in control.frames(packet):
        if kind != control.CONFIGURE:
            raise control.ProtocolError(f"frame {kind} before the configuration")
        return control.decode_configure(body)
    return None


def serve(fd: int) -> None:
    """The life of a worker on the control socket ``fd``."""
    with socket.socket(fileno=fd) as sock, Reactor() as reactor:
        config = _first_word(sock)
        if config is None:
            return
        sock.setblocking(False)
        worker = Worker(sock, reactor, config)
        # What a worker allocates dies by reference counts; a collection would only stop the packets.
        gc.collect()
        gc.freeze()
        gc.disable()
        use_large_pages()
        try:
            worker.run()
        finally:
            worker.close()


def main() -> None:
    """Entry point of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise_limit()
    serve(int(sys.argv[1]))


if __name__ == "__main__":
    main()
