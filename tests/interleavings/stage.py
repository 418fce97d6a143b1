"""A caller, our real calls and their targets on one loop of virtual time, over a network that plays tricks
with datagrams, or breaks connections.

The edge is the real stack and the real call coroutine; only the store (``store``), the media engine and the
sockets are stand-ins.  The peers are stacks too, told by a test what to do next.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

from edge.calls.breaker import Breaker
from edge.calls.leg import Leg as CallLeg
from edge.calls.outbound import OutboundLoad
from edge.calls.peers import Peers
from edge.calls.ports import CallLimits, RefusedCall
from edge.calls.services import CallServices
from edge.calls.switch import Switch
from edge.calls.trace import TraceBook
from edge.media.codecs import is_voice
from edge.media.engine import LegCounters, MediaEvent, MediaUnavailable, NoAddress, Plan, PlayDone, Recording
from edge.media.plans import plan_for
from edge.media.room import PORTS_A_CALL
from edge.media.sdp import parse
from edge.media.streams import codecs_of, direction_of
from edge.model.action import Action
from edge.model.callers import NO_PAST, CallerPast
from edge.model.cap import Cap
from edge.model.config import Number
from edge.model.prompts import CampaignPrompts
from edge.routing.snapshot import Snapshot
from edge.sip.core import Usage
from edge.sip.events import Allow, Destination, Flow, OutgoingCall, Transport
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
from edge.sip.stack import Stack
from edge.sip.timers import NEVER
from edge.sip.uri import parse_uri
from tests.interleavings.lines import Lines
from tests.interleavings.store import Store
from tests.routing import world
from tests.support.virtual_time import VirtualClock, VirtualLoop

Address = tuple[str, int]
EDGE, CALLER = "192.0.2.1", "192.0.2.10"
TARGETS: Final = ("192.0.2.21", "192.0.2.22", "192.0.2.23")
PLAIN, GREETED, PRESSED, WHISPERED = (f"+1800555010{n}" for n in range(4))
RING_S: Final = 10
LINES: Final = 2
"""Calls at once that a target takes."""


class Air:
    """Datagrams between nodes: lost, doubled, late and out of order, as its figures say."""

    def __init__(self, loop: VirtualLoop, chance: random.Random) -> None:
        self.loop = loop
        self.random = chance
        self.loss = self.copies = self.jitter_s = 0.0
        self.transport: Transport = "udp"
        self.lines = Lines(loop, chance, lambda: self.jitter_s)
        self.nodes: dict[Address, Node] = {}
        self.log: list[tuple[float, bytes, Address, Address]] = []

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """Sends one datagram, as well as this network can."""
        self.log.append((self.loop.time(), data, source, target))
        copies = int(self.random.random() >= self.loss) + int(self.random.random() < self.copies)
        for _ in range(copies):
            self.deliver(0.005 + self.random.random() * self.jitter_s, data, source, target)

    def at(self, host: str, port: int = 5060) -> Destination:
        """Somebody on this network."""
        return Destination(self.transport, host, port)

    def recent(self, seconds: float) -> list[tuple[bytes, Address, Address]]:
        """What was sent in the last so many seconds."""
        since = self.loop.time() - seconds
        return [(data, source, target) for at, data, source, target in self.log if at >= since]

    def deliver(self, after_s: float, data: bytes, source: Address, target: Address) -> None:
        """It arrives after so long."""
        node = self.nodes.get(target)
        if node is not None:
            self.loop.call_later(after_s, node.receive, data, source)


class Generous:
    """Any dialog gives way, the caller's as well, to whoever asks from its peer's address."""

    def gives_way(self, request: Request, flow: Flow, usage: Usage | None) -> bool:
        return usage is not None and usage.flow.remote[0] == flow.remote[0]

    def refused(self, request: Request, flow: Flow, usage: Usage | None, status: int) -> None:
        pass


class Node:
    """A stack with its timer; what ``Endpoint`` is with sockets."""

    def __init__(self, air: Air, host: str, on_call: Callable[[Invite], None]) -> None:
        self.air, self.address = air, (host, 5060)
        air.nodes[self.address] = self
        self._tokens = itertools.count()
        self._awake = False
        self._timer: asyncio.TimerHandle | None = None
        self.stack = Stack(
            self, air.loop.time, self, access=self, on_call=on_call, wake=self._wake, replacing=Generous(),
        )  # fmt: skip

    def send(self, data: bytes, flow: Flow) -> bool:
        if flow.connection:
            return self.air.lines.send(data, flow)
        self.air.carry(data, self.address, flow.remote)
        return True

    def route(self, destination: Destination, local: tuple[str, int] | None = None) -> Flow:
        remote = (destination.host, destination.port)
        if destination.transport == "tcp":
            return self.air.lines.toward(self, destination, self.air.nodes.get(remote))
        return Flow("udp", self.address, remote)

    def way(self, host: str) -> None:
        return None

    def hang_up(self, flow: Flow) -> None:
        return None

    def alive(self, flow: Flow) -> bool:
        return not flow.connection or self.air.lines.alive(flow)

    def sent_by(self, flow: Flow) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def token(self) -> str:
        return f"{self.air.random.getrandbits(48):012x}{next(self._tokens):04x}"

    def uniform(self, low: float, high: float) -> float:
        return self.air.random.uniform(low, high)

    answers_strangers = False

    def judge(self, request: Request, flow: Flow) -> Allow:
        return Allow("trk_1")

    def moved(self, request: Request, flow: Flow, peer_id: str) -> None:
        return None

    def receive(self, data: bytes, source: Address) -> None:
        self.stack.receive(data, Flow("udp", self.address, source))
        self._arm()

    def receive_message(self, message: Request | Response, flow: Flow) -> None:
        self.stack.receive_message(message, flow)
        self._arm()

    def lost(self, flow: Flow) -> None:
        self.stack.transport_failed(flow)
        self._arm()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self.air.loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._awake = False
        self.stack.pump()
        self._arm()

    def _arm(self) -> None:
        deadline = self.stack.timers.earliest
        if self._timer is not None:
            self._timer.cancel()
        loop = self.air.loop
        self._timer = None if deadline == NEVER else loop.call_at(max(deadline, loop.time()), self._pump)


class Leg:
    """A media leg that only keeps what it was told; a prompt takes a second."""

    def __init__(self, loop: VirtualLoop, port: int) -> None:
        self.host, self.port = EDGE, port
        self.on_event: Callable[[MediaEvent], None] | None = None
        self.other: Leg | None = None
        self.remote: Address | None = None
        self.playing, self.gives_way = "", False
        self._loop = loop
        self._token = 0

    def host_for(self, heard: str) -> str:
        raise NoAddress("no IPv6 here")

    def update(self, plan: Plan) -> None:
        assert plan.remote is None or plan.remote[1] > 0
        self.remote = plan.remote

    def play(self, source: str, *, loop: bool = False) -> int:
        self._token += 1
        self.playing, self.gives_way = source, False
        if not loop:
            self._loop.call_later(1.0, self._done, self._token)
        return self._token

    def press(self, digits: str, payload_type: int, clock_rate: int) -> int:
        return self.play(digits)

    def stop(self) -> None:
        self._token += 1
        self.playing = ""

    def give_way(self) -> None:
        self.gives_way = True

    def part(self) -> None:
        """On its own again."""
        other, self.other = self.other, None
        if other is not None:
            other.other = None

    def _done(self, token: int) -> None:
        if token == self._token:
            self.playing = ""
            if self.on_event is not None:
                self.on_event(PlayDone(token))


class Media:
    """The engine; ``opened`` is how many of its calls were not finished.  While it is not ``ready`` each call
    has its two ports, and no more."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.ports = itertools.count(20000, 2)
        self.opened = 0
        self.ready = True
        self.expected = False
        self._talks: list[Talk] = []

    def call(self) -> "Talk":
        self.opened += 1
        self._talks.append(Talk(self))
        return self._talks[-1]

    def restarts(self, seconds: float) -> None:
        """There is no worker for so long: calls that begin meanwhile have their ports then."""
        self.ready, self.expected = False, True
        self.loop.call_later(seconds, self._restarted)

    def _restarted(self) -> None:
        self.ready, self.expected = True, False
        for talk in self._talks:
            talk.its_turn()

    def fails(self, which: int, event: MediaEvent) -> None:
        """Something becomes of a leg of one of the last calls."""
        legs = [leg for talk in self._talks[-3:] for leg in talk._legs if leg.on_event is not None]
        if legs and (told := legs[which % len(legs)].on_event) is not None:
            told(event)


class Talk:
    """A call's media: who is bridged with whom."""

    can_record = False

    def __init__(self, media: Media) -> None:
        self._media = media
        self._legs: list[Leg] = []
        self.ready = not media.expected
        self._tell: Callable[[], None] | None = None

    def await_ports(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def its_turn(self) -> None:
        tell, self._tell, self.ready = self._tell, None, True
        if tell is not None:
            tell()

    def leg(self, peer: str = "", heard: str = "") -> Leg:
        if not self.ready:
            raise MediaUnavailable("no media worker has the ports of one more call")
        if not self._media.ready and len(self._legs) >= PORTS_A_CALL:
            raise MediaUnavailable("no RTP port is left")
        made = Leg(self._media.loop, next(self._media.ports))
        self._legs.append(made)
        return made

    def bridge(self, a: Leg, b: Leg) -> None:
        assert a is not b and a in self._legs and b in self._legs
        for leg in (a, b):
            leg.part()
        a.other, b.other = b, a

    def unbridge(self) -> None:
        for leg in self._legs:
            leg.part()

    def close_leg(self, leg: Leg) -> None:
        leg.on_event = None
        if leg in self._legs:
            leg.part()
            self._legs.remove(leg)

    def record(self, name: str, tracks: int, limit_s: float) -> Recording:
        raise MediaUnavailable("no recorder here")

    async def finish(self, *, hurry: bool = False) -> dict[int, LegCounters]:
        self._media.opened -= 1
        return {}


class Edge:
    """Our side; also the dialler of its calls, and the holder of their configuration."""

    def __init__(self, air: Air, clock: VirtualClock) -> None:
        self.node = Node(air, EDGE, self._called)
        self.store, self.media = Store(air.loop), Media(air.loop)
        self.current = configuration()
        self.turned_away = 0
        breaker = Breaker(clock)
        services = CallServices(
            clock=clock, store=self.store, counts=world.Taken(), dialler=self,
            media=self.media,  # type: ignore[arg-type]
            traces=TraceBook(clock.monotonic), limits=CallLimits(max_call_s=600), draw=air.random.random,
            prompt_ready=lambda _: True, key_of=lambda call_id: f"key of {call_id}", breaker=breaker,
            past=_nothing_known, peers=Peers(clock), outbound=OutboundLoad(clock),
        )  # fmt: skip
        self.switch = Switch(services, self, self)

    def _called(self, invite: Invite) -> None:
        self.switch.take(invite)

    async def resolve(self, uri: str) -> list[Destination]:
        parsed = parse_uri(uri)
        return [self.node.air.at(parsed.host, parsed.port or 5060)]

    def avoid(self, destination: Destination, seconds: float = 30.0) -> None:
        pass

    def call(self, outgoing: OutgoingCall) -> Invite:
        return self.node.stack.call(outgoing)

    def local_host(self, destination: Destination) -> str:
        return EDGE

    def note(self, refused: RefusedCall) -> None:
        self.turned_away += refused.status == 503

    def talking(self) -> list[Invite]:
        """Our sides of all live calls."""
        calls = [call for call, _ in self.switch._calls.values()]
        legs = [leg for call in calls for leg in (call.reception.caller, call.target)]
        return [leg.invite for leg in legs if leg is not None and leg.invite is not None]

    def without_its_slot(self) -> list[str]:
        """The calls that talk with a target, and do not count for it."""
        found = []
        for call_id in self.switch.live():
            call, _ = self.switch._calls[call_id]
            wanted = call.bridged.target_id if call.reception.phase == "bridged" else ""
            held = self.store.slots._held.get(call_id, {}).values()
            if wanted and wanted not in [slot.claim.owner_id for slot in held]:
                found.append(call_id)
        return found

    def deaf(self) -> list[str]:
        """The calls that are bridged, of which one side speaks a codec that the other does not."""
        found = []
        for call_id in self.switch.live():
            call, _ = self.switch._calls[call_id]
            caller, target = call.reception.caller, call.target
            if call.reception.phase != "bridged" or caller is None or target is None:
                continue
            if not (_understood(caller, target) and _understood(target, caller)):
                found.append(call_id)
        return found

    def silent(self, usages: Iterable[Invite]) -> list[str]:
        """The calls that are bridged, of which one side would not be heard by the other: what goes wrong.
        ``usages`` are the phones'."""
        phones = {(usage.call_id, usage.local_tag): usage for usage in usages}
        found = []
        for call_id in self.switch.live():
            call, _ = self.switch._calls[call_id]
            caller, target = call.reception.caller, call.target
            if call.reception.phase != "bridged" or caller is None or target is None:
                continue
            for leg, other in ((caller, target), (target, caller)):
                media: Any = leg.media
                if media.other is not other.media:
                    found.append(f"the {leg.name} of {call_id} is not bridged")
                if media.playing and not (leg is caller and target.deaf):
                    found.append(f"the {leg.name} of {call_id} hears {media.playing}")
                assert leg.invite is not None and leg.invite.dialog is not None
                phone = phones.get((leg.invite.call_id, leg.invite.dialog.remote_tag))
                if phone is None:
                    continue  # a fork that is only said to be
                stream = parse(phone.told).audio
                assert stream is not None
                if media.remote != (phone_host(phone), stream.port):
                    found.append(f"the {leg.name} of {call_id} is sent to {media.remote}, not {stream.port}")
        return found

    def mistaken(self, agreed: dict[Invite, bytes], silent: Iterable[Invite]) -> list[str]:
        """Of the calls that are bridged, the sides that did not take what we believe, or are on hold although
        nobody holds them; ``agreed`` is what the phones took last, ``silent`` are those who left an offer of
        ours without an answer."""
        hidden = {(usage.call_id, usage.local_tag) for usage in silent}
        phones = {(usage.call_id, usage.local_tag): said for usage, said in agreed.items()}
        found = []
        for call_id in self.switch.live():
            call, _ = self.switch._calls[call_id]
            caller, target = call.reception.caller, call.target
            if call.reception.phase != "bridged" or caller is None or target is None:
                continue
            assert caller.remote is not None and target.remote is not None
            flows = all(
                leg.remote.audio is not None and direction_of(leg.remote.audio) == "sendrecv"
                for leg in (caller, target) if leg.remote is not None
            )  # fmt: skip
            for leg, other in ((caller, target), (target, caller)):
                assert leg.invite is not None and leg.invite.dialog is not None and leg.local is not None
                said = phones.get((leg.invite.call_id, leg.invite.dialog.remote_tag))
                if said is not None and _streams(said) != _streams(leg.local.to_bytes()):
                    found.append(f"the {leg.name} of {call_id} took {said!r}, not {leg.local.to_bytes()!r}")
                held = (flows and leg.held) or (leg.on_hold and not leg.deaf and not other.deaf)
                if held and (leg.invite.call_id, leg.invite.dialog.remote_tag) not in hidden:
                    found.append(f"the {leg.name} of {call_id} is on hold")
        return found

    def unheard(self) -> list[str]:
        """The calls whose caller has been answered and waits for somebody, and hears nothing."""
        found = []
        for call_id in self.switch.live():
            call, _ = self.switch._calls[call_id]
            reception, caller = call.reception, call.reception.caller
            if reception.phase not in ("ringing", "transfer") or not reception.answered:
                continue
            if caller is None or caller.remote is None:  # the answer to our late offer is on its way
                continue
            if call.record.disposition is not None:  # it is just ending
                continue
            media: Any = caller.media
            if not media.playing and media.other is None:
                found.append(call_id)
        return found


def _streams(said: bytes) -> bytes:
    """A description without its version."""
    return said.partition(b"\r\ns=")[2]


def phone_host(usage: Invite) -> str:
    """Where a phone is."""
    assert usage.dialog is not None
    return str(usage.dialog.flow.local[0])


def _understood(leg: CallLeg, other: CallLeg) -> bool:
    """Whether what a peer says in some voice codec goes on to the other one."""
    if leg.local is None or leg.remote is None:
        return False
    plan = plan_for(leg.local, leg.remote, other.remote)
    return plan is not None and any(codec.payload in plan.payloads for codec in codecs_of(leg.local)
                                    if is_voice(codec))  # fmt: skip


async def _nothing_known(_caller: str) -> CallerPast:
    return NO_PAST


def configuration() -> Snapshot:
    """Two targets in order, of which each may transfer to a third; the second number greets its callers, and
    the third leads to a target that is pressed keys.  Those on hold hear something."""
    routes = {"overflow": Action(action="message"), "max_attempts": 4}
    sip = {"allow_refer": True, "redirect_hosts": TARGETS}
    targets = [
        world.target(
            f"tgt_{n}", address=f"sip:buyer@{host}", ring_timeout_s=RING_S, sip=sip,
            caps=(Cap(id=f"cap_{n}", window="concurrency", limit=LINES),),
        )
        for n, host in enumerate(TARGETS, 1)
    ]  # fmt: skip
    cap, other = (Cap(id=f"cap_{n}", window="concurrency", limit=LINES) for n in (4, 5))
    pbx = f"sip:ivr@{TARGETS[0]}"
    targets.append(
        world.target("tgt_4", address=pbx, ring_timeout_s=RING_S, sip=sip, caps=(cap,), send_digits="w1")
    )
    targets.append(
        world.target(
            "tgt_5", address=f"sip:agent@{TARGETS[1]}", ring_timeout_s=RING_S, sip=sip, caps=(other,),
            whisper_prompt_id="prm_1", accept_key="5",
        )
    )  # fmt: skip
    order = (world.route("tgt_1", 1), world.route("tgt_2", 2))
    greeting = CampaignPrompts(greeting_prompt_id="prm_1", hold_prompt_id="prm_1")
    greeted: Number = world.number(id="num_2", e164=GREETED, campaign_id="cmp_2")
    pressed: Number = world.number(id="num_3", e164=PRESSED, campaign_id="cmp_3")
    whispered: Number = world.number(id="num_4", e164=WHISPERED, campaign_id="cmp_4")
    return Snapshot.build(
        trunks=[world.trunk()],
        numbers=[world.number(), greeted, pressed, whispered],
        campaigns=[
            world.campaign(
                *order, prompts=CampaignPrompts(hold_prompt_id="prm_1", ringback_prompt_id="prm_2")
            ),
            world.campaign(*order, routes=routes, id="cmp_2", prompts=greeting),
            world.campaign(world.route("tgt_4", 1), id="cmp_3"),
            world.campaign(world.route("tgt_5", 1), world.route("tgt_1", 2), id="cmp_4"),
        ],
        targets=targets,
        prompts=[world.prompt("prm_1"), world.prompt("prm_2")],
    )
