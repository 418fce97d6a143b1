"""Requests that are too big for a datagram (RFC 3261 section 18.1.1)."""

import pytest

from edge.sip.events import Answered, Destination, Flow, OfferAnswered, OutgoingRequest, Refused
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
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


def falls_silent(us: Node, peer: Peer) -> tuple[Invite, Request]:
    """A big call to somebody who takes the connection and says nothing; and the INVITE that went over it."""
    usage = us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(4.9)
    (first,) = peer.requests("INVITE")
    us.net.run(0.2)
    assert transports(peer, "INVITE") == ["TCP", "UDP"]
    return usage, first


def test_who_takes_the_connection_and_says_nothing_gets_a_datagram(us: Node, peer: Peer) -> None:
    usage, first = falls_silent(us, peer)
    second = peer.requests("INVITE")[1]
    assert (second.call_id, second.cseq) == (first.call_id, first.cseq + 1)
    assert "transport=tcp" not in (second.headers.get("Contact") or "")
    assert us.heard[usage] == []
    peer.respond(second, 200, us, body=SDP)
    usage.ack()
    us.net.run(40)
    assert isinstance(us.heard[usage][0], Answered)
    assert transports(peer, "ACK") == ["UDP"] and transports(peer, "BYE") == []
    us.dial(peer, headers=BIG, stream_if_big=True)
    us.net.run(0.01)
    assert transports(peer, "INVITE")[-1] == "UDP", "and the next one at once"


def test_what_says_nothing_as_a_datagram_either_is_unreachable(us: Node, peer: Peer) -> None:
    usage, _ = falls_silent(us, peer)
    us.net.run(5)
    (told,) = us.heard[usage]
    assert isinstance(told, Refused) and told.cause == "unreachable"
    us.net.run(70)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_call_that_was_sent_again_is_taken_back_where_it_rings_after_all(us: Node, peer: Peer) -> None:
    usage, first = falls_silent(us, peer)
    for status in (100, 180):
        peer.respond(first, status, us)
    us.net.run(0.1)
    (cancel,) = peer.requests("CANCEL")
    assert cancel.via.transport == "TCP" and cancel.headers.get("Via") == first.headers.get("Via")
    peer.respond(cancel, 200, us)
    peer.respond(first, 487, us)
    us.net.run(0.1)
    assert us.heard[usage] == [], "of the one that counts nothing was heard yet"
    peer.respond(peer.requests("INVITE")[1], 486, us)
    us.net.run(0.1)
    assert [event.status for event in us.heard[usage] if isinstance(event, Refused)] == [486]
    us.net.run(70)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_call_that_was_sent_again_is_hung_up_where_it_is_answered_after_all(us: Node, peer: Peer) -> None:
    usage, first = falls_silent(us, peer)
    peer.respond(first, 200, us, body=SDP)
    us.net.run(0.1)
    (bye,) = peer.requests("BYE")
    assert len(peer.requests("ACK")) == 1
    peer.respond(bye, 200, us)
    assert us.heard[usage] == []
    usage.hang_up()
    us.net.run(100)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_hang_up_while_it_connects_sends_nothing_more(us: Node, peer: Peer) -> None:
    usage = us.dial(peer, headers=BIG, stream_if_big=True)
    usage.hang_up()
    us.stack.transport_failed(stream(us, peer))
    us.net.run(40)
    assert len(peer.requests("INVITE")) == 1
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


# -- within a call, and outside any ------------------------------------------------------------------------

PUBLIC = ("8.8.4.4", 5060)
LONG = SDP + b"a=x:" + b"y" * 1300 + b"\r\n"


def up(us: Node, peer: Peer, headers: str = "") -> Invite:
    """A call of the peer's that is up."""
    peer.request("INVITE", us, body=SDP, headers=headers)
    usage = us.calls[-1]
    usage.answer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=usage.local_tag)
    peer.got.clear()
    return usage


class Elsewhere(Peer):
    """A peer whose Contact says something of its own."""

    contact = ""

    def send(self, text: str | bytes, to: Node) -> None:
        data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        lines = data.split(b"\r\n")
        said = [f"Contact: {self.contact}".encode() if x.startswith(b"Contact:") else x for x in lines]
        super().send(b"\r\n".join(said), to)


def with_contact(us: Node, contact: str) -> Peer:
    peer = us.net.nodes[PUBLIC] = Elsewhere(us.net, PUBLIC)
    peer.contact = contact
    return peer


def transports(peer: Peer, method: str) -> list[str]:
    return [one.via.transport for one in peer.requests(method)]


def test_a_big_offer_in_a_call_goes_by_tcp_and_the_call_stays_where_it_is(us: Node, peer: Peer) -> None:
    usage = up(us, peer)
    usage.offer_again(LONG)
    us.net.run(0.01)
    (offer,) = peer.requests("INVITE")
    assert offer.via.transport == "TCP" and offer.body == LONG
    assert "transport=tcp" not in (offer.headers.get("Contact") or "")
    peer.respond(offer, 200, us, body=SDP)
    us.net.run(0.01)
    assert transports(peer, "ACK") == ["UDP"]
    usage.hang_up()
    us.net.run(0.01)
    (bye,) = peer.requests("BYE")
    assert (bye.via.transport, bye.cseq) == ("UDP", offer.cseq + 1)


def test_a_big_offer_goes_as_a_datagram_where_there_is_no_tcp_and_so_does_the_next(
    us: Node, peer: Peer
) -> None:
    usage = up(us, peer)
    usage.offer_again(LONG)
    us.net.run(3.9)
    us.stack.transport_failed(stream(us, peer))
    us.net.run(0.01)
    assert transports(peer, "INVITE") == ["TCP", "UDP"]
    assert len({one.cseq for one in peer.requests("INVITE")}) == 1
    peer.respond(peer.requests("INVITE")[1], 200, us, body=SDP)
    us.net.run(0.01)
    usage.offer_again(LONG.replace(b"y", b"z"))
    us.net.run(0.01)
    assert transports(peer, "INVITE")[2:] == ["UDP"]


@pytest.mark.parametrize(
    "contact", ["<sip:me@8.8.4.4:5060;transport=udp>", "<sip:me@10.0.0.2:5060>"], ids=["wants udp", "nat"]
)
def test_who_asks_for_datagrams_or_is_behind_a_nat_gets_them(us: Node, contact: str) -> None:
    there = with_contact(us, contact)
    usage = up(us, there)
    usage.offer_again(LONG)
    us.net.run(0.01)
    assert transports(there, "INVITE") == ["UDP"]


def test_an_ack_with_a_long_route_goes_by_tcp_and_a_repeated_one_as_a_datagram(us: Node, peer: Peer) -> None:
    routes = "".join(f"Record-Route: <sip:192.0.2.2;lr;n={'x' * 100}{n}>\n" for n in range(12))
    usage = us.dial(peer, stream_if_big=True)
    us.net.run(0.01)
    (invite,) = peer.requests("INVITE")
    peer.respond(invite, 200, us, body=SDP, headers=routes)
    usage.ack()
    us.net.run(0.01)
    peer.respond(invite, 200, us, body=SDP, headers=routes)
    us.net.run(0.01)
    assert transports(peer, "ACK") == ["TCP", "UDP"]


def test_a_big_offer_that_nobody_answers_goes_as_a_datagram(us: Node, peer: Peer) -> None:
    usage = up(us, peer)
    usage.offer_again(LONG)
    us.net.run(5.1)
    assert transports(peer, "INVITE")[:2] == ["TCP", "UDP"]
    assert len({one.cseq for one in peer.requests("INVITE")}) == 1
    peer.respond(peer.requests("INVITE")[1], 200, us, body=SDP)
    us.net.run(70)
    assert usage.state == "up"
    assert [type(event) for event in us.heard[usage]][-1] is OfferAnswered
    assert us.stack.counters["transactions"] == 0


def test_another_request_has_all_its_time_before_it_goes_as_a_datagram(us: Node, peer: Peer) -> None:
    answers: list[Response] = []
    host, port = peer.address
    register = OutgoingRequest(
        "REGISTER", f"sip:{host}", Destination("udp", host, port), "<sip:a@b>", "<sip:a@b>", BIG,
        stream_if_big=True,
    )  # fmt: skip
    us.stack.ask(register, answers.append)
    us.net.run(31.9)
    assert transports(peer, "REGISTER") == ["TCP"]
    us.net.run(0.2)
    assert transports(peer, "REGISTER") == ["TCP", "UDP"] and answers == []
    peer.respond(peer.requests("REGISTER")[-1], 200, us)
    us.net.run(0.01)
    assert [answer.status for answer in answers] == [200]


@pytest.mark.parametrize("stream_if_big", [True, False])
def test_a_big_register_goes_by_tcp_too_and_its_contact_stays(
    us: Node, peer: Peer, stream_if_big: bool
) -> None:
    answers: list[Response] = []
    host, port = peer.address
    register = OutgoingRequest(
        "REGISTER", f"sip:{host}", Destination("udp", host, port), "<sip:a@b>", "<sip:a@b>", BIG,
        stream_if_big=stream_if_big,
    )  # fmt: skip
    us.stack.ask(register, answers.append)
    us.net.run(0.01)
    assert transports(peer, "REGISTER") == ["TCP" if stream_if_big else "UDP"]
    assert "transport" not in (peer.requests("REGISTER")[0].headers.get("Contact") or "")
    if stream_if_big:
        us.stack.transport_failed(stream(us, peer))
        us.net.run(0.01)
        assert transports(peer, "REGISTER")[1:] == ["UDP"]
    peer.respond(peer.requests("REGISTER")[-1], 200, us)
    us.net.run(0.01)
    assert [answer.status for answer in answers] == [200]
