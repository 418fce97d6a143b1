"""One leg in the worker: latching, relay to the other leg, telephone-events, counters.

The relay passes packets as they are: sequence numbers, timestamps and SSRC stay the sender's, so
that RTCP reports remain true; only the payload type is mapped.  What we play ourselves has an SSRC
of the leg's own, and each change between the two starts with the marker bit: to a receiver every
source is one unbroken stream of its own (RFC 3550 §8).
"""

import socket
from collections.abc import Callable
from typing import Final

from edge.media import control
from edge.media.buffer import BUFFER, FIRST, SIZE, VIEW
from edge.media.dtmf import DtmfReceiver
from edge.media.engine import Dtmf, LegCounters, Plan
from edge.media.latch import Address, Latch, Verdict
from edge.media.outlet import Outlet
from edge.media.payloads import EVENT, HERE_ONLY, RECORDED, payload_table
from edge.media.player import Player, Voice, make_way
from edge.media.ports import PortPair, Sender
from edge.media.presses import Presses
from edge.media.reactor import Reactor
from edge.media.rtcp import is_rtcp_type
from edge.media.rtcp_path import RtcpPath
from edge.media.rtp import HEADER_SIZE, STREAM, VERSION_2, VERSION_MASK, Reception, header_length
from edge.media.silence import Silence
from edge.media.tape import CODES, LAWS, Track

_unpack = STREAM.unpack_from
_NO_PLAN: Final = Plan(None)
_DRAIN: Final = 64
_PACKETS_A_SECOND: Final = 100
"""The least bound on a peer: twice the rate of 20 ms packets."""
_PRESSES_A_SECOND: Final = 20
"""Nobody presses keys faster: more would only keep the main process busy."""


class Leg:
    """A leg's state; ``now`` is monotonic seconds everywhere."""

    __slots__ = (
        "_dtmf",
        "_latch",
        "_limit",
        "_notify",
        "_octets_in",
        "_over_rate",
        "_packets_in",
        "_presses_left",
        "_pressing",
        "_quota",
        "_reactor",
        "_receive",
        "_reception",
        "_rtcp",
        "_silence",
        "_sink",
        "_strays",
        "_table",
        "_track",
        "_unknown",
        "_voice",
        "other",
        "out",
        "pair",
        "plan",
        "player",
    )

    def __init__(
        self,
        pair: PortPair,
        reactor: Reactor,
        config: control.WorkerConfig,
        now: float,
        *,
        notify: Callable[[bytes], None],
        pressing: "set[Leg]",
    ) -> None:
        """``notify`` takes frames for the main process; in ``pressing`` are the legs with a key down."""
        self.pair = pair
        self.plan = _NO_PLAN
        self.other: Leg | None = None
        self.player: Player | Presses | None = None
        self._latch = Latch(config.relatch_silence_s, pair.stale)
        self.out = Outlet(pair, reactor, self._latch)
        self._rtcp = RtcpPath(pair)
        self._reception = Reception()
        self._silence = Silence(config.media_timeout_s, now)
        self._voice: Voice | None = None
        self._dtmf: DtmfReceiver | None = None
        self._pressing = pressing
        self._presses_left = _PRESSES_A_SECOND
        self._reactor = reactor
        self._notify = notify
        self._receive: Callable[[bytearray], int] = pair.rtp.recv_into
        self._sink: Outlet | None = None
        self._table: dict[int, int] = {}
        self._track: Track | None = None
        self._packets_in = self._octets_in = self._strays = self._unknown = self._over_rate = 0
        self._quota = self._limit = 0
        pair.user = self

    # --- what the main process asks for

    def update(self, plan: Plan, now: float) -> None:
        """The wanted state, whole."""
        self.plan = plan
        self._table = payload_table(plan, recorded=self._track is not None)
        # What a peer wants to get in a packet says little of what it sends: seldom less than 20 ms.
        self._quota = max(_PACKETS_A_SECOND, 2000 // max(1, plan.ptime_ms))
        self._limit = max(self._limit, self._packets_in + 2 * self._quota)
        self._reception.set_clock(plan.clock_rate)
        self.out.update(plan)
        self._rtcp.update(plan)
        if plan.silence_ok:
            self._silence.restart(now)
        self._rewire()

    def join(self, other: "Leg", now: float) -> None:
        """Hears and is heard by ``other`` from now on; whom either was bridged to before is left."""
        if self.other is other:
            return
        self.part()
        other.part()
        self.other, other.other = other, self
        for leg in (self, other):
            leg._silence.restart(now)
            leg.out.start_source()
        self._rewire()

    def part(self) -> None:
        """Ends the bridge, if there is one."""
        other = self.other
        if other is not None:
            self.other = other.other = None
            self._sink = other._sink = None

    def perform(self, make: Callable[[Voice], Player | Presses], now: float) -> None:
        """The peer hears a prompt, or keys, instead of the other leg, until it ends or is stopped."""
        self._voice = self._voice or Voice()
        player = self.player = make(self._voice)
        self._rewire()
        self._reactor.pacer.start(player.step, int(now * 1000))

    def record(self, track: Track) -> None:
        """What the peer says from now on is that track of a recording."""
        self._track = track
        self._table = payload_table(self.plan, recorded=True)

    def stop(self) -> None:
        """Ends the playing; the other leg is heard again."""
        if self.player is not None:
            self.player = None
            self.out.start_source()
            self._rewire()

    def played(self, token: int) -> None:
        """The player came to its end by itself."""
        self.stop()
        self._notify(control.encode_done(self.pair.number, token))

    def close(self) -> None:
        """Leaves the port; breaks every cycle, for the collector does not run in a worker."""
        self.part()
        if self._latch.source is not None and self._reception.ssrc is not None:
            self.pair.stale = (self._latch.source, self._reception.ssrc)
        self.player = None
        self.out.close()
        self.pair.user = None

    def _rewire(self) -> None:
        """Works out who hears whom, after anything changed that it depends on."""
        other = self.other
        if other is not None:
            heard = self.plan.receive and other.out.is_open and other.player is None
            self._sink = other.out if heard else None
            heard = other.plan.receive and self.out.is_open and self.player is None
            other._sink = self.out if heard else None

    # --- packets

    def on_rtp(self, now: float) -> None:
        """The wildcard socket is readable: an unlatched peer's packet, or a stranger's."""
        try:
            length, sender = self.pair.rtp.recvfrom_into(BUFFER)
        except OSError:
            return
        source: Address = sender[:2]
        if source == self._latch.source:
            self._packet(now, length)
        elif not self._may_latch(length):
            self._strays += 1
        else:
            self._judge(source, sender, length, now)

    def _may_latch(self, length: int) -> bool:
        """Whether it is RTP of the plan's payload types.  To hear a prompt, a peer may talk in any codec."""
        if not HEADER_SIZE <= length < SIZE or BUFFER[0] & VERSION_MASK != VERSION_2:
            return False
        return BUFFER[1] in self._table or (not self.plan.payloads and not is_rtcp_type(BUFFER[1]))

    def _judge(self, source: Address, sender: Sender, length: int, now: float) -> None:
        sequence, _, ssrc = _unpack(BUFFER, 2)
        self._latch.ssrc = self._reception.ssrc
        if self._latch.judge(source, ssrc, sequence, now, self._silence.heard) is not Verdict.LATCH:
            self._strays += 1
            return
        self._rtcp.forget_source()
        self._silence.heard = now
        peer = self.out.enter_peer(sender, self._packet)
        self._receive = (peer or self.pair.rtp).recv_into
        self._rewire()
        self._packet(now, length)
        if peer is not None:
            self._drain(peer, source, now)

    def _drain(self, peer: socket.socket, source: Address, now: float) -> None:
        """What fell into the peer's socket before it was connected is checked by its source."""
        for _ in range(_DRAIN):
            try:
                length, sender = peer.recvfrom_into(BUFFER)
            except OSError:
                return
            if sender[:2] == source:
                self._packet(now, length)
            else:
                self._strays += 1

    def _packet(self, now: float, length: int = -1) -> None:
        """The hot path: the peer's own socket is readable, or ``length`` octets of its are in the buffer.

        What is called straight from a slot is looked up the slow way (CPython 3.11): hence the locals.
        """
        if length < 0:
            receive = self._receive
            try:
                length = receive(BUFFER)
            except OSError:  # nothing there after all, or the ICMP error of an earlier send
                return
        mapped = self._table.get(BUFFER[1])
        if mapped is None or not HEADER_SIZE <= length < SIZE or BUFFER[0] & VERSION_MASK != VERSION_2:
            self._unmapped(length)
            return
        packets = self._packets_in
        if packets >= self._limit:
            self._over_rate += 1
            return
        self._packets_in = packets + 1
        self._octets_in += length
        if mapped < EVENT:
            sequence, timestamp, ssrc = _unpack(BUFFER, 2)
            self._reception.add(sequence, timestamp, ssrc, now)
        else:
            self._special(mapped, length, now)
            if mapped & HERE_ONLY:
                return
        sink = self._sink
        if sink is None:
            make_way(self.other)
            return
        BUFFER[1] = mapped & 0xFF
        transmit = sink.transmit
        try:
            transmit(FIRST[length])
        except OSError:  # refused or a full buffer: RTP does not wait
            return
        sink.packets_out += 1
        sink.octets_out += length

    def _special(self, mapped: int, length: int, now: float) -> None:
        """A telephone-event, or audio that is recorded or not for the other leg."""
        sequence, timestamp, ssrc = _unpack(BUFFER, 2)
        if not mapped & EVENT:
            self._reception.add(sequence, timestamp, ssrc, now)
            if mapped & RECORDED and self._track is not None:
                law = LAWS.get(BUFFER[1] & 0x7F, CODES[self.plan.play_codec or "PCMU"])
                octets = VIEW[header_length(BUFFER, length) : length]
                self._track.add(law, (timestamp, ssrc), octets, now)
            return
        self._reception.skip(sequence, ssrc)
        dtmf = self._dtmf = self._dtmf or DtmfReceiver(self.plan.clock_rate)
        payload = VIEW[header_length(BUFFER, length) : length]
        for press in dtmf.receive(timestamp, payload, now, ssrc):
            self._report(press)
        if dtmf.open:
            self._pressing.add(self)

    def _unmapped(self, length: int) -> None:
        if self.plan.rtcp_mux and self._rtcp.take(BUFFER, length):
            self._pass_rtcp()
        else:
            self._unknown += 1

    def on_rtcp(self, now: float) -> None:
        """The RTCP socket is readable."""
        try:
            length, sender = self.pair.rtcp.recvfrom_into(BUFFER)
        except OSError:
            return
        if not self._rtcp.is_from_peer(sender[:2], self.out.destination):
            self._strays += 1
        elif self._rtcp.take(BUFFER, length):
            self._pass_rtcp()

    def _pass_rtcp(self) -> None:
        other = self.other
        if other is not None:
            other._rtcp.send(FIRST[self._rtcp.passable], other.out, mux=other.plan.rtcp_mux)

    # --- time and figures

    def sweep(self, now: float) -> None:
        """Once a second: refills the rate, sees whether the peer is silent."""
        self._limit = min(self._limit + self._quota, self._packets_in + 2 * self._quota)
        self._rtcp.refill()
        self._presses_left = _PRESSES_A_SECOND
        activity = self._packets_in + self._unknown + self._rtcp.packets_in
        if self._silence.sweep(activity, self.plan, now, bridged=self.other is not None):
            self._notify(control.encode_port(control.SILENT, self.pair.number))

    def expire_press(self, now: float) -> None:
        """Ten times a second while a key is down: its end packets may be lost."""
        press = self._dtmf.expire(now) if self._dtmf is not None else None
        if press is not None:
            self._report(press)
        if self._dtmf is None or not self._dtmf.open:
            self._pressing.discard(self)

    def _report(self, press: Dtmf) -> None:
        if self._presses_left:
            self._presses_left -= 1
            self._notify(control.encode_digit(self.pair.number, press.digit, press.duration_ms))

    def counters(self) -> LegCounters:
        """What was counted so far."""
        return LegCounters(
            self._packets_in,
            self.out.packets_out,
            self._octets_in,
            self.out.octets_out,
            self._strays,
            self._unknown,
            self._reception.lost,
            self._reception.jitter_ms,
            self._rtcp.packets_in,
            self._rtcp.packets_out,
            self._over_rate,
        )
