"""Calls of ours: progress, answers, forks, CANCEL and its races, refusals, digest."""

import pytest

from edge.sip.events import Answered, Credentials, Ended, OutgoingCall, Progress, Refused
from edge.sip.invite import Invite
from edge.sip.invite_client import MOST_PROGRESS
from edge.sip.message import Request
from edge.sip.server_digest import ServerDigest
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


def dialled(us: Node, peer: Peer, **options: object) -> tuple[Invite, Request]:
    """A call of ours that has reached the peer."""
    usage = us.dial(peer, **options)  # type: ignore[arg-type]
    us.net.run(0.01)
    return usage, peer.requests("INVITE")[-1]


def established(us: Node, peer: Peer) -> tuple[Invite, Request]:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, body=SDP)
    usage.ack()
    us.net.run(0.01)
    return usage, invite


def test_the_invite_carries_what_the_owner_said(us: Node, peer: Peer) -> None:
    headers = (("X-Edge-Call-ID", "call_1"),)
    usage, invite = dialled(us, peer, headers=headers, max_forwards=41, route=("<sip:192.0.2.2;lr>",))
    assert usage.request.call_id == invite.call_id == usage.call_id
    assert invite.headers.get("X-Edge-Call-ID") == "call_1" and invite.max_forwards == 41
    assert invite.headers.get("Route") == "<sip:192.0.2.2;lr>" and invite.body == SDP
    assert invite.headers.get("Contact") == "<sip:edge@192.0.2.1:5060>"
    assert invite.via.params["rport"] is None and invite.from_tag and invite.to_tag is None


def test_a_call_id_for_both_legs_of_one_peer_mixes_nothing_up(us: Node, peer: Peer, net: Network) -> None:
    """Caller and target are one socket, and the two dialogs have one Call-ID: only the tags differ."""
    peer.request("INVITE", us, call_id="both", body=SDP)
    (caller,) = us.calls
    target, invite = dialled(us, peer, call_id="both")
    assert invite.call_id == caller.call_id == target.call_id == "both"
    assert invite.from_tag not in ("peer", caller.local_tag), "no copy of the caller's INVITE"
    peer.respond(invite, 200, us, tag="desk", body=SDP)
    target.ack()
    caller.answer(SDP)
    net.run(0.01)
    peer.request("ACK", us, call_id="both", to_tag=caller.local_tag, branch="z9hG4bKack")
    assert (caller.state, target.state) == ("up", "up")
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        us.dial(peer, call_id="a\r\nb")
    # Each BYE ends its own dialog.
    target.hang_up()
    net.run(0.01)
    bye = peer.requests("BYE")[0]
    assert (bye.from_tag, bye.to_tag) == (target.local_tag, "desk")
    peer.respond(bye, 200, us)
    assert not [event for event in us.heard[caller] if isinstance(event, Ended)]
    peer.request("BYE", us, call_id="both", cseq=2, to_tag=caller.local_tag, branch="z9hG4bKbye")
    assert [event for event in us.heard[caller] if isinstance(event, Ended)]
    assert us.stack.counters["dialogs"] == 0


def test_a_call_that_comes_back_with_its_call_id_is_no_copy_of_itself(
    us: Node, peer: Peer, net: Network
) -> None:
    """A proxy sends it back to us: that is a loop, which Max-Forwards ends, and no merged request (482)."""
    peer.request("INVITE", us, call_id="both", body=SDP)
    _, invite = dialled(us, peer, call_id="both")
    via = "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKproxy\r\n"
    head, _, rest = invite.to_bytes().partition(b"\r\n")
    peer.send(head + b"\r\n" + via.encode() + rest, us)
    net.run(0.01)
    assert len(us.calls) == 2 and 482 not in peer.statuses()


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\x00b"])
def test_no_header_can_be_smuggled_in(us: Node, peer: Peer, bad: str) -> None:
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        us.dial(peer, headers=(("X-Name", bad),))
    assert us.stack.counters["transactions"] == us.stack.counters["dialogs"] == 0


def test_progress_and_answer(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 100, us)
    peer.respond(invite, 183, us, body=b"v=0 early")
    peer.respond(invite, 200, us, body=SDP)
    progress, answer = us.heard[usage]
    assert progress == Progress(183, "X", b"v=0 early")
    assert isinstance(answer, Answered) and answer.sdp == SDP
    usage.ack()
    net.run(0.01)
    (ack,) = peer.requests("ACK")
    assert ack.uri == "sip:sales@192.0.2.2:5060" and ack.to_tag == "peertag" and ack.cseq == 1
    assert ack.via.branch != invite.via.branch


def test_the_end_of_one_fork_is_not_the_end_of_the_ringing(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us, tag="one")
    peer.respond(invite, 199, us, tag="two")
    assert [event.status for event in us.heard[usage] if isinstance(event, Progress)] == [180]


def test_each_repeated_200_gets_its_ack_again(us: Node, peer: Peer) -> None:
    _, invite = established(us, peer)
    peer.respond(invite, 200, us, body=SDP)
    peer.respond(invite, 200, us, body=SDP)
    acks = peer.requests("ACK")
    assert len(acks) == 3 and len({ack.via.branch for ack in acks}) == 1


def test_a_200_is_not_acked_before_its_owner_answers_a_late_offer(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer, sdp=b"")
    peer.respond(invite, 200, us, body=SDP)
    peer.respond(invite, 200, us, body=SDP)
    assert not peer.requests("ACK") and len(us.heard[usage]) == 1
    usage.ack(b"v=0 answer")
    us.net.run(0.01)
    (ack,) = peer.requests("ACK")
    assert ack.body == b"v=0 answer" and ack.headers.get("Content-Type") == "application/sdp"


def test_the_200_of_another_fork_gets_ack_and_bye(us: Node, peer: Peer) -> None:
    usage, invite = established(us, peer)
    peer.respond(invite, 200, us, tag="fork2", body=SDP)
    assert peer.requests("ACK")[-1].to_tag == "fork2"
    (bye,) = peer.requests("BYE")
    assert bye.to_tag == "fork2"
    assert [type(event) for event in us.heard[usage]] == [Answered]
    peer.respond(invite, 200, us, tag="fork2", body=SDP)
    assert [ack.to_tag for ack in peer.requests("ACK")] == ["peertag", "fork2", "fork2"]
    assert len(peer.requests("BYE")) == 1
    usage.hang_up()
    us.net.run(0.01)
    assert peer.requests("BYE")[-1].to_tag == "peertag"


@pytest.mark.parametrize("hung_up", [False, True])
def test_a_fork_that_answers_as_another_refuses_gets_ack_and_bye(
    us: Node, peer: Peer, net: Network, hung_up: bool
) -> None:
    """Its proxy has passed the refusal on, and passes every 200 on, whatever went before (16.7)."""
    usage, invite = dialled(us, peer)
    for tag in ("f1", "f2"):
        peer.respond(invite, 180, us, tag=tag)
    if hung_up:
        usage.hang_up()
    peer.respond(invite, 603, us, tag="f2")
    for _ in range(2):
        peer.respond(invite, 200, us, tag="f1", body=SDP)
    assert [bye.to_tag for bye in peer.requests("BYE")] == ["f1"]
    peer.respond(peer.requests("BYE")[0], 200, us)
    assert [ack.to_tag for ack in peer.requests("ACK")] == ["f2", "f1", "f1"]
    peer.respond(invite, 603, us, tag="f2")
    assert peer.requests("ACK")[-1].to_tag == "f2"
    assert len(us.heard[usage]) == (2 if hung_up else 3)
    net.run(40)
    assert us.stack.counters["transactions"] == 0


def test_a_fork_that_was_not_heard_before_the_refusal_gets_ack_and_bye(
    us: Node, peer: Peer, net: Network
) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 603, us, tag="f2")
    peer.respond(invite, 200, us, tag="f1", body=SDP)
    assert [ack.to_tag for ack in peer.requests("ACK")] == ["f2", "f1"]
    assert [bye.to_tag for bye in peer.requests("BYE")] == ["f1"]
    assert [type(event) for event in us.heard[usage]] == [Refused]
    peer.respond(peer.requests("BYE")[0], 200, us)
    net.run(40)
    assert us.stack.counters["transactions"] == 0


@pytest.mark.parametrize("tag", ["f1", "f2"])
def test_after_a_refusal_over_a_connection_only_who_rang_is_waited_for(tag: str) -> None:
    """Timer D is zero there: a refusal of the only one that rang leaves nothing."""
    net = Network(transport="tcp")
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us, tag="f1")
    peer.respond(invite, 486, us, tag=tag)
    assert us.stack.counters["transactions"] == (0 if tag == "f1" else 1)
    peer.respond(invite, 200, us, tag="f1", body=SDP)
    assert [bye.to_tag for bye in peer.requests("BYE")] == ([] if tag == "f1" else ["f1"])
    assert [ack.to_tag for ack in peer.requests("ACK")] == [tag, "f1"][: 1 if tag == "f1" else 2]
    assert [type(event) for event in us.heard[usage]] == [Progress, Refused]
    net.run(40)
    assert us.stack.counters["transactions"] == 0


def test_forks_are_bounded(us: Node, peer: Peer, net: Network) -> None:
    _, invite = established(us, peer)
    for number in range(40):
        peer.respond(invite, 200, us, tag=f"f{number}", body=SDP)
    assert len({bye.to_tag for bye in peer.requests("BYE")}) == 15


def test_early_dialogs_of_forks_are_answered(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us, tag="f1")
    peer.respond(invite, 180, us, tag="f2")
    for tag in ("f1", "f2"):
        in_early_dialog(peer, us, invite, "OPTIONS", tag)
        assert peer.statuses()[-1] == 200
    in_early_dialog(peer, us, invite, "OPTIONS", "f3")
    assert peer.statuses()[-1] == 481
    assert len(us.heard[usage]) == 2


def in_early_dialog(peer: Peer, us: Node, invite: Request, method: str, tag: str, cseq: int = 1) -> None:
    peer.send(
        f"{method} sip:edge@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK{method}{tag}{cseq}\n"
        f"From: {invite.headers.get('To')};tag={tag}\nTo: {invite.headers.get('From')}\n"
        f"Call-ID: {invite.call_id}\nCSeq: {cseq} {method}\nMax-Forwards: 70\nContent-Length: 0\n\n",
        us,
    )


@pytest.mark.parametrize("status", [300, 403, 404, 486, 500, 503, 603])
def test_a_refusal_is_told_and_acked(us: Node, peer: Peer, net: Network, status: int) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, status, us, headers="Retry-After: 18;duration=60\nX-Why: because\n")
    (event,) = us.heard[usage]
    assert isinstance(event, Refused) and (event.status, event.cause) == (status, "status")
    assert event.retry_after_s == 18 and event.headers.get("X-Why") == "because"
    (ack,) = peer.requests("ACK")
    assert ack.via.branch == invite.via.branch and ack.to_tag == "peertag"
    net.run(33)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_nobody_there(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer, no_provisional_s=5.0)
    net.run(4.9)
    assert us.heard[usage] == []
    net.run(0.2)
    (event,) = us.heard[usage]
    assert isinstance(event, Refused) and (event.status, event.cause) == (408, "unreachable")
    peer.respond(invite, 180, us)
    assert len(peer.requests("CANCEL")) == 1, "who wakes up later is cancelled"
    peer.respond(invite, 487, us)
    net.run(40)
    assert len(us.heard[usage]) == 1
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_timer_b_when_patience_is_longer(us: Node, peer: Peer, net: Network) -> None:
    usage, _ = dialled(us, peer, no_provisional_s=60.0)
    net.run(32.1)
    (event,) = us.heard[usage]
    assert isinstance(event, Refused) and (event.status, event.cause) == (408, "timeout")
    assert us.stack.counters["dialogs"] == 0


def test_a_transport_error_is_unreachable_and_told_later(us: Node, peer: Peer, net: Network) -> None:
    us.fails = True
    usage = us.dial(peer)
    assert us.heard[usage] == [], "never from inside a command"
    net.run(0.01)
    (event,) = us.heard[usage]
    assert isinstance(event, Refused) and (event.status, event.cause) == (503, "unreachable")


def test_hang_up_waits_for_a_provisional_answer_to_cancel(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer)
    usage.hang_up('SIP;cause=200;text="Call completed elsewhere"')
    net.run(0.1)
    assert not peer.requests("CANCEL"), "9.1"
    peer.respond(invite, 180, us)
    (cancel,) = peer.requests("CANCEL")
    assert cancel.via.branch == invite.via.branch and cancel.cseq == invite.cseq
    assert cancel.headers.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    peer.respond(cancel, 200, us)
    peer.respond(invite, 487, us)
    net.run(40)
    assert us.heard[usage] == [] and len(peer.requests("CANCEL")) == 1
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_200_that_crosses_cancel_gets_ack_and_bye(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us)
    usage.hang_up()
    peer.respond(invite, 200, us, body=SDP)
    assert len(peer.requests("CANCEL")) == len(peer.requests("ACK")) == len(peer.requests("BYE")) == 1
    peer.respond(invite, 200, us, body=SDP)
    assert len(peer.requests("ACK")) == 2 and len(peer.requests("BYE")) == 1
    net.run(70)
    assert not [event for event in us.heard[usage] if not isinstance(event, Progress)]
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_a_200_after_hang_up_without_any_provisional(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    usage.hang_up()
    peer.respond(invite, 200, us, body=SDP)
    assert len(peer.requests("ACK")) == len(peer.requests("BYE")) == 1 and not peer.requests("CANCEL")


def test_a_cancel_that_nobody_heeds_ends_after_32_s(us: Node, peer: Peer, net: Network) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 180, us)
    usage.hang_up()
    net.run(70)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)


def test_hang_up_between_200_and_ack(us: Node, peer: Peer) -> None:
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, body=SDP)
    usage.hang_up("Q.850;cause=16")
    us.net.run(0.01)
    assert [m.method for m in peer.got if isinstance(m, Request)] == ["INVITE", "ACK", "BYE"]
    assert peer.requests("BYE")[0].headers.get("Reason") == "Q.850;cause=16"


def test_bye_of_the_target(us: Node, peer: Peer) -> None:
    usage, invite = established(us, peer)
    in_early_dialog(peer, us, invite, "BYE", "peertag", 9)
    assert peer.statuses() == [200] and us.heard[usage][-1] == Ended("peer", None)
    usage.hang_up()
    us.net.run(0.1)
    assert not peer.requests("BYE")


def test_route_set_of_the_answer_is_reversed(us: Node, peer: Peer, net: Network) -> None:
    proxy = net.peer("192.0.2.9")
    usage, invite = dialled(us, peer)
    peer.respond(invite, 200, us, body=SDP, headers="Record-Route: <sip:192.0.2.8;lr>, <sip:192.0.2.9;lr>\n")
    usage.ack()
    net.run(0.01)
    (ack,) = proxy.requests("ACK")
    assert ack.headers.values("Route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.8;lr>"]


class TestDigest:
    """The target challenges."""

    SERVER = ServerDigest("buyer", b"secret")

    def challenge(
        self, peer: Peer, us: Node, invite: Request, status: int = 401, *, stale: bool = False
    ) -> None:
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        lines = "".join(f"{name}: {value}\n" for value in self.SERVER.challenges(1.0, stale=stale))
        peer.respond(invite, status, us, headers=lines)

    def dial(self, us: Node, peer: Peer, password: str = "pw") -> tuple[Invite, Request]:
        return dialled(us, peer, credentials=Credentials("edge", password))

    def test_the_invite_is_sent_again_with_the_answer(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        self.challenge(peer, us, invite)
        again = peer.requests("INVITE")[-1]
        assert again.call_id == invite.call_id and again.cseq == 2 and again.from_tag == invite.from_tag
        assert again.via.branch != invite.via.branch
        assert self.SERVER.judge(again, lambda _: "pw", 1.0).verdict == "accepted"
        peer.respond(again, 200, us, body=SDP)
        usage.ack()
        us.net.run(0.01)
        ack = peer.requests("ACK")[-1]
        assert ack.cseq == 2 and ack.headers.get("Authorization") == again.headers.get("Authorization")
        assert [type(event) for event in us.heard[usage]] == [Answered]

    def test_wrong_credentials_are_tried_once(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        self.challenge(peer, us, invite)
        self.challenge(peer, us, peer.requests("INVITE")[-1])
        assert len(peer.requests("INVITE")) == 2
        (event,) = us.heard[usage]
        assert isinstance(event, Refused) and event.status == 401

    def test_a_stale_nonce_is_tried_once_more(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        self.challenge(peer, us, invite)
        for _ in range(3):
            self.challenge(peer, us, peer.requests("INVITE")[-1], stale=True)
        assert len(peer.requests("INVITE")) == 3 and len(us.heard[usage]) == 1

    def test_who_falls_silent_after_its_challenge_counts_as_unreachable(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        self.challenge(peer, us, invite)
        us.net.run(4.9)
        assert us.heard[usage] == []
        us.net.run(0.2)
        (event,) = us.heard[usage]
        assert isinstance(event, Refused) and (event.status, event.cause) == (408, "unreachable")

    def test_without_credentials_the_challenge_is_a_refusal(self, us: Node, peer: Peer) -> None:
        usage, invite = dialled(us, peer)
        self.challenge(peer, us, invite, 407)
        assert len(peer.requests("INVITE")) == 1 and len(us.heard[usage]) == 1

    def test_a_re_invite_is_answered_for_and_so_is_its_ack(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        peer.respond(invite, 200, us, body=SDP)
        usage.ack()
        usage.offer_again(SDP)
        us.net.run(0.01)
        self.challenge(peer, us, peer.requests("INVITE")[-1])
        again = peer.requests("INVITE")[-1]
        assert self.SERVER.judge(again, lambda _: "pw", 1.0).verdict == "accepted"
        peer.respond(again, 200, us, body=SDP)
        ack = peer.requests("ACK")[-1]
        assert ack.cseq == again.cseq
        assert ack.headers.get("Authorization") == again.headers.get("Authorization")

    def test_bye_is_answered_for_too(self, us: Node, peer: Peer) -> None:
        usage, invite = self.dial(us, peer)
        peer.respond(invite, 200, us, body=SDP)
        usage.ack()
        usage.hang_up()
        us.net.run(0.01)
        self.challenge(peer, us, peer.requests("BYE")[-1], 407)
        again = peer.requests("BYE")[-1]
        assert again.headers.get("Proxy-Authorization") and again.cseq == 3

    def test_the_password_is_in_no_repr(self) -> None:
        assert "pw" not in repr(Credentials("edge", "pw"))
        assert "pw" not in repr(OutgoingCall("sip:a", None, "", "", credentials=Credentials("e", "pw")))  # type: ignore[arg-type]


@pytest.mark.parametrize("reliable", [False, True])
def test_a_peer_that_tells_of_its_progress_without_end_is_heard_so_often_and_no_more(
    us: Node, peer: Peer, reliable: bool
) -> None:
    """Each is told to the caller, and a reliable one leaves a transaction behind."""
    usage, invite = dialled(us, peer)
    for number in range(1, MOST_PROGRESS + 100):
        headers = f"Require: 100rel\nRSeq: {number}\n" if reliable else ""
        peer.respond(invite, 180, us, headers=headers)
    assert len(us.heard[usage]) == MOST_PROGRESS
    assert len({prack.cseq for prack in peer.requests("PRACK")}) == (MOST_PROGRESS if reliable else 0)
    peer.respond(invite, 200, us, body=SDP)
    assert isinstance(us.heard[usage][-1], Answered)
