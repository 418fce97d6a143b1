"""Reliable provisional answers (RFC 3262) in both roles, and UPDATE before the answer (RFC 3311)."""

import pytest

from edge.sip.events import (
    Acked,
    Answered,
    Cancelled,
    EarlyAnswer,
    Ended,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progress,
)
from edge.sip.invite import Invite
from edge.sip.invite_server import ServerInvite
from edge.sip.message import Request, Response
from edge.sip.timers import NEVER
from tests.support.lossy_wire import SDP, Network, Node, Peer

HOLD = SDP + b"a=sendonly\r\n"
SUPPORTED = "Supported: 100rel\nAllow: INVITE, UPDATE, PRACK\n"
REQUIRED = "Require: 100rel\n"


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def peer(net: Network) -> Peer:
    return net.peer("192.0.2.2")


def provisionals(peer: Peer) -> list[Response]:
    return [m for m in peer.got if isinstance(m, Response) and 100 < m.status < 200]


def called(us: Node, peer: Peer, headers: str = SUPPORTED, body: bytes = SDP) -> ServerInvite:
    peer.request("INVITE", us, headers=headers, body=body)
    usage = us.calls[-1]
    assert isinstance(usage, ServerInvite)
    return usage


def prack(us: Node, peer: Peer, of: Response, cseq: int = 2, body: bytes = b"", number: str = "") -> int:
    """A PRACK for an answer; the status that it got."""
    line = f"RAck: {number or of.headers.get('RSeq')} {of.cseq} INVITE\n"
    peer.request("PRACK", us, to_tag=of.to_tag or "", cseq=cseq, headers=line, body=body)
    answers = [m for m in peer.got if isinstance(m, Response) and m.cseq_method == "PRACK"]
    return answers[-1].status if answers else 0


def ringing(us: Node, peer: Peer, headers: str = SUPPORTED) -> tuple[ServerInvite, Response]:
    """A call to us whose early media has come reliably, and was acknowledged."""
    usage = called(us, peer, headers)
    usage.progress(183, b"v=0 early")
    us.net.run(0.01)
    answer = provisionals(peer)[-1]
    assert prack(us, peer, answer) == 200
    return usage, answer


# -- a call to us: ours -------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [SUPPORTED, REQUIRED])
def test_who_knows_how_is_told_reliably(us: Node, peer: Peer, headers: str) -> None:
    usage, answer = ringing(us, peer, headers)
    assert answer.headers.get("Require") == "100rel"
    assert "UPDATE" in (answer.headers.get("Allow") or "")
    assert 0 < int(answer.headers.get("RSeq") or "") < 2**31
    us.net.run(5)
    assert len(provisionals(peer)) == 1, "nothing is repeated after the PRACK"
    usage.answer(SDP)
    us.net.run(0.01)
    assert peer.statuses()[-1] == 200


def test_who_does_not_is_told_as_ever(us: Node, peer: Peer) -> None:
    usage = called(us, peer, headers="Supported: timer\n")
    usage.progress(183, SDP)
    us.net.run(5)
    (answer,) = provisionals(peer)
    assert "RSeq" not in answer.headers and "Require" not in answer.headers


def test_it_is_repeated_ever_more_slowly_and_then_the_call_ends(us: Node, peer: Peer, net: Network) -> None:
    usage = called(us, peer)
    usage.progress(180)
    net.run(33)
    assert net.sent("SIP/2.0 180") == pytest.approx([0.01, 0.51, 1.51, 3.51, 7.51, 15.51, 31.51], abs=0.02)
    assert peer.statuses()[-1] == 504 and us.heard[usage] == [Ended("no_ack", None)]
    branch = "z9hG4bKINVITE1c1"
    peer.request("ACK", us, branch=branch, to_tag=usage.local_tag)
    net.run(40)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_the_next_waits_for_the_prack_and_the_newest_wins(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    for status in (180, 181, 182):
        usage.progress(status)
    usage.progress(183, SDP)
    usage.progress(180)
    us.net.run(0.1)
    (first,) = provisionals(peer)
    assert first.status == 180
    assert prack(us, peer, first) == 200
    us.net.run(0.01)
    second = provisionals(peer)[-1]
    assert (second.status, second.body) == (180, SDP), "the description is not lost on the way"
    assert int(second.headers.get("RSeq") or "") == int(first.headers.get("RSeq") or "") + 1


@pytest.mark.parametrize("number", ["1", "x", "4294967296"])
def test_a_prack_of_something_else_is_481(us: Node, peer: Peer, number: str) -> None:
    called(us, peer).progress(180)
    us.net.run(0.01)
    assert prack(us, peer, provisionals(peer)[0], number=number) == 481
    us.net.run(0.6)
    assert len(provisionals(peer)) == 2, "it goes on being repeated"


def test_a_second_prack_of_the_same_is_481_and_one_in_a_plain_call_too(us: Node, peer: Peer) -> None:
    _, answer = ringing(us, peer)
    assert prack(us, peer, answer, cseq=3) == 481
    peer.request("INVITE", us, call_id="c2", body=SDP)
    us.calls[-1].progress(180)
    us.net.run(0.01)
    line = "RAck: 1 1 INVITE\n"
    peer.request("PRACK", us, to_tag=us.calls[-1].local_tag, cseq=2, call_id="c2", headers=line)
    assert peer.statuses()[-1] == 481


def test_the_200_waits_for_the_prack_of_a_description(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    usage.progress(183, b"v=0 early")
    usage.answer(b"v=0 early")
    us.net.run(0.1)
    assert 200 not in peer.statuses()
    prack(us, peer, provisionals(peer)[0])
    us.net.run(0.01)
    assert [m.cseq_method for m in peer.got if isinstance(m, Response) and m.status == 200] == [
        "PRACK",
        "INVITE",
    ]


def test_the_200_does_not_wait_for_the_prack_of_a_180(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    usage.progress(180)
    usage.answer(SDP)
    us.net.run(0.1)
    assert peer.statuses()[-1] == 200
    peer.request("ACK", us, to_tag=usage.local_tag, branch="z9hG4bKack")
    us.net.run(3)
    assert len(provisionals(peer)) == 1, "what was not acknowledged is not repeated"
    assert prack(us, peer, provisionals(peer)[0]) == 200, "but a late PRACK is known"


def test_a_caller_that_cancels_while_the_200_waits(us: Node, peer: Peer, net: Network) -> None:
    usage = called(us, peer)
    usage.progress(183, SDP)
    usage.answer(SDP)
    peer.request("CANCEL", us, branch="z9hG4bKINVITE1c1")
    assert us.heard[usage] == [Cancelled(None)]
    peer.request("ACK", us, branch="z9hG4bKINVITE1c1", to_tag=usage.local_tag)
    net.run(40)
    assert 200 not in [m.status for m in peer.got if isinstance(m, Response) and m.cseq_method == "INVITE"]
    assert us.stack.timers.earliest == NEVER


def test_a_hang_up_while_the_200_waits_is_a_refusal(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    usage.progress(183, SDP)
    usage.answer(SDP)
    usage.hang_up()
    us.net.run(0.1)
    assert peer.statuses()[-1] == 480


def test_a_long_ringing_is_refreshed_reliably(us: Node, peer: Peer, net: Network) -> None:
    usage, first = ringing(us, peer)
    net.run(60)
    again = provisionals(peer)[-1]
    assert (again.status, again.body) == (183, b"")
    assert int(again.headers.get("RSeq") or "") == int(first.headers.get("RSeq") or "") + 1
    assert usage.state == "early"


# -- a call to us without an offer ---------------------------------------------------------------------


def test_a_late_offer_is_made_in_the_183_and_answered_in_the_prack(us: Node, peer: Peer) -> None:
    usage = called(us, peer, body=b"")
    assert usage.early_offer == "may" and not usage.settled
    usage.progress(183, SDP)
    us.net.run(0.01)
    assert prack(us, peer, provisionals(peer)[0], body=b"v=0 answer") == 200
    assert us.heard[usage] == [EarlyAnswer(b"v=0 answer")] and usage.settled
    usage.answer(SDP)
    us.net.run(0.01)
    answer = peer.got[-1]
    assert isinstance(answer, Response)
    assert (answer.status, answer.body) == (200, b""), "a second description would be a second offer"
    peer.request("ACK", us, to_tag=usage.local_tag, branch="z9hG4bKack")
    assert us.heard[usage][-1] == Acked(b"")


def test_ringing_without_an_offer_is_plain_unless_required(us: Node, peer: Peer) -> None:
    usage = called(us, peer, body=b"")
    usage.progress(180)
    us.net.run(0.01)
    assert "RSeq" not in provisionals(peer)[0].headers
    usage.progress(183, SDP)
    us.net.run(0.01)
    assert "RSeq" in provisionals(peer)[-1].headers


def test_who_requires_it_wants_our_offer_first(us: Node, peer: Peer) -> None:
    usage = called(us, peer, headers=REQUIRED, body=b"")
    assert usage.early_offer == "must"
    usage.progress(180, SDP)
    us.net.run(0.01)
    assert usage.early_offer == "" and provisionals(peer)[0].body == SDP


# -- UPDATE and PRACK with offers, before the answer -----------------------------------------------------


def test_an_update_before_the_answer_is_offered_to_the_owner(us: Node, peer: Peer) -> None:
    usage, _ = ringing(us, peer)
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=3, body=HOLD)
    assert us.heard[usage] == [Offered(HOLD, "UPDATE")]
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=4, body=HOLD)
    assert peer.statuses()[-1] == 500, "RFC 3311 5.2: the one before has no answer yet"
    usage.accept_offer(b"v=0 answer")
    us.net.run(0.01)
    assert peer.got[-1].body == b"v=0 answer"
    assert usage.state == "early"


def test_an_offer_in_a_prack_is_answered_in_its_200(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    usage.progress(183, SDP)
    us.net.run(0.01)
    prack(us, peer, provisionals(peer)[0], body=HOLD)
    assert us.heard[usage] == [Offered(HOLD, "PRACK")]
    usage.answer(SDP)
    us.net.run(0.01)
    assert 200 not in peer.statuses(), "the 200 of the INVITE waits for that of the PRACK"
    usage.accept_offer(b"v=0 answer")
    us.net.run(0.01)
    first, second = [m for m in peer.got if isinstance(m, Response) and m.status == 200]
    assert (first.cseq_method, first.body) == ("PRACK", b"v=0 answer")
    assert second.cseq_method == "INVITE"


def test_the_200_repeats_what_was_said_last_while_it_waited(us: Node, peer: Peer) -> None:
    """The caller's UPDATE crossed the target's answer."""
    usage, _ = ringing(us, peer)
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=3, body=HOLD)
    usage.answer(b"v=0 early")
    us.net.run(0.01)
    assert peer.statuses()[-1] != 200 or peer.got[-1].cseq_method == "PRACK"
    usage.accept_offer(b"v=0 held")
    us.net.run(0.01)
    answer = peer.got[-1]
    assert isinstance(answer, Response) and (answer.cseq_method, answer.body) == ("INVITE", b"v=0 held")
    assert usage.told == b"v=0 held", "a refresh says so, too"


def test_our_update_before_the_answer(us: Node, peer: Peer) -> None:
    usage, _ = ringing(us, peer)
    assert usage.may_offer
    usage.offer_again(HOLD)
    us.net.run(0.01)
    (update,) = peer.requests("UPDATE")
    assert update.body == HOLD and not peer.requests("INVITE")
    peer.request("UPDATE", us, to_tag=usage.local_tag, cseq=3, body=SDP)
    assert peer.statuses()[-1] == 491, "glare"
    peer.respond(update, 200, us, body=b"v=0 answer")
    assert us.heard[usage] == [OfferAnswered(b"v=0 answer")] and not peer.requests("ACK")


@pytest.mark.parametrize("headers", ["Supported: 100rel\n", "Supported: 100rel\nAllow: INVITE, PRACK\n"])
def test_a_caller_that_takes_no_update_gets_none(us: Node, peer: Peer, headers: str) -> None:
    usage, _ = ringing(us, peer, headers)
    assert usage.settled and not usage.may_offer


def test_glare_before_the_answer_is_tried_again(us: Node, peer: Peer) -> None:
    usage, _ = ringing(us, peer)
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("UPDATE")[0], 491, us)
    us.net.run(2.1)
    assert {update.cseq for update in peer.requests("UPDATE")} == {1, 2}


# -- a call of ours: the peer's -------------------------------------------------------------------------


def dialled(us: Node, peer: Peer) -> tuple[Invite, Request]:
    usage = us.dial(peer)
    us.net.run(0.01)
    return usage, peer.requests("INVITE")[-1]


def reliably(
    us: Node,
    peer: Peer,
    invite: Request,
    number: int,
    *,
    status: int = 183,
    body: bytes = SDP,
    tag: str = "a",
) -> None:
    headers = f"Require: 100rel\nRSeq: {number}\nAllow: INVITE, UPDATE\n"
    peer.respond(invite, status, us, headers=headers, body=body, tag=tag)


def test_each_gets_its_prack_and_copies_none(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    assert "100rel" in invite.headers.values("Supported")
    reliably(us, peer, invite, 7)
    reliably(us, peer, invite, 7)
    reliably(us, peer, invite, 8, status=180, body=b"")
    first, second = peer.requests("PRACK")
    assert first.headers.get("RAck") == f"7 {invite.cseq} INVITE"
    assert second.headers.get("RAck") == f"8 {invite.cseq} INVITE"
    assert (first.cseq, second.cseq) == (2, 3) and first.to_tag == "a" and first.body == b""
    assert us.heard[usage] == [Progress(183, "X", SDP), Progress(180, "X", b"")]


def test_one_that_came_too_early_is_passed_over(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, status=180, body=b"")
    reliably(us, peer, invite, 9)
    reliably(us, peer, invite, 8, status=182, body=b"")
    reliably(us, peer, invite, 9)
    assert [m.headers.get("RAck") for m in peer.requests("PRACK")] == [
        "7 1 INVITE",
        "8 1 INVITE",
        "9 1 INVITE",
    ]
    assert [event.status for event in us.heard[usage] if isinstance(event, Progress)] == [180, 182, 183]


def test_forks_count_each_for_itself(us: Node, peer: Peer) -> None:
    _, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a")
    reliably(us, peer, invite, 100, tag="b")
    reliably(us, peer, invite, 8, tag="a", body=b"")
    assert [(m.to_tag, m.cseq) for m in peer.requests("PRACK")] == [("a", 2), ("b", 2), ("a", 3)]


@pytest.mark.parametrize("how", ["another answered", "hung up", "another refused"])
def test_a_surplus_fork_that_was_talked_to_hears_a_bye_that_counts_on(us: Node, peer: Peer, how: str) -> None:
    """A number that a PRACK had is out of order (12.2.2): the BYE is refused, and its phone stays up."""
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a")
    reliably(us, peer, invite, 8, tag="a", status=180, body=b"")
    if how == "hung up":
        usage.hang_up()
    else:
        peer.respond(invite, 200 if how == "another answered" else 603, us, tag="b", body=SDP)
    peer.respond(invite, 200, us, tag="a", body=SDP)
    (bye,) = peer.requests("BYE")
    assert (bye.to_tag, bye.cseq) == ("a", 4)
    assert [m.cseq for m in peer.requests("ACK") if m.to_tag == "a"] == [1]


@pytest.mark.parametrize("status", [200, 481, 0])
def test_an_offer_to_a_fork_is_over_as_another_one_answers(us: Node, peer: Peer, status: int) -> None:
    """What that one says of it yet, if anything, is not said by who talks; nor are its numbers that one's."""
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a")
    usage.offer_again(HOLD)
    us.net.run(0.01)
    (update,) = peer.requests("UPDATE")
    peer.respond(invite, 200, us, tag="b", body=SDP)
    usage.ack()
    if status:
        peer.respond(update, status, us, tag="a", body=HOLD)
    us.net.run(40)
    assert [type(event) for event in us.heard[usage]] == [Progress, Answered, OfferRefused]
    usage.offer_again(HOLD)
    us.net.run(0.01)
    again = peer.requests("INVITE")[-1]
    assert (again.to_tag, again.cseq) == ("b", 2)
    peer.respond(again, 200, us, body=SDP)
    us.net.run(0.01)
    assert us.heard[usage][-1] == OfferAnswered(SDP)
    assert [(m.to_tag, m.cseq) for m in peer.requests("ACK")] == [("b", 1), ("b", 2)]


def test_after_an_offer_to_one_fork_another_ones_numbers_are_its_own(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a")
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("UPDATE")[0], 200, us, tag="a", body=HOLD)
    peer.respond(invite, 200, us, tag="b", body=SDP)
    usage.ack()
    usage.offer_again(HOLD)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[-1], 200, us, body=SDP)
    us.net.run(0.01)
    assert [(m.to_tag, m.cseq) for m in peer.requests("ACK")] == [("b", 1), ("b", 2)]


def test_after_a_reliable_answer_the_description_of_the_200_means_nothing(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7)
    peer.respond(invite, 200, us, tag="a", body=HOLD)
    answered = us.heard[usage][-1]
    assert isinstance(answered, Answered) and answered.sdp == b""
    usage.ack()
    us.net.run(0.01)
    assert peer.requests("ACK")[0].cseq == 1


def test_of_another_fork_it_counts(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a")
    peer.respond(invite, 200, us, tag="b", body=HOLD)
    answered = us.heard[usage][-1]
    assert isinstance(answered, Answered) and answered.sdp == HOLD


def test_what_other_forks_said_is_not_the_description_of_who_answers(us: Node, peer: Peer) -> None:
    """One unreliably, which nobody hears of, and one reliably after the one that answers."""
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7, tag="a", body=SDP)
    peer.respond(invite, 183, us, tag="c", body=HOLD)
    assert us.heard[usage] == [Progress(183, "X", SDP), Progress(183, "X", b"")]
    reliably(us, peer, invite, 100, tag="b", body=HOLD)
    peer.respond(invite, 200, us, tag="a")
    answered = us.heard[usage][-1]
    assert isinstance(answered, Answered) and answered.sdp == SDP


def test_the_target_updates_before_it_answers(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    tag = usage.local_tag
    call = {"to_tag": tag, "call_id": invite.call_id}
    reliably(us, peer, invite, 7, tag="peer")
    peer.request("UPDATE", us, cseq=1, body=HOLD, **call)
    assert us.heard[usage][-1] == Offered(HOLD, "UPDATE")
    usage.accept_offer(SDP)
    us.net.run(0.01)
    assert peer.got[-1].body == SDP
    usage.offer_again(HOLD)
    us.net.run(0.01)
    (update,) = peer.requests("UPDATE")
    peer.request("UPDATE", us, cseq=2, body=SDP, **call)
    assert peer.statuses()[-1] == 491
    peer.respond(update, 488, us)
    assert us.heard[usage][-1] == OfferRefused(488, "X")
    peer.respond(invite, 200, us, tag="peer")
    usage.ack()
    us.net.run(0.01)
    assert usage.state == "up" and peer.requests("ACK")


def test_an_update_before_anything_is_settled_is_glare_with_our_own_offer(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us, tag="peer")
    peer.request("UPDATE", us, cseq=1, to_tag=usage.local_tag, call_id=invite.call_id, body=HOLD)
    assert peer.statuses()[-1] == 491


def test_a_confirmed_offer_that_is_wanted_soon_goes_by_update(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, headers="Allow: INVITE, UPDATE\n", body=SDP)
    usage.ack()
    usage.offer_again(HOLD, soon=True)
    us.net.run(0.01)
    assert peer.requests("UPDATE")[0].body == HOLD
    peer.respond(peer.requests("UPDATE")[0], 200, us, body=SDP)
    usage.offer_again(HOLD)
    us.net.run(0.01)
    assert len(peer.requests("INVITE")) == 2


def test_where_the_peer_takes_no_update_a_re_invite_is_given_up_in_time(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, headers="Allow: INVITE\n", body=SDP)
    usage.ack()
    usage.offer_again(HOLD, soon=True)
    us.net.run(0.01)
    peer.respond(peer.requests("INVITE")[-1], 100, us)
    us.net.run(17)
    assert us.heard[usage][-1] == OfferRefused(408, "Request Timeout")
    assert peer.requests("CANCEL")


@pytest.mark.parametrize("offer", [HOLD, b""])
def test_a_re_invite_that_is_accepted_after_it_was_given_up_gets_its_ack(
    us: Node, peer: Peer, offer: bytes
) -> None:
    """Without it the peer would end the call."""
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, headers="Allow: INVITE\n", body=SDP)
    usage.ack()
    usage.offer_again(offer, soon=True)
    us.net.run(17)
    assert us.heard[usage][-1] == OfferRefused(408, "Request Timeout")
    late = peer.requests("INVITE")[-1]
    usage.offer_again(SDP)
    us.net.run(0.1)
    for _ in range(2):
        peer.respond(late, 200, us, body=SDP)
    acks = [(ack.cseq, ack.body) for ack in peer.requests("ACK")[1:]]
    assert acks == [(late.cseq, b"" if offer else SDP)] * 2
    peer.respond(peer.requests("INVITE")[-1], 200, us, body=SDP)
    us.net.run(0.1)
    assert us.heard[usage][-1] == OfferAnswered(SDP)
    usage.hang_up()
    us.net.run(0.1)
    peer.respond(peer.requests("BYE")[0], 200, us)
    us.net.run(40)
    assert us.stack.counters["transactions"] == 0


@pytest.mark.parametrize("seed", range(5))
def test_two_stacks_agree_reliably_at_30_percent_loss(seed: int) -> None:
    net = Network(seed, loss=0.3, copies=0.1, jitter_s=0.6)
    stories: list[ServerInvite] = []

    def on_call(usage: Invite) -> None:
        assert isinstance(usage, ServerInvite)
        stories.append(usage)
        usage.progress(180)
        usage.progress(183, SDP)
        usage.answer(SDP)

    caller, callee = net.node("192.0.2.1"), net.node("192.0.2.2", on_call=on_call)
    calls = []
    for _ in range(20):
        calls.append(caller.dial(callee, no_provisional_s=40.0))
        net.run(0.1)
    for _ in range(600):
        net.run(0.1)
        for call in calls:
            call.ack()
    assert [call.state for call in calls] == ["up"] * 20
    for call in calls:
        call.hang_up()
    net.run(120)
    for node in (caller, callee):
        assert (node.stack.counters["transactions"], node.stack.counters["dialogs"]) == (0, 0)


# -- what random interleavings found ---------------------------------------------------------------------


def test_our_update_waits_for_the_prack_and_then_for_the_answer(us: Node, peer: Peer) -> None:
    usage = called(us, peer)
    usage.progress(183, SDP)
    usage.answer(SDP)
    usage.offer_again(HOLD)
    us.net.run(0.1)
    assert not peer.requests("UPDATE"), "the caller has not even agreed to the first description"
    prack(us, peer, provisionals(peer)[0])
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=usage.local_tag, branch="z9hG4bKack")
    assert [one.body for one in peer.requests("INVITE")] == [HOLD]


def test_an_early_dialog_that_the_caller_has_lost_is_refused_not_left_open(
    us: Node, peer: Peer, net: Network
) -> None:
    usage, _ = ringing(us, peer)
    usage.offer_again(HOLD)
    net.run(0.01)
    peer.respond(peer.requests("UPDATE")[0], 481, us)
    assert us.heard[usage][-1] == Ended("gone", None)
    assert peer.statuses()[-1] == 480 and not peer.requests("BYE")
    peer.request("ACK", us, branch="z9hG4bKINVITE1c1", to_tag=usage.local_tag)
    net.run(40)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_an_early_dialog_that_the_target_has_lost_is_cancelled(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer)
    reliably(us, peer, invite, 7)
    peer.respond(peer.requests("PRACK")[0], 200, us)
    usage.offer_again(HOLD)
    net.run(0.01)
    peer.respond(peer.requests("UPDATE")[0], 481, us)
    assert us.heard[usage][-1] == Ended("gone", None)
    assert peer.requests("CANCEL") and not peer.requests("BYE")
