"""Requests that are too big for a datagram (RFC 3261 section 18.1.1)."""

import pytest

from edge.sip.events import Flow, Refused
from tests.support.lossy_wire import SDP, Network, Node, Peer

BIG = (("X-Pad", "x" * 1200),)


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


def stream(us: Node, peer: Peer, number: int = 1) -> Flow:
    return Flow("tcp", us.address, peer.address, number)


def test_a_big_invite_goes_by_tcp_and_so_does_its_call(us: Node, peer: Peer) -> None:
    usage = us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(0.01)
    (invite,) = peer.requests("INVITE")
    assert usage.flow == stream(us, peer)
    assert invite.via.transport == "TCP" and ";transport=tcp" in (invite.headers.get("Contact") or "")
    peer.respond(invite, 200, us, body=SDP)
    usage.ack()
    us.net.run(0.01)
    assert peer.requests("ACK")[0].via.transport == "TCP"


@pytest.mark.parametrize(
    "options", [{"headers": BIG}, {"headers": BIG, "stream_if_big": False}, {"stream_if_big": True}]
)
def test_a_small_one_or_one_that_is_told_otherwise_does_not(
    us: Node, peer: Peer, options: dict[str, object]
) -> None:
    us.dial(peer, **options)  # type: ignore[arg-type]
    us.net.run(0.01)
    assert peer.requests("INVITE")[0].via.transport == "UDP"


def test_where_there_is_no_tcp_it_goes_as_a_datagram_and_the_next_at_once(us: Node, peer: Peer) -> None:
    usage = us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(3.9)
    us.stack.transport_failed(stream(us, peer))
    us.net.run(0.01)
    assert [one.via.transport for one in peer.requests("INVITE")] == ["TCP", "UDP"]
    us.net.run(2)
    assert us.heard[usage] == [], "it has its whole time to answer"
    us.net.run(4)
    assert isinstance(us.heard[usage][0], Refused)
    peer.got.clear()
    us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(0.01)
    assert [one.via.transport for one in peer.requests("INVITE")] == ["UDP"]
    us.net.run(600)
    peer.got.clear()
    us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(0.01)
    assert [one.via.transport for one in peer.requests("INVITE")] == ["TCP"], "but it is not for ever"


def test_a_hang_up_while_it_connects_sends_nothing_more(us: Node, peer: Peer) -> None:
    usage = us.dial(peer, headers=BIG, stream_if_big=True)
    usage.hang_up()
    us.stack.transport_failed(stream(us, peer))
    us.net.run(40)
    assert len(peer.requests("INVITE")) == 1
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)
