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
from edge.media.dtmf import DtmfReceiver
from edge.media.engine import Dtmf, LegCounters, Plan
from edge.media.latch import Address, Latch, Verdict
from edge.media.player import Player, Prompt, Voice
from edge.media.ports import PortPair, connected_beside
from edge.media.reactor import Reactor
from edge.media.rtcp_path import RtcpPath
from edge.media.rtp import (
    COMFORT_NOISE,
    HEADER_SIZE,
    MARKER,
    STREAM,
    VERSION_2,
    VERSION_MASK,
    Reception,
    header_length,
)

_BUFFER = bytearray(2048)
"""Shared by all legs: the worker has one thread and no packet outlives its handler."""
_VIEW = memoryview(_BUFFER)
_unpack = STREAM.unpack_from

_EVENT: Final = 256
"""Set in the payload table on a telephone-event."""
_HERE_ONLY: Final = 512
"""Set in the payload table on what is known, but not for the other leg."""
_DRAIN: Final = 64


class Leg:
    """A leg's state; ``now`` is monotonic seconds everywhere."""

    __slots__ = (
        "_activity",
        "_dtmf",
        "_limit",
        "_notify",
        "_octets_in",
        "_over_rate",
        "_packets_in",
        "_peer",
        "_quiet_since",
        "_quota",
        "_reactor",
        "_receive",
        "_sink",
        "_strays",
        "_table",
        "_timed_out",
        "_timeout_s",
        "_unknown",
        "heard",
        "latch",
        "octets_out",
        "other",
        "packets_out",
        "pair",
        "plan",
        "player",
        "reception",
        "rtcp",
        "transmit",
        "voice",
    )

    def __init__(
        self,
        pair: PortPair,
        reactor: Reactor,
        notify: Callable[[bytes], None],
        config: control.WorkerConfig,
        now: float,
    ) -> None:
        self.pair = pair
        self.plan = Plan(None)
        self.other: Leg | None = None
        self.player: Player | None = None
        self.voice: Voice | None = None
        self.latch = Latch(config.relatch_silence_s, pair.stale)
        self.reception = Reception()
        self.rtcp = RtcpPath(pair)
        self.transmit: Callable[[memoryview | bytearray], int] = self._send_to
        self.heard = self._quiet_since = now
        self.packets_out = self.octets_out = 0
        self._reactor = reactor
        self._notify = notify
        self._timeout_s = config.media_timeout_s
        self._dtmf: DtmfReceiver | None = None
        self._peer: socket.socket | None = None
        self._receive: Callable[[bytearray], int] = pair.rtp.recv_into
        self._sink: Leg | None = None
        self._table: dict[int, int] = {}
        self._packets_in = self._octets_in = 0
        self._strays = self._unknown = self._over_rate = 0
        self._activity = 0
        self._quota = self._limit = 0
        self._timed_out = False
        pair.user = self

    # --- what the main process asks for

    def update(self, plan: Plan, now: float) -> None:
        """The wanted state, whole."""
        self.plan = plan
        self._table = _payload_table(plan)
        self._quota = max(1, 2000 // plan.ptime_ms)
        self._limit = max(self._limit, self._packets_in + 2 * self._quota)
        self.reception.set_clock(plan.clock_rate)
        if plan.event_payload is not None and self._dtmf is None:
            self._dtmf = DtmfReceiver(plan.clock_rate)
        if self.latch.signal(plan.remote):
            self._leave_peer()
        self.rtcp.update(plan)
        if plan.silence_ok:
            self._quiet_since = now
        self.rewire()

    def join(self, other: "Leg", now: float) -> None:
        """Hears and is heard by ``other`` from now on; whom either was bridged to before is left."""
        if self.other is other:
            return
        self.part()
        other.part()
        for leg, peer in ((self, other), (other, self)):
            leg.other = peer
            leg._quiet_since = now
            leg.start_source()
            leg.rewire()

    def part(self) -> None:
        """Ends the bridge, if there is one."""
        other = self.other
        if other is not None:
            self.other = other.other = None
            self._sink = other._sink = None

    def close(self) -> None:
        """Leaves the port; breaks every cycle, for the collector does not run in a worker."""
        self.part()
        if self.latch.source is not None and self.reception.ssrc is not None:
            self.pair.stale = (self.latch.source, self.reception.ssrc)
        self.player = None
        self._leave_peer()
        self.transmit = _nowhere
        self.pair.user = None

    # --- playing

    def play(self, token: int, prompt: Prompt, now: float, *, loop: bool) -> None:
        """The peer hears the prompt instead of the other leg, until it ends or is stopped."""
        if self.voice is None:
            self.voice = Voice()
        player = self.player = Player(self, self.voice, token, prompt, loop=loop)
        self.rewire()
        self._reactor.pacer.start(player.step, int(now * 1000))

    def stop(self) -> None:
        """Ends the playing; the other leg is heard again."""
        self.player = None
        self.start_source()
        self.rewire()

    def played(self, token: int) -> None:
        """The player came to its end by itself."""
        self.stop()
        self._notify(control.encode_done(self.pair.number, token))

    # --- wiring

    @property
    def destination(self) -> Address | None:
        """Where this leg's peer is sent to."""
        return self.latch.source or self.latch.remote

    @property
    def can_send(self) -> bool:
        """Whether the peer is to be sent to at all."""
        return self.plan.send and self.destination is not None

    def rewire(self) -> None:
        """Works out who hears whom, after anything changed that it depends on."""
        self._point()
        other = self.other
        if other is not None:
            other._point()

    def _point(self) -> None:
        other = self.other
        heard = other is not None and self.plan.receive and other.can_send and other.player is None
        self._sink = other if heard else None

    def start_source(self) -> None:
        """The next packet to the peer is from another source than the last: it gets the marker."""
        self.transmit = self._send_marked

    def _send_marked(self, packet: memoryview | bytearray) -> int:
        packet[1] |= MARKER
        self.transmit = self.send_plain
        return self.send_plain(packet)

    def _send_to(self, packet: memoryview | bytearray) -> int:
        destination = self.destination
        return self.pair.rtp.sendto(packet, destination) if destination else 0

    @property
    def send_plain(self) -> Callable[[memoryview | bytearray], int]:
        """Sends a packet as it is: the connected socket's own method once there is one."""
        return self._send_to if self._peer is None else self._peer.send

    # --- packets

    def on_peer(self, now: float) -> None:
        """The peer's own socket is readable: the hot path."""
        try:
            length = self._receive(_BUFFER)
        except OSError:  # nothing there after all, or the ICMP error of an earlier send
            return
        self._packet(length, now)

    def on_rtp(self, now: float) -> None:
        """The wildcard socket is readable: an unlatched peer's packet, or a stranger's."""
        try:
            length, sender = self.pair.rtp.recvfrom_into(_BUFFER)
        except OSError:
            return
        source: Address = sender[:2]
        if source == self.latch.source:
            self._packet(length, now)
        elif not _is_rtp(length) or _BUFFER[1] not in self._table:
            self._strays += 1
        else:
            self._judge(source, length, now)

    def _judge(self, source: Address, length: int, now: float) -> None:
        sequence, _, ssrc = _unpack(_BUFFER, 2)
        self.latch.ssrc = self.reception.ssrc or 0
        if self.latch.judge(source, ssrc, sequence, now, self.heard) is not Verdict.LATCH:
            self._strays += 1
            return
        self._enter_peer(source)
        self.heard = now
        self._packet(length, now)
        self._drain(source, now)

    def _packet(self, length: int, now: float) -> None:
        byte1 = _BUFFER[1]
        mapped = self._table.get(byte1)
        if mapped is None or not _is_rtp(length):
            self._unmapped(length)
            return
        if self._packets_in >= self._limit:
            self._over_rate += 1
            return
        self._packets_in += 1
        self._octets_in += length
        if mapped < _EVENT:
            sequence, timestamp, ssrc = _unpack(_BUFFER, 2)
            self.reception.add(sequence, timestamp, ssrc, now)
        else:
            self._special(mapped, length, now)
            if mapped & _HERE_ONLY:
                return
        sink = self._sink
        if sink is None:
            return
        _BUFFER[1] = mapped & 0xFF
        try:
            sink.transmit(_VIEW[:length])
        except OSError:  # refused or a full buffer: RTP does not wait
            return
        sink.packets_out += 1
        sink.octets_out += length

    def _special(self, mapped: int, length: int, now: float) -> None:
        """A telephone-event, or audio that is not for the other leg."""
        sequence, timestamp, ssrc = _unpack(_BUFFER, 2)
        if not mapped & _EVENT:
            self.reception.add(sequence, timestamp, ssrc, now)
            return
        self.reception.skip(sequence, ssrc)
        if self._dtmf is not None:
            payload = _VIEW[header_length(_BUFFER, length) : length]
            for press in self._dtmf.receive(timestamp, payload, now):
                self._report(press)

    def _unmapped(self, length: int) -> None:
        if self.plan.rtcp_mux and self.rtcp.take(_BUFFER, length):
            self._pass_rtcp(_VIEW)
        else:
            self._unknown += 1

    def on_rtcp(self, now: float) -> None:
        """The RTCP socket is readable."""
        try:
            length, sender = self.pair.rtcp.recvfrom_into(_BUFFER)
        except OSError:
            return
        if not self.rtcp.is_from_peer(sender[:2], self.destination):
            self._strays += 1
        elif self.rtcp.take(_BUFFER, length):
            self._pass_rtcp(_VIEW)

    def _pass_rtcp(self, packet: memoryview) -> None:
        other = self.other
        if other is None:
            return
        goes_on = packet[: self.rtcp.passable]
        if other.plan.rtcp_mux:
            try:
                other.send_plain(goes_on)
            except OSError:
                return
            other.rtcp.packets_out += 1
        else:
            other.rtcp.send(goes_on, other.latch.source)

    # --- the peer's socket

    def _enter_peer(self, source: Address) -> None:
        self._leave_peer()
        self.rtcp.forget_source()
        try:
            peer = self._peer = connected_beside(self.pair, source)
        except OSError:  # no descriptor left: the wildcard socket serves, a little dearer
            pass
        else:
            self._receive = peer.recv_into
            self._reactor.watch(peer.fileno(), self.on_peer)
        self.start_source()
        self.rewire()

    def _drain(self, source: Address, now: float) -> None:
        """What fell into the peer's socket before it was connected is checked by its source."""
        peer = self._peer
        for _ in range(_DRAIN if peer is not None else 0):
            try:
                length, sender = peer.recvfrom_into(_BUFFER)  # type: ignore[union-attr]
            except OSError:
                return
            if sender[:2] == source:
                self._packet(length, now)
            else:
                self._strays += 1

    def _leave_peer(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            self._reactor.unwatch(peer.fileno())
            peer.close()
            self._receive = self.pair.rtp.recv_into
        self.rtcp.forget_source()
        self.transmit = self._send_to

    # --- time and figures

    def sweep(self, now: float) -> None:
        """Once a second: refills the rate, sees whether the peer is silent."""
        self._limit = min(self._limit + self._quota, self._packets_in + 2 * self._quota)
        self.rtcp.refill()
        activity = self._packets_in + self.rtcp.packets_in
        if activity != self._activity:
            self._activity = activity
            self.heard = self._quiet_since = now
            self._timed_out = False
        elif self.plan.silence_ok:
            self._quiet_since = now
        elif self._is_timed and now - self._quiet_since >= self._timeout_s:
            self._timed_out = True
            self._notify(control.encode_port(control.SILENT, self.pair.number))

    @property
    def _is_timed(self) -> bool:
        """A leg that was never bridged nor heard is only ringing: nobody need talk yet."""
        return not self._timed_out and (self.other is not None or self._activity > 0)

    def expire_press(self, now: float) -> None:
        """Ten times a second: a key press whose end packets were lost."""
        if self._dtmf is not None and self._dtmf.open:
            press = self._dtmf.expire(now)
            if press is not None:
                self._report(press)

    def _report(self, press: Dtmf) -> None:
        self._notify(control.encode_digit(self.pair.number, press.digit, press.duration_ms))

    def counters(self) -> LegCounters:
        """What was counted so far."""
        return LegCounters(
            self._packets_in,
            self.packets_out,
            self._octets_in,
            self.octets_out,
            self._strays + self.rtcp.strays,
            self._unknown,
            self.reception.lost,
            self.reception.jitter_ms,
            self.rtcp.packets_in,
            self.rtcp.packets_out,
            self._over_rate,
        )


def _is_rtp(length: int) -> bool:
    return length >= HEADER_SIZE and _BUFFER[0] & VERSION_MASK == VERSION_2 and length < len(_BUFFER)


def _nowhere(_: memoryview | bytearray) -> int:
    return 0


def _payload_table(plan: Plan) -> dict[int, int]:
    """By an RTP packet's second octet (marker and payload type): what it becomes."""
    known = dict(plan.payloads)
    if known:
        known.setdefault(COMFORT_NOISE, COMFORT_NOISE)  # RFC 3389: gateways send it unnegotiated
    if plan.play_codec is not None:
        known.setdefault(plan.play_payload, _HERE_ONLY)
    event = plan.event_payload
    if event is not None:
        known[event] = _EVENT | plan.payloads.get(event, _HERE_ONLY)
    table = dict(known)
    table.update((received | MARKER, sent | MARKER) for received, sent in known.items())
    return table
