"""Connections that end at any moment of a call: both sides end it all the same, and nothing is left."""

import heapq
from collections.abc import Callable

import pytest

from edge.sip.events import (
    Acked,
    Answered,
    Destination,
    Flow,
    InviteEvent,
    OfferAnswered,
    Offered,
    OutgoingCall,
)
from edge.sip.invite import Invite
from edge.sip.parser import parse
from tests.support.lossy_wire import SDP, Address, Network, Node

CALLER, TARGET = "192.0.2.1", "192.0.2.2"


class Cables(Network):
    """Connections between nodes, which end when a story says so; ``later`` runs something at its time."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, transport="tcp")
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._plans = self.connections = 0
        self.quiet_until = 0.0

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        self._plans += 1
        heapq.heappush(self._planned, (self.now + seconds, self._plans, act))

    def _next(self) -> tuple[float, Callable[[], None]]:
        at, act = super()._next()
        if self._planned and self._planned[0][0] <= at:
            return self._planned[0][0], self._carry_out
        return at, act

    def _carry_out(self) -> None:
        _, _, act = heapq.heappop(self._planned)
        act()


class End(Node):
    """A stack whose every connection has its other end at another's."""

    def __init__(self, net: Cables, host: str, on_call: Callable[[Invite], None] | None = None) -> None:
        self.cables = net
        self.ends: dict[int, tuple[Flow, End, int]] = {}
        super().__init__(net, (host, 5060), on_call=on_call)
        net.nodes[self.address] = self

    def route(self, destination: Destination, local: Address | None = None) -> Flow:
        remote = destination.host, destination.port
        for flow, _, _ in self.ends.values():
            if flow.remote == remote:
                return flow
        peer = self.net.nodes[remote]
        assert isinstance(peer, End)
        here, there = self.cables.connections + 1, self.cables.connections + 2
        self.cables.connections = there
        self.ends[here] = Flow("tcp", self.address, remote, here), peer, there
        theirs = Flow("tcp", peer.address, (self.address[0], 40_000 + here), there)
        peer.ends[there] = theirs, self, here
        return self.ends[here][0]

    def send(self, data: bytes, flow: Flow) -> bool:
        if flow.connection not in self.ends:
            return False
        _, peer, there = self.ends[flow.connection]
        self.cables.later(0.005, lambda: peer.take(data, there))
        return True

    def take(self, data: bytes, connection: int) -> None:
        if connection in self.ends:
            self.stack.receive_message(parse(data), self.ends[connection][0])

    def alive(self, flow: Flow) -> bool:
        return flow.connection in self.ends

    def lose(self, connection: int) -> None:
        ended = self.ends.pop(connection, None)
        if ended is not None:
            self.stack.transport_failed(ended[0])

    def break_all(self, within_s: float) -> None:
        """Every connection ends, at one end sooner than at the other; not right after others have: a BYE is
        said twice, and no more."""
        if self.net.now < self.cables.quiet_until:
            return
        self.cables.quiet_until = self.net.now + 0.2
        for here, (_, peer, there) in list(self.ends.items()):
            for end, connection in ((self, here), (peer, there)):
                self.cables.later(self.net.random.random() * within_s, _losing(end, connection))

    @property
    def left(self) -> tuple[int, int, int]:
        counters = self.stack.counters
        return counters["dialogs"], counters["transactions"], len(self.stack._layer._on_stream)


def _losing(end: End, connection: int) -> Callable[[], None]:
    return lambda: end.lose(connection)


class Story:
    """One call with offers, a hang-up, and connections that end."""

    def __init__(self, seed: int) -> None:
        self.net = net = Cables(seed)
        self.chance = net.random
        self.target = End(net, TARGET, self._answers)
        self.caller = End(net, CALLER)
        to = Destination("tcp", TARGET, 5060)
        call = OutgoingCall(f"sip:s@{TARGET}:5060", to, f"<sip:a@{CALLER}>", f"<sip:s@{TARGET}>", body=SDP)
        self.call = self.caller.stack.call(call)
        self.call.on_event = self._heard(self.call)
        draw = self.chance.random
        for _ in range(self.chance.randint(1, 4)):
            end = self.chance.choice([self.caller, self.target])
            when = self.chance.choice([0.05, 2, 5]) * draw()
            net.later(when, lambda end=end: end.break_all(self.chance.choice([0.0, 0.05])))  # type: ignore[misc]
        for _ in range(self.chance.randint(0, 2)):
            net.later(4 * draw(), lambda: self._either().offer_again(SDP))
        net.later(self.chance.choice([0.05, 6]) * draw(), lambda: self._either().hang_up())

    def _either(self) -> Invite:
        return self.chance.choice([self.call, *self.target.calls])

    def _answers(self, usage: Invite) -> None:
        usage.on_event = self._heard(usage)
        if self.chance.random() < 0.7:
            usage.progress(180)
        self.net.later(self.chance.choice([0, 0.02, 1]), lambda: usage.answer(SDP))

    def _heard(self, usage: Invite) -> Callable[[InviteEvent], None]:
        def hear(event: InviteEvent) -> None:
            if isinstance(event, Answered):
                self.net.later(self.chance.choice([0, 0.01]), usage.ack)
            elif isinstance(event, Offered):
                usage.accept_offer(SDP)

        return hear


@pytest.mark.parametrize("part", range(20))
def test_a_hang_up_ends_both_sides_whatever_connections_end_meanwhile(part: int) -> None:
    for seed in range(50 * part, 50 * part + 50):
        story = Story(seed)
        story.net.run(65)
        assert (story.caller.left[0], story.target.left[0]) == (0, 0), f"a side of {seed} stays up"
        story.net.run(100)
        assert (story.caller.left, story.target.left) == ((0, 0, 0), (0, 0, 0)), (
            f"something of {seed} is left"
        )


def talking() -> tuple[Cables, list[tuple[End, Invite]]]:
    """A call that is up, from both ends."""
    net = Cables(0)
    target, caller = End(net, TARGET), End(net, CALLER)
    to = Destination("tcp", TARGET, 5060)
    said = OutgoingCall(f"sip:s@{TARGET}:5060", to, f"<sip:a@{CALLER}>", f"<sip:s@{TARGET}>", body=SDP)
    call = caller.listen(caller.stack.call(said))
    net.run(0.1)
    target.calls[0].answer(SDP)
    net.run(0.1)
    call.ack()
    net.run(0.1)
    return net, [(caller, call), (target, target.calls[0])]


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("offerer", ["caller", "target"])
def test_an_offer_over_a_connection_that_is_gone_is_made_over_another(
    offerer: str, method: str, taken: bool
) -> None:
    """A machine in between has closed what was idle, and tells who speaks next; or the answer is lost."""
    net, ends = talking()
    (one, offering), (other, offered) = ends if offerer == "caller" else ends[::-1]
    if not taken:
        other.ends.clear()
    offering.offer_again(SDP, soon=method == "UPDATE")
    net.run(0.006)
    if taken:
        assert offered.accept_offer(SDP)
        other.ends.clear()
    one.lose(*one.ends)
    net.run(0.1)
    offered.accept_offer(SDP)
    net.run(40)
    heard = [event for event in one.heard[offering] if not isinstance(event, Acked | Answered)]
    assert [type(event) for event in heard] == [OfferAnswered]
    assert (offering.state, offered.state) == ("up", "up")
    assert one.stack.counters.get("sent_update", 0) == (0 if method == "INVITE" else 2)


@pytest.mark.parametrize("offerer", ["caller", "target"])
def test_the_ack_of_an_offers_repeated_200_goes_where_the_dialog_leads(offerer: str) -> None:
    """Who called us did so from a port at which it takes no connections."""
    net, ends = talking()
    (one, offering), (other, offered) = ends if offerer == "caller" else ends[::-1]
    offering.offer_again(SDP)
    net.run(0.006)
    offered.accept_offer(SDP)
    net.run(0.006)
    one.ends.clear()
    other.ends.clear()
    net.run(40)
    assert (offering.state, offered.state) == ("up", "up")


def test_cancels_that_were_under_way_leave_nothing_behind() -> None:
    """Many: whether a CANCEL or its INVITE hears first that their connection is gone is nobody's choice."""
    net = Cables(0)
    target = End(net, TARGET, lambda usage: usage.progress(180))
    caller = End(net, CALLER)
    to = Destination("tcp", TARGET, 5060)
    said = OutgoingCall(f"sip:s@{TARGET}:5060", to, f"<sip:a@{CALLER}>", f"<sip:s@{TARGET}>", body=SDP)
    calls = [caller.stack.call(said) for _ in range(20)]
    net.run(0.1)
    for call in calls:
        call.hang_up()
    caller.lose(*caller.ends)
    net.run(1)
    assert [usage.state for usage in target.calls] == ["over"] * 20
    net.run(40)
    assert (caller.left, target.left) == ((0, 0, 0), (0, 0, 0))
