"""Offers within the call: re-INVITE and UPDATE in both directions, late offers, glare, refusals."""

import pytest

from edge.sip.events import Acked, Credentials, Ended, OfferAnswered, Offered, OfferRefused
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
from edge.sip.timers import NEVER
from tests.support.lossy_wire import SDP, Network, Node, Peer

HOLD = SDP + b"a=sendonly\r\n"


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


@pytest.fixture
def usage(us: Node, peer: Peer) -> Invite:
    """An established call to us; its events so far are forgotten."""
    peer.request("INVITE", us, body=SDP)
    usage = us.calls[0]
    usage.answer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=usage.local_tag, branch="z9hG4bKack")
    us.heard[usage].clear()
    peer.got.clear()
    return usage


def test_the_peer_holds_and_resumes(us: Node, peer: Peer, usage: Invite) -> None:
    for cseq, sdp in ((2, HOLD), (3, SDP)):
        peer.request("INVITE", us, to_tag=usage.local_tag, cseq=cseq, body=sdp)
        assert us.heard[usage][-1] == Offered(sdp, "INVITE")
        usage.accept_offer(b"v=0 answer")
        us.net.run(0.01)
        answer = peer.got[-1]
        assert isinstance(answer, Response) and (answer.status, answer.body) == (200, b"v=0 answer")
        peer.request("ACK", us, to_tag=usage.local_tag, cseq=cseq, branch=f"z9hG4bKack{cseq}")
    us.net.run(5)
    assert len(us.heard[usage]) == 2 and us.stack.counters.get("retransmissions", 0) == 0


def test_the_answer_to_a_re_invite_is_repeated_until_its_ack(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    usage.accept_offer(SDP)
    us.net.run(1)
    assert peer.statuses() == [100, 200, 200]
    us.net.run(32)
    assert us.heard[usage][-1] == Ended("no_ack", None) and peer.requests("BYE")


def test_a_late_offer_of_the_peer(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2)
    assert us.heard[usage] == [Offered(b"", "INVITE")]
    usage.accept_offer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=usage.local_tag, cseq=2, branch="z9hG4bKa2", body=b"v=0 answer")
    assert us.heard[usage][-1] == Acked(b"v=0 answer")


def test_a_refused_offer_leaves_the_call(us: Node, peer: Peer, usage: Invite) -> None:
    branch = peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    usage.refuse_offer(488)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=usage.local_tag, cseq=2, branch=branch)
    assert peer.statuses() == [100, 488]
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=3, body=SDP)
    assert len(us.heard[usage]) == 2


def test_a_second_re_invite_before_the_answer_gets_500(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=3, body=SDP)
    refusal = peer.got[-1]
    assert isinstance(refusal, Response) and refusal.status == 500
    assert 0 <= int(refusal.headers.get("Retry-After") or "-1") <= 10
    assert len(us.heard[usage]) == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_before_the_first_answer_gets_500(us: Node, peer: Peer, method: str) -> None:
    peer.request("INVITE", us, body=SDP)
    us.calls[0].progress(180)
    us.net.run(0.01)
    peer.request(method, us, to_tag=us.calls[0].local_tag, cseq=2, body=HOLD)
    refusal = peer.got[-1]
    assert isinstance(refusal, Response) and refusal.status == 500 and "Retry-After" in refusal.headers


def test_the_peer_takes_its_re_invite_back(us: Node, peer: Peer, usage: Invite) -> None:
    branch = peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    peer.request("CANCEL", us, to_tag=usage.local_tag, cseq=2, branch=branch)
    assert peer.statuses() == [100, 200, 487]
    usage.accept_offer(SDP)
    us.net.run(0.01)
    assert peer.statuses() == [100, 200, 487]


def test_the_answer_to_an_offer_that_was_taken_back_is_none_to_the_next_one(
    us: Node, peer: Peer, usage: Invite
) -> None:
    """The next one comes before the owner has heard of that."""
    branch = peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    peer.request("CANCEL", us, to_tag=usage.local_tag, cseq=2, branch=branch)
    peer.request("ACK", us, to_tag=usage.local_tag, cseq=2, branch=branch)
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=3, body=SDP)
    assert not usage.accept_offer(HOLD)
    assert (peer.statuses()[-1], peer.got[-1].cseq) == (491, 3)
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=4, body=SDP)
    assert usage.accept_offer(SDP)
    us.net.run(0.01)
    assert (peer.statuses()[-1], peer.got[-1].cseq) == (200, 4)


def test_update_with_and_without_an_offer(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=2)
    assert peer.statuses() == [200] and us.heard[usage] == []
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=3, body=HOLD)
    assert us.heard[usage] == [Offered(HOLD, "UPDATE")]
    usage.accept_offer(SDP)
    us.net.run(0.01)
    assert peer.statuses() == [200, 200] and peer.got[-1].body == SDP


def test_a_new_contact_is_where_the_next_request_goes(
    us: Node, peer: Peer, usage: Invite, net: Network
) -> None:
    moved = net.peer("192.0.2.3")
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=2)
    data = (
        net.log[-2][3].replace(b"<sip:me@192.0.2.2:5060>", b"<sip:me@192.0.2.3>").replace(b"2 UPD", b"3 UPD")
    )
    peer.send(data.replace(b"UPDATE2", b"UPDATE3"), us)
    usage.hang_up()
    net.run(0.01)
    assert moved.requests("BYE")[0].uri == "sip:me@192.0.2.3"


def test_we_offer_and_the_peer_accepts(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    (invite,) = peer.requests("INVITE")
    assert invite.body == HOLD and invite.to_tag == "peer"
    peer.respond(invite, 200, us, body=b"v=0 answer")
    peer.respond(invite, 200, us, body=b"v=0 answer")
    assert us.heard[usage] == [OfferAnswered(b"v=0 answer")]
    assert len(peer.requests("ACK")) == 2


def test_we_ask_for_an_offer(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(b"")
    us.net.run(0.01)
    (invite,) = peer.requests("INVITE")
    assert invite.body == b"" and invite.headers.get("Content-Type") is None
    peer.respond(invite, 200, us, body=SDP)
    assert us.heard[usage] == [OfferAnswered(SDP)] and not peer.requests("ACK")
    usage.ack(b"v=0 answer")
    us.net.run(0.01)
    assert peer.requests("ACK")[0].body == b"v=0 answer"


@pytest.mark.parametrize("answered", [False, True])
def test_a_repeated_answer_to_the_offer_before_is_acknowledged_and_no_answer_to_the_next(
    us: Node, peer: Peer, usage: Invite, *, answered: bool
) -> None:
    """Our ACK to it was lost, or is slow."""
    for offer in (HOLD, SDP):
        usage.offer_again(offer)
        us.net.run(0.01)
        if offer is HOLD or answered:
            peer.respond(peer.requests("INVITE")[-1], 200, us, body=offer)
            us.net.run(0.01)
    told = len(us.heard[usage])
    first, second = peer.requests("INVITE")
    before = peer.requests("ACK")
    peer.respond(first, 200, us, body=HOLD)
    us.net.run(0.01)
    assert [one.cseq for one in peer.requests("ACK")[len(before) :]] == [first.cseq]
    assert peer.requests("ACK")[-1].headers.get("Via") == before[0].headers.get("Via")
    assert len(us.heard[usage]) == told
    peer.respond(second, 200, us, body=SDP)
    us.net.run(0.01)
    assert us.heard[usage][-1] == OfferAnswered(SDP) and peer.requests("ACK")[-1].cseq == second.cseq


def test_a_refusal_of_our_offer_leaves_the_call(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], 488, us)
    assert us.heard[usage] == [OfferRefused(488, "X")]
    usage.offer_again(SDP)
    us.net.run(0.01)
    assert len(peer.requests("INVITE")) == 2


@pytest.mark.parametrize(("status", "cause"), [(481, "gone"), (408, "timeout")])
def test_an_answer_that_ends_the_dialog(us: Node, peer: Peer, usage: Invite, status: int, cause: str) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], status, us)
    assert us.heard[usage] == [Ended(cause, None)] and len(peer.requests("BYE")) == 1  # type: ignore[arg-type]


def test_no_answer_to_our_offer_ends_the_call(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(32.2)
    assert us.heard[usage] == [Ended("timeout", None)]


def test_an_offer_that_hangs_is_taken_back(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], 100, us)
    us.net.run(33)
    assert len(peer.requests("CANCEL")) >= 1 and us.heard[usage] == []
    us.net.run(33)
    assert us.heard[usage] == [OfferRefused(408, "Request Timeout")]


def test_glare_is_refused_with_491_and_ours_is_tried_again(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.001)
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=SDP)
    assert peer.statuses() == [491], "the peer's, while ours is pending"
    peer.respond(peer.requests("INVITE")[0], 491, us)
    us.net.run(2.1)
    tried = {one.cseq for one in peer.requests("INVITE")}
    assert tried == {1, 2}, "14.1: who does not own the Call-ID waits 0 to 2 s"
    assert us.heard[usage] == []


def test_the_owner_of_the_call_id_waits_longer(us: Node, peer: Peer) -> None:
    usage = us.dial(peer)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], 200, us, body=SDP)
    usage.ack()
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[1], 491, us)
    us.net.run(2.05)
    assert {invite.cseq for invite in peer.requests("INVITE")} == {1, 2}
    us.net.run(2.0)
    assert {invite.cseq for invite in peer.requests("INVITE")} == {1, 2, 3}


def test_endless_glare_becomes_a_refusal(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    for _ in range(6):
        us.net.run(2.1)
        peer.respond(peer.requests("INVITE")[-1], 491, us)
    assert us.heard[usage] == [OfferRefused(491, "X")]


def test_who_still_waits_for_an_answer_of_ours_is_asked_again_when_it_says(
    us: Node, peer: Peer, usage: Invite
) -> None:
    """14.2: 500 with Retry-After, to an offer that came before the one before had its answer."""
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], 500, us, headers="Retry-After: 7 (busy)\n")
    us.net.run(6.9)
    assert len(peer.requests("INVITE")) == 1 and us.heard[usage] == []
    us.net.run(0.2)
    again = peer.requests("INVITE")[1]
    assert again.body == HOLD
    peer.respond(again, 200, us, body=SDP)
    assert us.heard[usage] == [OfferAnswered(SDP)]


@pytest.mark.parametrize("lines", ["", "Retry-After: 3600\n", "Retry-After: soon\n"])
def test_a_server_error_that_names_no_near_time_is_a_refusal(
    us: Node, peer: Peer, usage: Invite, lines: str
) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[0], 500, us, headers=lines)
    assert us.heard[usage] == [OfferRefused(500, "X")]


def test_who_is_always_asked_too_early_refuses_in_the_end(us: Node, peer: Peer, usage: Invite) -> None:
    usage.offer_again(HOLD)
    us.net.run(0.01)
    for tries in range(1, 7):
        assert len({one.cseq for one in peer.requests("INVITE")}) == tries
        peer.respond(peer.requests("INVITE")[-1], 500, us, headers="Retry-After: 1\n")
        us.net.run(2.1)
    assert us.heard[usage] == [OfferRefused(500, "X")]


def test_two_stacks_in_glare_both_get_through(net: Network) -> None:
    a, b = net.node("192.0.2.11"), net.node("192.0.2.12", on_call=lambda usage: usage.answer(SDP))
    calling = a.dial(b)
    net.run(0.1)
    calling.ack()
    net.run(0.1)
    called = b.calls[0]
    calling.offer_again(HOLD)
    called.offer_again(HOLD)
    for _ in range(80):
        net.run(0.1)
        for node, usage in ((a, calling), (b, called)):
            if isinstance(node.heard[usage][-1], Offered):
                usage.accept_offer(SDP)
    assert OfferAnswered(SDP) in a.heard[calling] and OfferAnswered(SDP) in b.heard[called]


def test_our_offer_waits_for_theirs(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    usage.offer_again(SDP)
    us.net.run(0.1)
    assert not peer.requests("INVITE")
    usage.accept_offer(SDP)
    us.net.run(0.1)
    assert not peer.requests("INVITE"), "their ACK first"
    peer.request("ACK", us, to_tag=usage.local_tag, cseq=2, branch="z9hG4bKa2")
    assert len(peer.requests("INVITE")) == 1


def test_hang_up_in_the_middle_of_an_offer(us: Node, peer: Peer, usage: Invite, net: Network) -> None:
    usage.offer_again(HOLD)
    net.run(0.01)
    (invite,) = peer.requests("INVITE")
    usage.hang_up()
    peer.respond(invite, 200, us, body=SDP)
    assert len(peer.requests("ACK")) == 1 and len(peer.requests("BYE")) >= 1
    net.run(70)
    assert us.heard[usage] == []
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_hang_up_ends_what_an_offer_began(us: Node, peer: Peer, usage: Invite, net: Network) -> None:
    """It is not made once more with a login, and an interval that is granted yet is nobody's."""
    usage.credentials = Credentials("edge", "secret")
    usage.offer_again(HOLD)
    net.run(0.01)
    (invite,) = peer.requests("INVITE")
    usage.hang_up()
    net.run(0.01)
    peer.respond(peer.requests("BYE")[0], 200, us)
    peer.respond(invite, 401, us, headers='WWW-Authenticate: Digest realm="pbx", nonce="n", qop="auth"\n')
    assert len(peer.requests("INVITE")) == 1 and len(peer.requests("ACK")) == 1
    net.run(70)
    assert (us.stack.counters["transactions"], us.stack.timers.earliest) == (0, NEVER)


def test_no_interval_is_agreed_after_a_hang_up(us: Node, peer: Peer, usage: Invite, net: Network) -> None:
    usage.offer_again(HOLD)
    net.run(0.01)
    usage.hang_up()
    net.run(0.01)
    peer.respond(peer.requests("BYE")[0], 200, us)
    granted = "Require: timer\nSession-Expires: 1800;refresher=uac\n"
    peer.respond(peer.requests("INVITE")[0], 200, us, headers=granted, body=SDP)
    assert len(peer.requests("ACK")) == 1
    net.run(70)
    assert us.stack.timers.earliest == NEVER


def test_bye_in_the_middle_of_their_offer(us: Node, peer: Peer, usage: Invite) -> None:
    peer.request("INVITE", us, to_tag=usage.local_tag, cseq=2, body=HOLD)
    peer.request("BYE", us, to_tag=usage.local_tag, cseq=3)
    statuses = {(m.cseq_method, m.status) for m in peer.got if isinstance(m, Response)}
    assert {("INVITE", 487), ("BYE", 200)} <= statuses
    assert us.heard[usage][-1] == Ended("peer", None)


def test_re_invite_before_the_ack_gets_491(us: Node, peer: Peer) -> None:
    peer.request("INVITE", us, body=SDP)
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    peer.request("INVITE", us, to_tag=us.calls[0].local_tag, cseq=2, body=HOLD)
    assert peer.statuses()[-1] == 491 and not any(isinstance(m, Request) for m in peer.got)
