"""An INVITE with Replaces takes the place of a dialog of ours (RFC 3891), if its peer may transfer."""

import pytest

from edge.sip.errors import SipParseError
from edge.sip.events import Deny, Ended, Replaced
from edge.sip.invite import Invite
from edge.sip.replaces import Replaces, parse_replaces
from tests.support.lossy_wire import SDP, Network, Node, Peer


@pytest.fixture
def net() -> Network:
    return Network()


@pytest.fixture
def us(net: Network) -> Node:
    return net.node("192.0.2.1")


@pytest.fixture
def pbx(net: Network) -> Peer:
    return net.peer("192.0.2.2")


def dialled(us: Node, pbx: Peer, status: int = 200, *, allow_refer: bool = True) -> Invite:
    """A call of ours to a phone of the PBX, which rings or has answered."""
    usage = us.dial(pbx, allow_refer=allow_refer)
    us.net.run(0.01)
    pbx.respond(pbx.requests("INVITE")[0], status, us, tag="desk", body=SDP if status == 200 else b"")
    usage.ack()
    us.net.run(0.01)
    return usage


def naming(usage: Invite, more: str = "", *, from_tag: str = "desk") -> str:
    return f"Replaces: {usage.call_id};to-tag={usage.local_tag};from-tag={from_tag}{more}\n"


def taking(us: Node, phone: Peer, headers: str) -> int:
    """Another phone wants the call; the last status that it got."""
    phone.request("INVITE", us, call_id="other", headers=f"Require: replaces\n{headers}", body=SDP)
    return phone.statuses()[-1]


def test_the_phone_that_takes_a_call_is_the_owners_to_answer(us: Node, pbx: Peer, net: Network) -> None:
    old = dialled(us, pbx)
    assert "replaces" in (pbx.requests("INVITE")[0].headers.get("Supported") or "")
    assert taking(us, pbx, naming(old)) == 100
    (replaced,) = [event for event in us.heard[old] if isinstance(event, Replaced)]
    assert not us.calls, "it is no new call"
    new = us.listen(replaced.invite)
    assert new.offer == SDP
    new.answer(SDP)
    old.hang_up()
    net.run(0.01)
    assert 200 in pbx.statuses() and len(pbx.requests("BYE")) == 1
    assert not [event for event in us.heard[old] if isinstance(event, Ended)]


def test_a_phone_that_rings_may_be_picked_up_elsewhere(us: Node, pbx: Peer) -> None:
    old = dialled(us, pbx, 180)
    assert taking(us, pbx, naming(old, ";early-only")) == 100
    assert isinstance(us.heard[old][-1], Replaced)


def test_early_only_does_not_take_a_call_that_is_up(us: Node, pbx: Peer) -> None:
    old = dialled(us, pbx)
    assert taking(us, pbx, naming(old, ";early-only")) == 486


@pytest.mark.parametrize(
    "headers",
    [
        "Replaces: nobody;to-tag=1;from-tag=2\n",
        "Replaces: nobody;to-tag={tag};from-tag=desk\n",
        "Replaces: {call};to-tag={tag};from-tag=guess\n",
    ],
)
def test_no_such_dialog_is_481(us: Node, pbx: Peer, headers: str) -> None:
    old = dialled(us, pbx)
    assert taking(us, pbx, headers.format(call=old.call_id, tag=old.local_tag)) == 481


@pytest.mark.parametrize("more", ["Replaces: a;to-tag=1;from-tag=2\n", "Join: a;to-tag=1;from-tag=2\n"])
def test_two_of_them_are_400(us: Node, pbx: Peer, more: str) -> None:
    assert taking(us, pbx, naming(dialled(us, pbx)) + more) == 400


@pytest.mark.parametrize("value", ["", "a", "a;to-tag=1", "a;to-tag=1;from-tag=", "a, b;to-tag=1;from-tag=2",
                                   "a;to-tag=1;to-tag=2;from-tag=3", ";to-tag=1;from-tag=2"])  # fmt: skip
def test_what_names_no_dialog_is_400(us: Node, pbx: Peer, value: str) -> None:
    assert taking(us, pbx, f"Replaces: {value}\n") == 400
    with pytest.raises(SipParseError):
        parse_replaces(value)


def test_a_value_with_everything_is_read() -> None:
    assert parse_replaces("a@b ; From-Tag = 2;early-only;to-tag=1;x=y") == Replaces("a@b", "1", "2", True)


def test_only_who_may_transfer_is_replaced(us: Node, pbx: Peer) -> None:
    old = dialled(us, pbx, allow_refer=False)
    assert taking(us, pbx, naming(old)) == 603
    assert not [event for event in us.heard[old] if isinstance(event, Replaced)]


def test_a_caller_is_never_replaced(us: Node, pbx: Peer) -> None:
    pbx.request("INVITE", us, body=SDP)
    us.calls[0].answer(SDP)
    us.net.run(0.01)
    pbx.request("ACK", us, to_tag=us.calls[0].local_tag, branch="z9hG4bKack")
    assert taking(us, pbx, f"Replaces: c1;to-tag={us.calls[0].local_tag};from-tag=peer\n") == 603


def test_nobody_else_replaces_it_and_a_stranger_learns_nothing(us: Node, pbx: Peer, net: Network) -> None:
    old = dialled(us, pbx)
    carrier = net.peer("192.0.2.9")
    assert taking(us, carrier, naming(old)) == 603
    us.verdict = Deny(0)
    stranger = net.peer("198.51.100.7")
    for headers in (naming(old), "Replaces: nobody;to-tag=1;from-tag=2\n"):
        stranger.request("INVITE", us, call_id="third", headers=headers, body=SDP)
        assert not stranger.got
    assert taking(us, pbx, naming(old)) == 100, "the peer needs no trunk of its own"


def test_an_owner_who_says_nothing_declines(us: Node, pbx: Peer, net: Network) -> None:
    old = dialled(us, pbx)
    taking(us, pbx, naming(old))
    net.run(17)
    assert pbx.statuses()[-1] == 480 and old.state == "up"


def test_replaces_in_another_request_is_400(us: Node, pbx: Peer) -> None:
    pbx.request("OPTIONS", us, headers="Replaces: a;to-tag=1;from-tag=2\n")
    assert pbx.statuses()[-1] == 400


def test_the_phone_that_took_the_call_may_transfer_it_on(us: Node, pbx: Peer, net: Network) -> None:
    old = dialled(us, pbx)
    taking(us, pbx, naming(old))
    (replaced,) = [event for event in us.heard[old] if isinstance(event, Replaced)]
    replaced.invite.let_refer()
    new = us.listen(replaced.invite)
    new.answer(SDP)
    net.run(0.01)
    pbx.request("ACK", us, call_id="other", to_tag=new.local_tag, branch="z9hG4bKack2")
    pbx.request("REFER", us, call_id="other", cseq=2, to_tag=new.local_tag, headers="Refer-To: <sip:a@b.c>\n")
    assert type(us.heard[new][-1]).__name__ == "Referred"
