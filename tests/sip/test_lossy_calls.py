"""Two stacks complete calls over a network that loses, copies and reorders datagrams."""

import pytest

from edge.sip.events import Acked, Answered, Ended, InviteEvent, OfferAnswered, Offered, OfferRefused
from edge.sip.invite import Invite
from edge.sip.timers import NEVER
from tests.support.lossy_wire import SDP, Network, Node


class Story:
    """One call: answered, acknowledged, re-negotiated, and ended by whoever is first."""

    def __init__(self, caller: Node, callee: Node) -> None:
        self.events: list[InviteEvent] = []
        self.usage = caller.dial(callee, no_provisional_s=40.0)
        self.usage.on_event = self.on_event

    def on_event(self, event: InviteEvent) -> None:
        self.events.append(event)
        if isinstance(event, Answered):
            self.usage.ack()
            self.usage.offer_again(SDP)
        elif isinstance(event, OfferAnswered | OfferRefused):
            self.usage.hang_up()


def callee_of(net: Network, log: list[tuple[Invite, InviteEvent]]) -> Node:
    def on_call(usage: Invite) -> None:
        def on_event(event: InviteEvent) -> None:
            log.append((usage, event))
            if isinstance(event, Offered):
                usage.accept_offer(SDP)
                if usage.peer_id == "trk_1" and int(usage.call_id[:1], 16) % 2:
                    usage.hang_up("Q.850;cause=16")

        usage.on_event = on_event
        usage.progress(180)
        usage.answer(SDP)

    return net.node("192.0.2.2", on_call=on_call)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_complete_at_30_percent_loss(seed: int) -> None:
    net = Network(seed, loss=0.3, copies=0.1, jitter_s=0.8)
    log: list[tuple[Invite, InviteEvent]] = []
    caller, callee = net.node("192.0.2.1"), callee_of(net, log)
    stories = []
    for _ in range(150):
        stories.append(Story(caller, callee))
        net.run(0.02)
    net.run(300)
    for story in stories:
        answered = [event for event in story.events if isinstance(event, Answered)]
        assert len(answered) == 1, story.events
        assert sum(isinstance(event, Ended) for event in story.events) <= 1
    usages = {usage for usage, _ in log}
    assert len(usages) == len(stories), "every INVITE makes one call, however often it is repeated"
    for usage in usages:
        own = [event for who, event in log if who is usage]
        assert sum(isinstance(event, Acked) for event in own) <= 1, own
        assert isinstance(own[0], Acked | Ended), own
    for node in (caller, callee):
        left = node.stack.counters
        assert (left["transactions"], left["dialogs"]) == (0, 0)
        assert node.stack.timers.earliest == NEVER
    assert caller.stack.counters["retransmissions"] > 100


def test_a_perfect_network_needs_no_retransmission() -> None:
    net = Network(loss=0.0)
    log: list[tuple[Invite, InviteEvent]] = []
    caller, callee = net.node("192.0.2.1"), callee_of(net, log)
    stories = [Story(caller, callee) for _ in range(50)]
    net.run(120)
    assert all(any(isinstance(e, Answered) for e in story.events) for story in stories)
    assert caller.stack.counters.get("retransmissions", 0) == 0
    assert callee.stack.counters.get("retransmissions", 0) == 0
