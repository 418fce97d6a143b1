"""Session timers (RFC 4028) in both roles: who refreshes, how, and what ends a call that nobody does."""

import pytest

from edge.sip.events import Ended, OfferAnswered, Refreshed
from edge.sip.invite import Invite
from edge.sip.message import Request, Response
from edge.sip.timers import NEVER
from tests.support.lossy_wire import SDP, Network, Node, Peer


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1", on_call=lambda call: call.answer(SDP))


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


def answers(peer: Peer) -> list[Response]:
    return [m for m in peer.got if isinstance(m, Response)]


def called(us: Node, peer: Peer, headers: str) -> Response:
    """A call to us that is answered; the 200."""
    peer.request("INVITE", us, headers=headers, body=SDP)
    answer = answers(peer)[-1]
    assert answer.status == 200
    peer.request("ACK", us, to_tag=answer.to_tag or "", headers="")
    return answer


def calling(us: Node, peer: Peer, headers: str) -> Invite:
    """A call of ours that is answered so."""
    usage = us.dial(peer)
    us.net.run(0.05)
    peer.respond(peer.requests("INVITE")[-1], 200, us, headers=headers, body=SDP)
    usage.ack()
    us.net.run(0.05)
    return usage


def reply(
    us: Node, peer: Peer, request: Request, status: int = 200, headers: str = "", body: bytes = b""
) -> None:
    peer.respond(request, status, us, headers=headers, body=body)


# -- calls to us ------------------------------------------------------------------------------------------


def test_a_caller_that_asks_for_none_gets_none(us: Node, peer: Peer) -> None:
    answer = called(us, peer, "Supported: timer\n")
    assert answer.headers.get("Session-Expires") is None and answer.headers.get("Require") is None
    us.net.run(4000)
    assert peer.requests("BYE") == [] and peer.requests("UPDATE") == []


def test_a_caller_that_refreshes_keeps_its_call_and_one_that_stops_loses_it(us: Node, peer: Peer) -> None:
    answer = called(us, peer, "Supported: timer\nSession-Expires: 90;refresher=uac\n")
    assert answer.headers.get("Session-Expires") == "90;refresher=uac"
    assert answer.headers.get("Require") == "timer"
    us.net.run(50)
    peer.request(
        "UPDATE",
        us,
        cseq=2,
        to_tag=answer.to_tag or "",
        headers="Session-Expires: 90;refresher=uac\nk: timer\n",
    )
    assert answers(peer)[-1].headers.get("Session-Expires") == "90;refresher=uac"
    us.net.run(59)
    assert peer.requests("BYE") == []
    us.net.run(1.1)
    assert len(peer.requests("BYE")) == 1
    assert us.heard[us.calls[0]][-1] == Ended("timeout", None)


def test_a_caller_that_knows_no_timers_behind_a_proxy_that_wants_one(us: Node, peer: Peer) -> None:
    answer = called(us, peer, "Session-Expires: 1800\nAllow: INVITE, UPDATE\n")
    assert answer.headers.get("Session-Expires") == "1800;refresher=uas"
    assert answer.headers.get("Require") is None
    us.net.run(900)
    (update,) = peer.requests("UPDATE")
    assert update.headers.get("Session-Expires") == "1800;refresher=uac" and update.body == b""


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_interval_too_short_is_answered_with_the_shortest(us: Node, peer: Peer, method: str) -> None:
    tag = called(us, peer, "").to_tag or "" if method == "UPDATE" else ""
    peer.request(
        method, us, cseq=5, to_tag=tag, call_id="c1" if tag else "c2", headers="x: 89\nSupported: timer\n"
    )
    assert answers(peer)[-1].status == 422 and answers(peer)[-1].headers.get("Min-SE") == "90"


def test_a_caller_may_require_timers_and_nothing_else(us: Node, peer: Peer) -> None:
    called(us, peer, "Require: timer\nSession-Expires: 90\n")
    peer.request("INVITE", us, call_id="c2", headers="Require: timer, warp\n")
    assert answers(peer)[-1].headers.get("Unsupported") == "warp"


# -- calls of ours, where we refresh ------------------------------------------------------------------------


def test_we_refresh_by_update_where_the_target_allows_it(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 200;refresher=uac\nAllow: INVITE, UPDATE\nRequire: timer\n")
    assert peer.requests("INVITE")[0].headers.values("Supported") == ["100rel", "timer", "replaces"]
    for number in (1, 2):
        us.net.run(100.1)
        assert len(peer.requests("UPDATE")) == number
        reply(us, peer, peer.requests("UPDATE")[-1], headers="Session-Expires: 200;refresher=uac\n")
    us.net.run(90)
    assert peer.requests("BYE") == [] and usage.state == "up"


def test_else_by_an_unchanged_reinvite_of_which_the_owner_hears_the_answer(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 200;refresher=uac\nAllow: INVITE, BYE\n")
    us.net.run(100)
    again = peer.requests("INVITE")[-1]
    assert (again.body, again.headers.get("Session-Expires")) == (SDP, "200;refresher=uac")
    reply(us, peer, again, headers="Session-Expires: 200;refresher=uac\n", body=SDP)
    us.net.run(1)
    assert len(peer.requests("ACK")) == 2
    assert not [event for event in us.heard[usage] if isinstance(event, OfferAnswered)]
    assert us.heard[usage][-1] == Refreshed(SDP), "the peer may have moved"
    us.net.run(100)
    assert len({request.cseq for request in peer.requests("INVITE")}) == 3


@pytest.mark.parametrize("status", [200, 488])
def test_what_comes_of_a_refresh_is_not_taken_for_what_comes_of_an_offer_that_waits(
    us: Node, peer: Peer, status: int
) -> None:
    usage = calling(us, peer, "Session-Expires: 200;refresher=uac\nAllow: INVITE, BYE\n")
    us.net.run(100)
    refresh = peer.requests("INVITE")[-1]
    told, said = SDP.replace(b"4000", b"4002"), SDP.replace(b"4000", b"4998")
    usage.offer_again(told)
    us.net.run(1)
    assert peer.requests("INVITE")[-1].cseq == refresh.cseq
    before = len(us.heard[usage])
    reply(us, peer, refresh, status, body=SDP if status == 200 else b"")
    us.net.run(0.1)
    assert us.heard[usage][before:] == ([Refreshed(SDP)] if status == 200 else [])
    offer = peer.requests("INVITE")[-1]
    assert offer.body == told
    reply(us, peer, offer, body=said)
    assert us.heard[usage][-1] == OfferAnswered(said)


def test_a_refresh_says_what_our_ack_said_last(us: Node, peer: Peer) -> None:
    """The target made the last offer, when it was asked for one."""
    usage = calling(us, peer, "Session-Expires: 200;refresher=uac\nAllow: INVITE, BYE\n")
    usage.offer_again(b"")
    us.net.run(0.01)
    lines = "Session-Expires: 200;refresher=uac\n"
    reply(us, peer, peer.requests("INVITE")[-1], headers=lines, body=SDP)
    told = SDP.replace(b"4000", b"4002")
    usage.ack(told)
    us.net.run(101)
    assert peer.requests("INVITE")[-1].body == told


def test_a_refresh_that_waits_for_an_offer_of_the_peers_says_what_that_was_answered(
    us: Node, peer: Peer
) -> None:
    tag = called(us, peer, "Supported: timer\nSession-Expires: 200;refresher=uas\n").to_tag or ""
    (usage,) = us.calls
    us.net.run(99)
    peer.request("INVITE", us, to_tag=tag, cseq=2, body=SDP)
    us.net.run(2)
    assert peer.requests("INVITE") == [], "it waits"
    told = SDP.replace(b"4000", b"4002")
    assert usage.accept_offer(told)
    us.net.run(0.1)
    peer.request("ACK", us, to_tag=tag, cseq=2, branch="z9hG4bKack2")
    us.net.run(0.1)
    assert peer.requests("INVITE")[-1].body == told


def test_a_target_that_does_not_answer_our_refresh_is_hung_up_on(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: UPDATE\n")
    us.net.run(45 + 32.5)
    assert us.heard[usage][-1] == Ended("timeout", None)
    assert peer.requests("BYE") != []


def test_a_refresh_of_a_dialog_that_is_gone_ends_the_call(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: UPDATE\n")
    us.net.run(45)
    reply(us, peer, peer.requests("UPDATE")[0], 481)
    assert us.heard[usage][-1] == Ended("gone", None)


def test_a_longer_interval_that_the_target_wants_is_taken(us: Node, peer: Peer) -> None:
    calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: UPDATE\n")
    us.net.run(45)
    reply(us, peer, peer.requests("UPDATE")[0], 422, headers="Min-SE: 300\n")
    us.net.run(0.1)
    again = peer.requests("UPDATE")[-1].headers
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("300;refresher=uac", "300")


def test_so_is_one_that_is_wanted_of_a_refresh_by_re_invite(us: Node, peer: Peer) -> None:
    calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: INVITE\n")
    us.net.run(45)
    reply(us, peer, peer.requests("INVITE")[-1], 422, headers="Min-SE: 300\n")
    us.net.run(0.1)
    again = peer.requests("INVITE")[-1]
    assert (again.cseq, again.headers.get("Session-Expires")) == (3, "300;refresher=uac")


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_of_longer_and_longer_intervals_a_few_are_tried(us: Node, peer: Peer, method: str) -> None:
    """Each proxy on the way may want its own; the call of a peer that is never content ends in its time."""
    usage = calling(us, peer, f"Session-Expires: 90;refresher=uac\nAllow: {method}\n")
    us.net.run(45)
    first = peer.requests(method)[-1].cseq
    for number in range(10):
        reply(us, peer, peer.requests(method)[-1], 422, headers=f"Min-SE: {300 + number}\n")
        us.net.run(0.1)
    assert peer.requests(method)[-1].cseq - first == 5
    us.net.run(200)
    assert us.heard[usage][-1] == Ended("timeout", None)


def test_an_offer_for_which_the_interval_is_too_short_is_made_again(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: INVITE\n")
    told, said = SDP.replace(b"4000", b"4002"), SDP.replace(b"4000", b"4998")
    usage.offer_again(told)
    us.net.run(0.1)
    reply(us, peer, peer.requests("INVITE")[-1], 422, headers="Min-SE: 300\n")
    us.net.run(0.1)
    again = peer.requests("INVITE")[-1]
    assert (again.cseq, again.body, again.headers.get("Session-Expires")) == (3, told, "300;refresher=uac")
    reply(us, peer, again, headers="Session-Expires: 300;refresher=uac\n", body=said)
    assert us.heard[usage][1:] == [OfferAnswered(said)]
    us.net.run(140)
    assert usage.state == "up"


@pytest.mark.parametrize("status", [491, 500, 503, 405])
def test_a_refresh_that_is_refused_is_tried_by_re_invite_until_that_gets_through(
    us: Node, peer: Peer, status: int
) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: INVITE, UPDATE\n")
    us.net.run(45.1)
    reply(us, peer, peer.requests("UPDATE")[0], status)
    us.net.run(0.1)
    reply(us, peer, peer.requests("INVITE")[-1], 491)
    us.net.run(4.1)
    refresh = "Session-Expires: 90;refresher=uac\n"
    reply(us, peer, peer.requests("INVITE")[-1], headers=refresh, body=SDP)
    us.net.run(40)
    assert (peer.requests("BYE"), usage.state) == ([], "up")


@pytest.mark.parametrize("allow", ["INVITE", "INVITE, UPDATE"])
def test_a_refresh_that_is_refused_twice_is_tried_once_more_before_the_end(
    us: Node, peer: Peer, allow: str
) -> None:
    """A peer that was busy for a moment would lose its call by that."""
    usage = calling(us, peer, f"Session-Expires: 1800;refresher=uac\nAllow: {allow}\n")
    us.net.run(900.1)
    for method in ("UPDATE", "INVITE")[0 if "UPDATE" in allow else 1 :]:
        reply(us, peer, peer.requests(method)[-1], 503)
        us.net.run(0.1)
    us.net.run(430)
    asked = len(peer.requests("INVITE"))
    us.net.run(10)
    copies = peer.requests("INVITE")[asked:]
    assert len({request.cseq for request in copies}) == 1
    reply(us, peer, copies[0], headers="Session-Expires: 1800;refresher=uac\n", body=SDP)
    us.net.run(500)
    assert (peer.requests("BYE"), usage.state) == ([], "up")


def test_a_target_that_refreshes_itself_is_waited_for(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uas\n")
    us.net.run(59)
    assert peer.requests("BYE") == [] and peer.requests("UPDATE") == []
    us.net.run(2)
    assert us.heard[usage][-1] == Ended("timeout", None)


def test_no_timer_outlives_its_call(us: Node, peer: Peer) -> None:
    usage = calling(us, peer, "Session-Expires: 90;refresher=uac\nAllow: UPDATE\n")
    usage.hang_up()
    us.net.run(100)
    assert peer.requests("UPDATE") == []
    assert us.stack.timers.earliest == NEVER
