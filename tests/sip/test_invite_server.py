"""Calls to us: answers, their repetition, CANCEL, BYE, and the races between them."""

import pytest

from edge.sip.events import Acked, Cancelled, Ended, Info
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


def answered(us: Node, peer: Peer, *, ack: bool = True) -> str:
    """An established call; answers our tag."""
    peer.request("INVITE", us, body=SDP)
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    if ack:
        peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack")
    return tag_of(peer)


def tag_of(peer: Peer) -> str:
    return peer.got[-1].to_tag or ""


def test_trying_is_sent_at_once_and_copies_make_no_second_call(us: Node, peer: Peer) -> None:
    branch = peer.request("INVITE", us, body=SDP)
    assert peer.statuses() == [100]
    peer.request("INVITE", us, body=SDP, branch=branch)
    assert peer.statuses() == [100, 100] and len(us.calls) == 1
    assert us.calls[0].offer == SDP and us.calls[0].peer_id == "trk_1"


def test_the_answer_carries_contact_record_route_allow_and_sdp(us: Node, peer: Peer) -> None:
    routes = "Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>\n"
    peer.request("INVITE", us, body=SDP, headers=routes)
    us.calls[0].progress(183, SDP)
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    for response in peer.got[1:]:
        assert response.headers.get("Contact") == "<sip:edge@192.0.2.1:5060>"
        assert response.headers.values("Record-Route") == ["<sip:10.0.0.1;lr>", "<sip:10.0.0.2;lr>"]
        assert response.body == SDP and response.headers.get("Content-Type") == "application/sdp"
    assert "INVITE" in (peer.got[-1].headers.get("Allow") or "")
    assert peer.got[1].to_tag == peer.got[2].to_tag


def test_the_200_is_repeated_until_its_ack(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer, ack=False)
    net.run(4)
    assert net.sent("SIP/2.0 200") == pytest.approx([0.01, 0.51, 1.51, 3.51], abs=0.02)
    peer.request("ACK", us, to_tag=tag, branch="z9hG4bKack")
    net.run(30)
    assert len(net.sent("SIP/2.0 200")) == 4
    assert us.heard[us.calls[0]] == [Acked(b"")]


def test_the_200_is_repeated_over_tcp_too(us: Node, peer: Peer, net: Network) -> None:
    net.transport = "tcp"
    answered(us, peer, ack=False)
    net.run(2)
    assert len(net.sent("SIP/2.0 200")) == 3


def test_without_an_ack_the_call_ends_after_32_s_with_a_bye(us: Node, peer: Peer, net: Network) -> None:
    answered(us, peer, ack=False)
    net.run(31)
    assert us.heard[us.calls[0]] == [] and not peer.requests("BYE")
    net.run(1.1)
    assert us.heard[us.calls[0]] == [Ended("no_ack", None)]
    assert len(peer.requests("BYE")) >= 1


def test_a_late_ack_changes_nothing(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer, ack=False)
    net.run(33)
    peer.request("ACK", us, to_tag=tag, branch="z9hG4bKlate")
    assert us.heard[us.calls[0]] == [Ended("no_ack", None)]


def test_the_answer_to_a_late_offer_comes_with_the_ack(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us)
    assert us.calls[0].offer == b""
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack", body=b"v=0 answer")
    assert us.heard[us.calls[0]] == [Acked(b"v=0 answer")]


def test_cancel_before_the_answer(us: Node, peer: Peer) -> None:
    branch = peer.request("INVITE", us, body=SDP)
    us.calls[0].progress(180)
    peer.request("CANCEL", us, branch=branch, headers='Reason: SIP;cause=200;text="elsewhere"\n')
    assert peer.statuses() == [100, 180, 200, 487]
    assert us.heard[us.calls[0]] == [Cancelled('SIP;cause=200;text="elsewhere"')]
    us.calls[0].answer(SDP)
    us.calls[0].reject(486)
    us.net.run(0.1)
    assert peer.statuses() == [100, 180, 200, 487], "a crossing answer means nothing any more"


def test_cancel_after_the_answer_is_answered_and_changes_nothing(us: Node, peer: Peer) -> None:
    answered(us, peer, ack=False)
    branch = "z9hG4bKINVITE1c1"
    peer.request("CANCEL", us, branch=branch)
    assert [r.cseq_method for r in peer.got if getattr(r, "status", 0) == 200] == ["INVITE", "CANCEL"]
    assert us.heard[us.calls[0]] == []


@pytest.mark.parametrize("early", [False, True])
def test_an_invite_that_expires_before_the_answer_is_487(
    us: Node, peer: Peer, net: Network, *, early: bool
) -> None:
    """13.3.1."""
    peer.request("INVITE", us, body=SDP, headers="Expires: 20\n")
    if early:
        us.calls[0].progress(180)
    net.run(19.9)
    assert 487 not in peer.statuses()
    net.run(0.2)
    assert peer.statuses()[-1] == 487
    assert us.heard[us.calls[0]] == [Cancelled(None, expired=True)]
    us.calls[0].answer(SDP)
    net.run(60)
    assert 200 not in peer.statuses()
    assert us.stack.counters["transactions"] == us.stack.counters["dialogs"] == 0


def test_an_invite_that_is_worth_nothing_from_the_start_is_487_at_once(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP, headers="Expires: 0\n")
    us.net.run(0.1)
    assert peer.statuses() == [100, 487]


@pytest.mark.parametrize("value", ["20", "never", "-1", "4294967296", "20;x=y"])
def test_an_invite_that_was_answered_or_says_nothing_of_it_does_not_expire(
    us: Node, peer: Peer, net: Network, value: str
) -> None:
    peer.request("INVITE", us, body=SDP, headers=f"Expires: {value}\n")
    if value == "20":
        us.calls[0].answer(SDP)
        net.run(0.01)
        peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack")
    net.run(200)
    assert 487 not in peer.statuses()
    assert us.calls[0].state == ("up" if value == "20" else "trying")


def test_cancel_of_nothing_is_481(us: Node, peer: Peer) -> None:
    peer.request("CANCEL", us, branch="z9hG4bKnone")
    assert peer.statuses() == [481]


def test_a_refusal_is_repeated_until_its_ack(us: Node, peer: Peer, net: Network) -> None:
    branch = peer.request("INVITE", us, body=SDP)
    us.calls[0].reject(486, headers=(("Retry-After", "5"),))
    net.run(1)
    assert peer.statuses() == [100, 486, 486]
    assert peer.got[-1].headers.get("Retry-After") == "5"
    peer.request("ACK", us, branch=branch, to_tag=tag_of(peer))
    net.run(40)
    assert peer.statuses() == [100, 486, 486]
    assert us.stack.counters["transactions"] == 0


def test_a_ringing_call_is_refreshed_every_minute(us: Node, peer: Peer, net: Network) -> None:
    peer.request("INVITE", us, body=SDP)
    us.calls[0].progress(180)
    net.run(130)
    assert peer.statuses() == [100, 180, 180, 180]


def test_hang_up_before_the_answer_is_480(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP)
    us.calls[0].hang_up("Q.850;cause=31")
    us.net.run(0.1)
    assert peer.statuses() == [100, 480] and peer.got[-1].headers.get("Reason") == "Q.850;cause=31"


def test_hang_up_before_the_ack_waits_for_it(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer, ack=False)
    us.calls[0].hang_up()
    net.run(0.3)
    assert not peer.requests("BYE"), "section 15: no BYE before the ACK"
    peer.request("ACK", us, to_tag=tag, branch="z9hG4bKack")
    assert len(peer.requests("BYE")) == 1 and us.heard[us.calls[0]] == []


def test_hang_up_without_any_ack_still_says_bye(us: Node, peer: Peer, net: Network) -> None:
    answered(us, peer, ack=False)
    us.calls[0].hang_up()
    net.run(32.2)
    assert peer.requests("BYE") and us.heard[us.calls[0]] == []


def test_bye_of_the_peer(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer)
    branch = peer.request("BYE", us, to_tag=tag, cseq=2, headers="Reason: Q.850;cause=16\n")
    assert us.heard[us.calls[0]] == [Acked(b""), Ended("peer", "Q.850;cause=16")]
    peer.request("BYE", us, to_tag=tag, cseq=2, branch=branch)
    assert peer.statuses()[-2:] == [200, 200], "a copy gets the same answer"
    peer.request("BYE", us, to_tag=tag, cseq=3)
    assert peer.statuses()[-1] == 481
    net.run(40)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_bye_ends_an_early_dialog_as_cancel_does(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP)
    us.calls[0].progress(180)
    us.net.run(0.01)
    peer.request("BYE", us, to_tag=tag_of(peer), cseq=2)
    assert peer.statuses() == [100, 180, 200, 487]
    assert us.heard[us.calls[0]] == [Cancelled(None)]


def test_bye_before_the_ack_ends_the_call(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer, ack=False)
    peer.request("BYE", us, to_tag=tag, cseq=2)
    net.run(5)
    assert us.heard[us.calls[0]] == [Ended("peer", None)]
    assert len(net.sent("SIP/2.0 200")) == 2, "the 200 to the INVITE is not repeated any more"


def test_byes_that_cross_are_both_answered(us: Node, peer: Peer, net: Network) -> None:
    tag = answered(us, peer)
    us.calls[0].hang_up()
    net.run(0.01)
    peer.request("BYE", us, to_tag=tag, cseq=2)
    assert peer.statuses()[-1] == 200 and us.heard[us.calls[0]] == [Acked(b"")]
    peer.respond(peer.requests("BYE")[0], 200, us)
    net.run(40)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_our_bye_goes_to_the_contact_through_the_routes(us: Node, peer: Peer, net: Network) -> None:
    proxy = net.peer("192.0.2.9")
    peer.request("INVITE", us, body=SDP, headers="Record-Route: <sip:192.0.2.9;lr>, <sip:192.0.2.8;lr>\n")
    us.calls[0].answer(SDP)
    net.run(0.01)
    peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack")
    us.calls[0].hang_up()
    net.run(0.01)
    (bye,) = proxy.requests("BYE")
    assert bye.uri == "sip:me@192.0.2.2:5060"
    assert bye.headers.values("Route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>"]


def test_a_strict_router_finds_itself_in_the_request_uri(us: Node, peer: Peer, net: Network) -> None:
    proxy = net.peer("192.0.2.9")
    peer.request("INVITE", us, body=SDP, headers="Record-Route: <sip:192.0.2.9>, <sip:192.0.2.8;lr>\n")
    us.calls[0].answer(SDP)
    net.run(0.01)
    peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack")
    us.calls[0].hang_up()
    net.run(0.01)
    (bye,) = proxy.requests("BYE")
    assert bye.uri == "sip:192.0.2.9"
    assert bye.headers.values("Route") == ["<sip:192.0.2.8;lr>", "<sip:me@192.0.2.2:5060>"]


@pytest.mark.parametrize("contact", ["192.168.1.5", "100.64.3.7"])
def test_a_contact_behind_a_nat_is_reached_where_it_was_heard(us: Node, net: Network, contact: str) -> None:
    peer = net.peer("8.8.4.4", 40000)
    peer.request("INVITE", us, body=SDP, headers="")
    text = us.net.log[0][3].replace(b"<sip:me@8.8.4.4:40000>", f"<sip:me@{contact}>".encode())
    text = text.replace(b"c1", b"c2")
    peer.send(text.replace(b"INVITE1", b"INVITE2"), us)
    us.calls[1].answer(SDP)
    net.run(0.01)
    peer.request("ACK", us, to_tag=tag_of(peer), branch="z9hG4bKack", call_id="c2")
    us.calls[1].hang_up()
    net.run(0.01)
    (bye,) = peer.requests("BYE")
    assert bye.uri == f"sip:me@{contact}"


def test_a_proxy_that_records_its_private_address_is_reached_where_it_was_heard(
    us: Node, net: Network
) -> None:
    proxy = net.peer("8.8.4.4", 40000)
    proxy.request("INVITE", us, body=SDP, headers="Record-Route: <sip:10.0.0.5;lr>\n")
    us.calls[0].answer(SDP)
    net.run(0.01)
    proxy.request("ACK", us, to_tag=tag_of(proxy), branch="z9hG4bKack")
    us.calls[0].hang_up()
    net.run(0.01)
    (bye,) = proxy.requests("BYE")
    assert bye.headers.values("Route") == ["<sip:10.0.0.5;lr>"]


def test_requests_out_of_order_get_500(us: Node, peer: Peer) -> None:
    tag = answered(us, peer)
    peer.request("OPTIONS", us, to_tag=tag, cseq=7)
    peer.request("INFO", us, to_tag=tag, cseq=6)
    assert peer.statuses()[-2:] == [200, 500]


def test_info_and_options_within_the_call(us: Node, peer: Peer) -> None:
    tag = answered(us, peer)
    peer.request("OPTIONS", us, to_tag=tag, cseq=2)
    assert peer.got[-1].headers.get("Accept") == "application/sdp, multipart/mixed"
    peer.request(
        "INFO", us, to_tag=tag, cseq=3, body=b"Signal=5", headers="Content-Type: application/dtmf-relay\n"
    )
    assert peer.statuses()[-1] == 200
    assert us.heard[us.calls[0]][-1] == Info("application/dtmf-relay", b"Signal=5")


def test_our_info(us: Node, peer: Peer) -> None:
    answered(us, peer)
    us.calls[0].info("application/dtmf-relay", b"Signal=1")
    us.net.run(0.01)
    (info,) = peer.requests("INFO")
    assert info.body == b"Signal=1" and info.headers.get("Content-Type") == "application/dtmf-relay"
    peer.respond(info, 481, us)
    assert us.heard[us.calls[0]][-1] == Ended("gone", None)


def test_events_wait_for_their_listener(net: Network, peer: Peer) -> None:
    us = net.node("192.0.2.7", on_call=lambda usage: setattr(usage, "on_event", None))
    branch = peer.request("INVITE", us, body=SDP)
    peer.request("CANCEL", us, branch=branch)
    heard: list[object] = []
    us.calls[0].on_event = heard.append
    assert heard == [], "never from inside a command"
    net.run(0.01)
    assert heard == [Cancelled(None)]
