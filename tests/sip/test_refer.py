"""REFER within a call of ours (RFC 3515), and the NOTIFYs that tell the target how it goes."""

import pytest

from edge.sip.events import Referred
from edge.sip.invite import Invite
from edge.sip.message import Request
from edge.sip.timers import NEVER
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


class Call:
    """A call of ours to the peer, who sends requests within it."""

    def __init__(self, us: Node, peer: Peer, *, allow_refer: bool = True) -> None:
        self.us, self.peer = us, peer
        self.usage: Invite = us.dial(peer, allow_refer=allow_refer)
        us.net.run(0.01)
        self.invite = peer.requests("INVITE")[0]
        peer.respond(self.invite, 200, us, tag="peer", body=SDP)
        self.usage.ack()
        us.net.run(0.01)
        self.cseq = 0

    def says(self, method: str, headers: str = "") -> None:
        self.cseq += 1
        call = {"to_tag": self.usage.local_tag, "call_id": self.invite.call_id, "cseq": self.cseq}
        self.peer.request(method, self.us, headers=headers, **call)  # type: ignore[arg-type]

    def refers(self, to: str = "<sip:desk@192.0.2.3>", more: str = "") -> None:
        self.says("REFER", f"Refer-To: {to}\n{more}")

    @property
    def referred(self) -> Referred:
        found = self.us.heard[self.usage][-1]
        assert isinstance(found, Referred)
        return found

    def told(self) -> list[tuple[str, str]]:
        """What the NOTIFYs said, each answered: the fragment and the state."""
        seen: dict[int, Request] = {}
        while True:
            fresh = [one for one in self.peer.requests("NOTIFY") if one.cseq not in seen]
            for one in fresh:
                seen[one.cseq] = one
                self.peer.respond(one, 200, self.us)
            if not fresh:
                break
        state = "Subscription-State"
        return [(one.body.decode().strip(), one.headers.get(state) or "") for one in seen.values()]


def test_a_call_that_does_not_allow_it_answers_405(us: Node, peer: Peer) -> None:
    call = Call(us, peer, allow_refer=False)
    call.refers()
    assert peer.statuses()[-1] == 405
    assert "REFER" not in (call.invite.headers.get("Allow") or "")


def test_a_call_to_us_and_none_at_all_answer_405_and_481(us: Node, peer: Peer) -> None:
    peer.request("REFER", us, headers="Refer-To: <sip:desk@192.0.2.3>\n")
    assert peer.statuses()[-1] == 405
    peer.request("INVITE", us, body=SDP)
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    peer.request("ACK", us, to_tag=us.calls[0].local_tag, branch="z9hG4bKack")
    peer.request("REFER", us, cseq=2, to_tag=us.calls[0].local_tag, headers="Refer-To: <sip:a@b.example>\n")
    assert peer.statuses()[-1] == 405


def test_it_is_accepted_told_of_and_then_left(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    assert "REFER" in (call.invite.headers.get("Allow") or "")
    call.refers(more="Referred-By: <sip:agent@192.0.2.2>\n")
    assert (call.referred.uri, call.referred.replaces) == ("sip:desk@192.0.2.3", None)
    assert call.referred.referred_by == "<sip:agent@192.0.2.2>"
    call.referred.transfer.accept()
    us.net.run(0.01)
    assert peer.statuses()[-1] == 202
    first = peer.requests("NOTIFY")[0]
    assert (first.headers.get("Event"), first.headers.get("Content-Type")) == (
        "refer",
        "message/sipfrag;version=2.0",
    )
    call.referred.transfer.end(200, leave=True)
    us.net.run(0.01)
    assert len(peer.requests("NOTIFY")) == 1, "the last one waits for the answer to the one before"
    told = call.told()
    assert [fragment for fragment, _ in told] == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]
    assert told[0][1].startswith("active") and told[1][1].startswith("terminated")
    assert len(peer.requests("BYE")) == 1


def test_one_that_failed_leaves_the_call_and_another_may_follow(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    call.refers()
    call.referred.transfer.accept()
    call.refers()
    assert peer.statuses()[-1] == 491, "one at a time"
    call.referred.transfer.end(486, leave=False)
    assert call.told()[-1][0] == "SIP/2.0 486 Busy Here"
    assert call.usage.state == "up" and not peer.requests("BYE")
    call.refers()
    call.referred.transfer.accept()
    us.net.run(0.01)
    assert peer.requests("NOTIFY")[-1].headers.get("Event") == f"refer;id={call.cseq}"


def test_who_wants_no_notify_gets_none(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    call.refers(more="Refer-Sub: false\n")
    call.referred.transfer.accept()
    us.net.run(0.01)
    assert peer.got[-1].headers.get("Refer-Sub") == "false"
    call.referred.transfer.end(200, leave=True)
    us.net.run(0.01)
    assert not peer.requests("NOTIFY") and peer.requests("BYE")


def test_a_notify_that_nobody_wants_ends_the_telling_but_not_the_call(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    call.refers()
    call.referred.transfer.accept()
    us.net.run(0.01)
    peer.respond(peer.requests("NOTIFY")[0], 481, us)
    assert call.usage.state == "up"
    call.referred.transfer.end(200, leave=True)
    us.net.run(0.01)
    assert peer.requests("BYE")


@pytest.mark.parametrize(
    "to", ["nonsense", "<sip:a@b.example;method=BYE>", "<mailto:a@b.example>", "<sip:a@b>, <sip:c@d>", ""]
)
def test_what_is_no_single_address_is_400(us: Node, peer: Peer, to: str) -> None:
    call = Call(us, peer)
    call.refers(to)
    assert peer.statuses()[-1] == 400


def test_the_dialog_to_replace_comes_out_of_the_uri_clean(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    call.refers(
        "<sip:desk@192.0.2.3?Route=%3Csip:203.0.113.9%3E&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2 x>"
    )
    assert peer.statuses()[-1] == 400, "a blank in it is none"
    call.refers("<sip:desk@192.0.2.3?Route=%3Csip:x%3E&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2%0D%0AX>")
    assert call.referred.replaces == "a@b;to-tag=1;from-tag=2X"
    assert call.referred.uri == "sip:desk@192.0.2.3"


def test_one_that_nobody_takes_up_is_declined(us: Node, peer: Peer) -> None:
    call = Call(us, peer)
    call.refers()
    us.net.run(17)
    assert peer.statuses()[-1] == 603


def test_a_hang_up_in_the_middle_ends_it_all(us: Node, peer: Peer, net: Network) -> None:
    call = Call(us, peer)
    call.refers()
    call.usage.hang_up()
    net.run(0.01)
    assert 487 in peer.statuses()
    peer.respond(peer.requests("BYE")[0], 200, us)
    net.run(40)
    assert (us.stack.counters["transactions"], us.stack.counters["dialogs"]) == (0, 0)
    assert us.stack.timers.earliest == NEVER
