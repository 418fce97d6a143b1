"""What the stack answers outside of calls, whom it ignores, and its limits."""

import pytest

from edge.sip.events import Allow, Deny, Flow
from edge.sip.gate import Limits
from edge.sip.message import Request, Response
from edge.sip.timers import T1
from tests.support.lossy_wire import SDP, Network, Node, Peer


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


def last(peer: Peer) -> Response:
    message = peer.got[-1]
    assert isinstance(message, Response)
    return message


def test_options_outside_a_call(us: Node, peer: Peer) -> None:
    peer.request("OPTIONS", us)
    response = last(peer)
    assert response.status == 200 and response.to_tag
    assert (
        response.headers.get("Accept") == "application/sdp, multipart/mixed"
        and "Supported" in response.headers
    )
    assert set((response.headers.get("Allow") or "").split(", ")) >= {
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "OPTIONS",
    }
    assert us.stack.counters["transactions"] == 0


OBJECTIONS = [
    ("OPTIONS", {"headers": "Require: 100rel, x\n"}, 420, ("Unsupported", "x")),
    ("INVITE", {"headers": "Require: path\n"}, 420, ("Unsupported", "path")),
    ("REGISTER", {}, 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK")),
    ("PRACK", {"to_tag": "x"}, 481, None),
    ("DANCE", {}, 501, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK")),
    (
        "INVITE",
        {"body": b"x", "headers": "Content-Type: text/plain\n"},
        415,
        ("Accept", "application/sdp, multipart/mixed"),
    ),
    ("INVITE", {"body": b"v=0\r\n" + b"a=x\r\n" * 512}, 400, None),
    ("INVITE", {"headers": "Accept: text/plain\n"}, 406, None),
    ("INVITE", {"headers": "Record-Route: <sip:a;lr>, <sip:b;lr>, <sip:c;lr>\n" * 7}, 400, None),
    ("INVITE", {"uri": "urn:service:sos"}, 416, None),
    ("INVITE", {"to_tag": "gone"}, 481, None),
    ("BYE", {"to_tag": "gone"}, 481, None),
    ("BYE", {}, 481, None),
    ("INFO", {"to_tag": "gone"}, 481, None),
]


@pytest.mark.parametrize(("method", "options", "status", "header"), OBJECTIONS)
def test_objections(
    us: Node, peer: Peer, method: str, options: dict[str, object], status: int, header: tuple[str, str] | None
) -> None:
    peer.request(method, us, **options)  # type: ignore[arg-type]
    assert last(peer).status == status
    if header is not None:
        assert last(peer).headers.get(header[0]) == header[1]
    assert us.calls == [] and us.stack.counters["transactions"] == 0


@pytest.mark.parametrize(("method", "status"), [("INVITE", 483), ("OPTIONS", 200)])
def test_max_forwards_0(us: Node, peer: Peer, net: Network, method: str, status: int) -> None:
    """A call would go on; a question ends here (RFC 4475 3.3.11): some ask their neighbour so."""
    peer.request(method, us, branch="z9hG4bKa")
    copy = net.log[0][3].replace(b"Max-Forwards: 70", b"Max-Forwards: 0").replace(b"z9hG4bKa", b"z9hG4bKb")
    peer.send(copy.replace(b"c1", b"c9"), us)
    assert last(peer).status == status


def test_the_owner_sees_max_forwards(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP)
    assert us.calls[0].request.max_forwards == 70


def test_a_merged_request_gets_482(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP, branch="z9hG4bKone")
    peer.request("INVITE", us, body=SDP, branch="z9hG4bKtwo")
    assert peer.statuses() == [100, 482] and len(us.calls) == 1


def test_the_same_request_may_come_again_when_the_first_is_over(us: Node, peer: Peer, net: Network) -> None:
    peer.request("INVITE", us, body=SDP, branch="z9hG4bKone")
    us.calls[0].reject(486)
    net.run(40)
    peer.request("INVITE", us, body=SDP, branch="z9hG4bKtwo")
    assert len(us.calls) == 2


def test_strays_are_silent(us: Node, peer: Peer) -> None:
    peer.request("ACK", us, to_tag="gone")
    peer.request("ACK", us)
    peer.send("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKno\nFrom: <sip:a@b>;tag=1\n"
              "To: <sip:c@d>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n", us)  # fmt: skip
    assert peer.got == []
    assert us.stack.counters["dropped_stray_ack"] == 2
    assert us.stack.counters["dropped_stray_response"] == 1


# -- strangers ----------------------------------------------------------------------------------------


def test_silence_for_strangers(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", verdict=Deny(0))
    for method in ("INVITE", "OPTIONS", "REGISTER", "DANCE", "CANCEL", "BYE", "ACK"):
        peer.request(method, us, to_tag="x" if method == "BYE" else "")
    peer.send("INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx\nCSeq: 1 INVITE\n\n", us)
    assert peer.got == [] and us.calls == []
    assert us.stack.counters["dropped_stranger"] == 7
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_denial_is_one_answer_without_state_and_no_bigger_than_the_request(
    net: Network, peer: Peer
) -> None:
    us = net.node("192.0.2.1", verdict=Deny(401, (("WWW-Authenticate", "Digest " + "x" * 3000),)))
    peer.request("INVITE", us, body=SDP)
    net.run(40)
    assert peer.statuses() == [401]
    assert len(net.log[1][3]) <= len(net.log[0][3]) and us.stack.counters["transactions"] == 0


@pytest.mark.parametrize("order", [1, -1])
def test_the_shortest_challenge_is_kept_when_not_all_fit(net: Network, peer: Peer, order: int) -> None:
    challenges = (("WWW-Authenticate", "Digest " + "x" * 3000), ("WWW-Authenticate", "Digest short"))
    us = net.node("192.0.2.1", verdict=Deny(401, challenges[::order]))
    peer.request("INVITE", us, body=SDP)
    assert last(peer).headers.all("WWW-Authenticate") == ["Digest short"]


def test_cancel_and_ack_are_never_challenged(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", verdict=Deny(401, (("WWW-Authenticate", "Digest x"),)))
    peer.request("CANCEL", us, branch="z9hG4bKx")
    peer.request("ACK", us)
    assert peer.got == []


@pytest.mark.parametrize("port", [7, 19, 53])
def test_no_answer_to_ports_that_answer_anything(us: Node, net: Network, port: int) -> None:
    reflector = net.peer("192.0.2.66", port)
    reflector.request("OPTIONS", us)
    assert reflector.got == [] and us.stack.counters["dropped_reflection"] == 1


@pytest.mark.parametrize("host", ["224.0.0.1", "239.1.2.3", "255.255.255.255"])
def test_no_answer_to_a_multicast_sent_by(us: Node, peer: Peer, net: Network, host: str) -> None:
    peer.request("OPTIONS", us)
    peer.send(net.log[0][3].replace(b"UDP 192.0.2.2:5060", b"UDP " + host.encode()), us)
    assert peer.statuses() == [200]


# -- where answers go (18.2.2, RFC 3581) ---------------------------------------------------------------


def test_received_is_filled_and_rport_where_asked(us: Node, peer: Peer) -> None:
    peer.request("OPTIONS", us)
    assert last(peer).via.params["received"] == "192.0.2.2" and last(peer).via.params["rport"] == "5060"


def test_with_rport_the_answer_goes_to_the_source_port(us: Node, net: Network) -> None:
    behind_nat = net.peer("192.0.2.2", 33333)
    behind_nat.request("OPTIONS", us)
    text = net.log[0][3].replace(b":33333;branch", b":5060;branch")
    behind_nat.send(text, us)
    assert behind_nat.statuses() == [200, 200]


def test_without_rport_the_answer_goes_to_the_sent_by_port_of_the_source_address(
    us: Node, net: Network
) -> None:
    sender, listener = net.peer("192.0.2.2", 33333), net.peer("192.0.2.2", 5070)
    sender.request("OPTIONS", us)
    text = (
        net.log[0][3]
        .replace(b";rport", b"")
        .replace(b"192.0.2.2:33333;", b"198.51.100.9:5070;maddr=192.0.2.9;")
    )
    sender.send(text, us)
    assert sender.statuses() == [200] and listener.statuses() == [200]


# -- bad input and limits --------------------------------------------------------------------------------


def test_a_parse_error_is_answered_with_its_status_and_counted(us: Node, peer: Peer) -> None:
    text = (
        "INVITE sip:a@b SIP/7.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx;rport\nFrom: <sip:a@b>;tag=1\n"
        "To: <sip:c@d>\nCall-ID: x\nCSeq: 1 INVITE\nContent-Length: 0\n\n"
    )
    peer.send(text, us)
    assert last(peer).status == 505 and us.stack.counters["parse_error_505"] == 1
    peer.send(b"\xff\xfe\x00garbage", us)
    assert len(peer.got) == 1


def test_full_of_transactions(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", limits=Limits(transactions=3))
    for number in range(5):
        peer.request("INVITE", us, body=SDP, call_id=f"call{number}")
    assert peer.statuses() == [100, 100, 100, 503, 503]
    assert 5 <= int(last(peer).headers.get("Retry-After") or "0") <= 30
    assert len(us.calls) == 3


def test_full_of_transactions_within_calls_only_byes_are_taken(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", limits=Limits(transactions=3), on_call=lambda usage: usage.answer(SDP))
    peer.request("INVITE", us, body=SDP)
    tag = last(peer).to_tag or ""
    for number in range(2, 12):
        peer.request("INFO", us, to_tag=tag, cseq=number)
    assert peer.statuses()[2:] == [200] * 5 + [503] * 5
    assert us.stack.counters["transactions"] == 6
    peer.request("BYE", us, to_tag=tag, cseq=20)
    assert last(peer).status == 200 and last(peer).cseq == 20


def test_what_one_peer_repeats_within_a_call_leaves_room_for_others(net: Network, peer: Peer) -> None:
    limits = Limits(transactions=100, asked=20)
    us = net.node("192.0.2.1", limits=limits, on_call=lambda usage: usage.answer(SDP))
    peer.request("INVITE", us, body=SDP)
    tag = last(peer).to_tag or ""
    peer.request("ACK", us, to_tag=tag)
    for number in range(2, 200):
        peer.request("INFO", us, to_tag=tag, cseq=number)
    assert peer.statuses()[2:] == [200] * 40 + [503] * 158
    peer.request("INVITE", us, body=SDP, call_id="another")
    assert last(peer).status == 200
    peer.request("ACK", us, to_tag=last(peer).to_tag or "", call_id="another")
    net.run(64 * T1)
    peer.request("INFO", us, to_tag=tag, cseq=200)
    net.run(0.1)
    assert (last(peer).status, last(peer).cseq) == (200, 200), "it may ask again later"
    for number in range(201, 300):
        peer.request("INFO", us, to_tag=tag, cseq=number)
    net.run(0.1)
    assert peer.statuses()[-99:] == [200] * 19 + [503] * 80
    peer.request("BYE", us, to_tag=tag, cseq=300)
    net.run(0.1)
    assert (last(peer).status, last(peer).cseq) == (200, 300)


@pytest.mark.parametrize(("vias", "answers"), [(5, 2), (60, 1)])
def test_an_answer_that_is_far_larger_than_answers_are_is_not_kept_for_copies(
    net: Network, peer: Peer, vias: int, answers: int
) -> None:
    us = net.node("192.0.2.1", on_call=lambda usage: usage.answer(SDP))
    peer.request("INVITE", us, body=SDP)
    tag = last(peer).to_tag or ""
    peer.request("ACK", us, to_tag=tag)
    more = "".join(f"Via: SIP/2.0/UDP 192.0.2.{n};branch=z9hG4bK{n:0200}\n" for n in range(vias))
    for _ in range(2):
        peer.request("INFO", us, to_tag=tag, cseq=2, headers=more)
    assert peer.statuses()[2:] == [200] * answers


def test_full_of_dialogs(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", limits=Limits(usages=1), on_call=lambda usage: usage.progress(180))
    peer.request("INVITE", us, body=SDP, call_id="a")
    peer.request("INVITE", us, body=SDP, call_id="b")
    assert peer.statuses() == [100, 180, 503]


def test_the_trace_sees_both_directions_with_the_call_id(us: Node, peer: Peer) -> None:
    seen: list[tuple[str, str, str]] = []

    def trace(direction: str, flow: Flow, data: bytes, call_id: str) -> None:
        seen.append((direction, data.split(b" ")[0].decode(), call_id))

    us.stack.trace = trace
    peer.request("OPTIONS", us, call_id="traced")
    assert seen == [("in", "OPTIONS", "traced"), ("out", "SIP/2.0", "traced")]


def test_counters_have_bounded_names(us: Node, peer: Peer) -> None:
    for number in range(50):
        peer.request(f"X{number}", us, call_id=f"c{number}")
    assert us.stack.counters["received_other"] == 50 and us.stack.counters["sent_5xx"] == 50
    assert len(us.stack.counters) < 10


def test_an_owner_that_fails_does_not_lose_the_others_events(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1")
    first = peer.request("INVITE", us, body=SDP, call_id="a")
    second = peer.request("INVITE", us, body=SDP, call_id="b")

    def fails(event: object) -> None:
        raise RuntimeError("owner")

    us.calls[0].on_event = fails
    with pytest.raises(RuntimeError):
        peer.request("CANCEL", us, branch=first, call_id="a")
    peer.request("CANCEL", us, branch=second, call_id="b")
    assert len(us.heard[us.calls[1]]) == 1


def test_allow_names_the_peer(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.1", verdict=Allow("trk_9"))
    peer.request("INVITE", us, body=SDP)
    assert us.calls[0].peer_id == "trk_9" and isinstance(us.calls[0].request, Request)


def test_what_belongs_to_a_call_is_known_unread_and_nothing_else(us: Node, peer: Peer, net: Network) -> None:
    def known(start: bytes) -> bool:
        found = [data for _, _, to, data in net.log if to == us.address and data.startswith(start)]
        return us.stack.in_call(found[-1])

    peer.request("INVITE", us, body=SDP, branch="z9hG4bKone")
    assert not known(b"INVITE")
    peer.request("CANCEL", us, branch="z9hG4bKtwo")
    assert not known(b"CANCEL"), "of another call"
    peer.request("CANCEL", us, branch="z9hG4bKone")
    assert known(b"CANCEL")
    peer.request("INFO", us, to_tag="0123456789abcdef", call_id="another")
    assert not known(b"INFO")
    peer.request("INVITE", us, body=SDP, call_id="another")
    us.calls[1].answer(SDP)
    net.run(0.1)
    peer.request("INFO", us, to_tag=last(peer).to_tag or "", call_id="another", cseq=2)
    assert known(b"INFO")
    us.dial(peer)
    net.run(0.1)
    peer.respond(peer.requests("INVITE")[0], 180, us)
    assert known(b"SIP/2.0 180")
    for strange in (b"", b"CANCEL ", b"CANCEL x SIP/2.0\r\nVia: \xff", b"tag=" * 1000, b"tag=\xff"):
        assert not us.stack.in_call(strange)
