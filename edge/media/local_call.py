"""A call's media on a worker process, as the calls room sees it."""

import asyncio
import ipaddress
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Self

from edge.logs import get_logger
from edge.media import control
from edge.media.addresses import Addresses
from edge.media.engine import LegCounters, MediaEvent, MediaLeg, MediaUnavailable, Plan, PlayDone, WorkerDied
from edge.media.library import Library
from edge.media.link import Link
from edge.media.presses import encode_press
from edge.media.recording import LocalRecording, RecorderLink
from edge.media.room import PORTS_A_CALL

log = get_logger(__name__)

_NOTHING = LegCounters()
_CLOSE_S: Final = 0.1
"""Nobody waits for a leg to be closed but the record, unless its call gives slots back: it shares a wake of
the worker, and of ours when that answers, with other calls that end or start."""


class LocalLeg:
    """A leg on a worker.  See ``engine.MediaLeg``."""

    __slots__ = ("_call", "_link", "_peer", "_played", "_token", "counters", "host", "on_event", "port")

    def __init__(self, call: "LocalCall", worker: Link, host: str, port: int, peer: str) -> None:
        self.host = host
        self.port = port
        self.on_event: Callable[[MediaEvent], None] | None = None
        self.counters = _NOTHING
        self._call = call
        self._link = worker
        self._peer = peer
        self._token = 0
        self._played = False

    def host_for(self, heard: str) -> str:
        """Our address as a peer reaches it that receives audio at ``heard``; raises NoAddress."""
        return self._call.addresses.toward(self._peer, heard)

    def update(self, plan: Plan) -> None:
        """The wanted state, whole.  An address that is no unicast IP literal counts as not known."""
        self._link.send(control.encode_update(self.port, _checked(plan)))

    def play(self, source: str, *, loop: bool = False) -> int:
        """Plays a loaded prompt or ``tone:ringback``; one that is not loaded is done at once."""
        self._token += 1
        stored = self._call.library.get(source)
        if stored is None:
            log.warning("prompt is not loaded", prompt=source)
            asyncio.get_running_loop().call_soon(self.happened, PlayDone(self._token))
        else:
            self._played = True
            self._link.send(control.encode_play(self.port, self._token, stored.number, loop=loop))
        return self._token

    def press(self, digits: str, payload_type: int, clock_rate: int) -> int:
        """Presses keys to the peer as telephone-events; ``PlayDone`` of the token answered ends them."""
        self._token += 1
        self._played = True
        self._link.send(encode_press(self.port, self._token, payload_type, digits, clock_rate))
        return self._token

    def give_way(self) -> None:
        """What ``play`` started goes on until the leg that it is bridged with is heard."""
        if self._played:
            self._link.send(control.encode_port(control.GIVE_WAY, self.port))

    def stop(self) -> None:
        """Stops what ``play`` started."""
        if self._played:
            self._played = False
            self._link.send(control.encode_port(control.STOP, self.port))

    def happened(self, event: MediaEvent) -> None:
        """From the worker: passed to ``on_event``."""
        if self.on_event is not None:
            self.on_event(event)

    def counted(self, counters: LegCounters, *, final: bool) -> None:
        """From the worker."""
        self.counters = counters
        self._call.answered(self, final=final)


class LocalCall:
    """A call's media on one worker.  See ``engine.MediaCall``."""

    __slots__ = (
        "_closing",
        "_counted",
        "_elsewhere",
        "_kept",
        "_legs",
        "_link",
        "_over",
        "_owed",
        "_queried",
        "_queue",
        "_recorder",
        "_tell",
        "_waiters",
        "addresses",
        "library",
        "ready",
    )

    def __init__(
        self,
        worker: Link,
        addresses: Addresses,
        library: Library,
        recorder: Callable[[], RecorderLink | None],
        *,
        elsewhere: Callable[[], Link],
        queue: "deque[LocalCall]",
    ) -> None:
        """``worker`` has room for the call, or is being restarted.  ``elsewhere`` answers one that has, and
        raises MediaUnavailable; in ``queue`` are the calls that wait for one.  ``recorder`` answers the one
        that there is now."""
        self.library = library
        self._recorder = recorder
        self.addresses = addresses
        self._elsewhere = elsewhere
        self._queue = queue
        self._tell: Callable[[], None] | None = None
        self._legs: dict[int, LocalLeg] = {}
        self._closing: set[int] = set()
        self._queried: set[int] = set()
        self._counted: dict[int, LegCounters] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._over = False
        self._kept: tuple[int, ...] = ()
        self._owed = 0
        self._link = worker
        self.ready = False
        if worker.free >= PORTS_A_CALL:
            self._live_on(worker)

    def _live_on(self, worker: Link) -> None:
        self._link = worker
        self.ready = True
        self._owed = PORTS_A_CALL
        worker.promise(PORTS_A_CALL)
        worker.calls += 1
        worker.on_died[self] = self._worker_died

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def await_ports(self, tell: Callable[[], None]) -> None:
        """Calls ``tell`` once it is ``ready``, if that is before it is closed."""
        self._tell = tell
        self._queue.append(self)

    def its_turn(self, worker: Link) -> None:
        """``worker`` has room for it, if it waits yet."""
        tell, self._tell = self._tell, None
        if tell is not None and not self._over and not self.ready:
            self._live_on(worker)
            tell()

    def leg(self, peer: str = "", heard: str = "") -> LocalLeg:
        """A new leg toward a peer, on a port that is bound already; raises NoAddress, and MediaUnavailable: a
        third one has been promised nothing."""
        if self._over:
            raise MediaUnavailable("the call's media is closed")
        host = self.addresses.toward(peer, heard)
        if not self.ready:
            self._live_on(self._elsewhere())
        if self._kept:
            port, *kept = self._kept
            self._kept = tuple(kept)
        else:
            port = self._link.take_port(promised=self._owed > 0)
            if self._owed:
                self._owed -= 1
        leg = LocalLeg(self, self._link, host, port, peer)
        self._legs[leg.port] = leg
        self._link.listeners[leg.port] = leg
        return leg

    def bridge(self, a: MediaLeg, b: MediaLeg) -> None:
        """Relays between two legs, both ways, as their plans say."""
        self._link.send(control.encode_bridge(a.port, b.port))

    @property
    def can_record(self) -> bool:
        """Whether there is a recorder now."""
        recorder = self._recorder()
        return recorder is not None and recorder.alive and not self._over

    def record(self, name: str, tracks: int, limit_s: float) -> LocalRecording:
        """A recording of legs of this call; raises MediaUnavailable without a recorder."""
        recorder = self._recorder()
        if recorder is None or not self.can_record:
            raise MediaUnavailable("there is no recorder")
        return LocalRecording(recorder, self._link, name, tracks, limit_s)

    def unbridge(self) -> None:
        """Every leg of the call is on its own again."""
        for port in self._legs:
            self._link.send(control.encode_port(control.UNBRIDGE, port))

    def close_leg(self, leg: MediaLeg) -> None:
        """Gives the leg's ports back; a leg that is closed already stays so.

        What the call was promised it still has, for the next target that it dials: another port while this
        one rests, or this one if there is no other.
        """
        own = self._legs.get(leg.port)
        if own is None or own is not leg:  # a later one has the port by now
            return
        del self._legs[own.port]
        own.on_event = None
        link = self._link
        if len(self._legs) + len(self._kept) + self._owed < PORTS_A_CALL:
            if link.free <= 0:
                self._keep(own.port)
                return
            self._owed += 1
            link.promise(1)
        if link.alive:
            self._closing.add(own.port)
        link.send(control.encode_port(control.CLOSE, own.port), _CLOSE_S)

    def _keep(self, port: int) -> None:
        """The port is the call's next leg's.  Whom it served until now is not heard on it any more."""
        self._kept = (*self._kept, port)
        self._link.listeners.pop(port, None)
        self._queried.discard(port)
        self._link.send(control.encode_port(control.CLEAR, port), _CLOSE_S)
        self._wake()

    async def counters(self) -> dict[int, LegCounters]:
        """The open legs' counters now, by local port; empty if the worker is gone."""
        for port in self._legs:
            self._link.send(control.encode_port(control.QUERY, port))
        if self._link.alive:
            self._queried.update(self._legs)
        if self._closing or self._queried:
            await self._answers()
        return {port: leg.counters for port, leg in self._legs.items()} if self._link.alive else {}

    async def finish(self, *, hurry: bool = False) -> dict[int, LegCounters]:
        """Closes everything, at once if somebody waits for it; counters by local port, empty if the worker is
        gone."""
        self._close()
        if hurry:
            self._link.hurry()
        if self._closing or self._queried:
            await self._answers()
        return self._counted if self._link.alive else {}

    def answered(self, leg: LocalLeg, *, final: bool) -> None:
        """The worker told a leg's counters; ``final`` when it has closed it."""
        self._queried.discard(leg.port)
        if final:
            self._closing.discard(leg.port)
            self._counted[leg.port] = leg.counters
        self._wake()

    def _answers(self) -> asyncio.Future[None]:
        """Done when the worker has answered everything, or is gone (a hung one is replaced)."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def _wake(self) -> None:
        """Wakes who waits, if everything has been answered."""
        if self._queried or self._closing:
            return
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._over:
            self._link.on_died.pop(self, None)

    def _close(self) -> None:
        if self._over:
            return
        self._over = True
        if self.ready:
            self._link.calls -= 1
            self._link.forgo(self._owed)
        for leg in self._legs.values():
            leg.on_event = None
        ports = [*self._legs, *self._kept]
        if self._link.alive:
            self._closing.update(self._legs)
        self._legs = {}
        if ports:
            self._link.send(control.encode_ports(control.CLOSE, ports), _CLOSE_S)
        self._wake()

    def _worker_died(self) -> None:
        """A call that has no leg has lost nothing: it takes its first port from another worker."""
        self.ready = False
        self._over = self._over or bool(self._legs)
        legs, self._legs = self._legs, {}
        self._closing.clear()
        self._queried.clear()
        self._wake()
        for leg in legs.values():
            if leg.on_event is not None:
                leg.on_event(WorkerDied())
                return


def _checked(plan: Plan) -> Plan:
    """What a stranger's SDP made a plan of, within what a worker can do.

    A worker never resolves names, and RTP never goes to a multicast or broadcast address; a packet
    time or clock rate beyond all codecs counts as the usual one.
    """
    remote, rtcp = plan.remote, plan.remote_rtcp
    remote = remote if remote is not None and 0 < remote[1] < 65536 and _is_unicast(remote[0]) else None
    rtcp = rtcp if rtcp is not None and 0 < rtcp[1] < 65536 and _is_unicast(rtcp[0]) else None
    ptime = plan.ptime_ms if 10 <= plan.ptime_ms <= 200 else 20
    rate = plan.clock_rate if 8000 <= plan.clock_rate <= 192_000 else 8000
    if (remote, rtcp, ptime, rate) == (plan.remote, plan.remote_rtcp, plan.ptime_ms, plan.clock_rate):
        return plan
    return plan._replace(remote=remote, remote_rtcp=rtcp, ptime_ms=ptime, clock_rate=rate)


@lru_cache(4096)
def _is_unicast(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        log.warning("media address is not an IP literal", address=host)
        return False
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")
