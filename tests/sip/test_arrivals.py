"""New calls go last, and away when they waited too long; refusing one costs no parse."""

import pytest

from edge.sip import arrivals, turned_away
from edge.sip.arrivals import Arrivals, Unread
from edge.sip.events import Flow
from edge.sip.framer import Held
from edge.sip.message import Response
from edge.sip.parser import parse
from edge.sip.server_transaction import server_key
from edge.sip.turned_away import refusal
from tests.support.lossy_wire import Network

FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.2", 5070))
INVITE = b"""INVITE sip:+18005550100@192.0.2.1 SIP/2.0\r
v: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKa;rport\r
Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKb\r
Record-Route: <sip:192.0.2.9;lr>\r
From: "A, B" <sip:a@b>;tag=1\r
t: <sip:c@d>\r
i: c1@b\r
CSeq: 7 INVITE\r
Contact: <sip:a@b>\r
Content-Length: 0\r
\r
"""
HEAD = INVITE.removesuffix(b"\r\n\r\n")


class Desk:
    """Arrivals with a clock to set, and what became of each."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.served: list[Unread] = []
        self.shed: list[Unread] = []
        self.asked = 0
        self.arrivals = Arrivals(
            lambda: self.now,
            lambda data, _: self.served.append(data),
            lambda data, _: self.shed.append(data),
            self._again,
        )

    def _again(self) -> None:
        self.asked += 1

    def call(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.arrivals.take(INVITE, FLOW)


@pytest.mark.parametrize(
    "data",
    [
        INVITE.replace(b"t: <sip:c@d>", b"t: <sip:c@d>;tag=ours"),
        INVITE.replace(b"t: <sip:c@d>", b"TO : <sip:c@d> ; x=1; TAG = ours"),
        INVITE.replace(b"INVITE sip", b"BYE sip"),
        b"SIP/2.0 200 OK\r\n\r\n",
    ],
)
def test_only_new_calls_wait(data: bytes) -> None:
    assert not Desk().arrivals.take(data, FLOW)


def test_with_time_left_calls_are_served_a_few_at_once_in_order() -> None:
    desk = Desk()
    desk.call(2 * arrivals.AT_ONCE + 1)
    desk.arrivals.read(True)
    assert (len(desk.served), desk.asked) == (arrivals.AT_ONCE, 1)
    desk.arrivals.go_on()
    desk.arrivals.go_on()
    assert (len(desk.served), desk.asked, desk.shed) == (2 * arrivals.AT_ONCE + 1, 2, [])


def test_a_call_that_is_taken_back_while_it_waits_is_served_before_that() -> None:
    desk = Desk()
    others = [INVITE.replace(b"bKa", b"bKo%d" % n) for n in range(3)]
    held = Held(INVITE.replace(b"bKa", b"bKh").removesuffix(b"\r\n\r\n"), b"")
    for data in (others[0], INVITE, *others[1:]):
        assert desk.arrivals.take(data, FLOW)
    desk.arrivals.hold(held, FLOW)
    desk.arrivals.bring(INVITE.replace(b"INVITE", b"CANCEL"))
    desk.arrivals.bring(held.head.replace(b"INVITE", b"CANCEL"))
    assert desk.served == [INVITE, held]
    for cancel in (INVITE, INVITE.replace(b";branch=", b";b="), INVITE.replace(b"bKa", b"bKx")):
        desk.arrivals.bring(cancel.replace(b"INVITE", b"CANCEL"))
    assert len(desk.served) == 2
    desk.arrivals.read(True)
    assert desk.served[2:] == others


def test_however_often_the_sockets_are_read_only_one_further_turn_is_asked_for() -> None:
    """Or each look at them would add one to all later turns, which then leave no time to look."""
    desk = Desk()
    desk.call(10 * arrivals.AT_ONCE)
    for _ in range(3):
        desk.arrivals.read(True)
    assert (len(desk.served), desk.asked) == (3 * arrivals.AT_ONCE, 1)
    desk.arrivals.go_on()
    assert desk.asked == 2


def test_while_the_sockets_are_full_no_call_is_served_and_late_ones_are_turned_away() -> None:
    desk = Desk()
    desk.call(3)
    desk.arrivals.read(False)
    assert (desk.served, desk.shed, desk.asked) == ([], [], 0)
    desk.now += arrivals.MAX_WAIT
    desk.call()
    desk.arrivals.read(False)
    assert (len(desk.served), len(desk.shed)) == (0, 3)
    desk.arrivals.read(True)
    assert (len(desk.served), len(desk.shed)) == (1, 3)


def test_calls_of_streams_wait_too_and_ask_for_their_turn_once() -> None:
    desk, call = Desk(), Held(*INVITE.split(b"\r\n\r\n"))
    for _ in range(3):
        desk.arrivals.hold(call, FLOW)
    assert (desk.served, desk.asked) == ([], 1)
    desk.arrivals.go_on()
    assert desk.served == [call] * 3
    desk.arrivals.read(False)
    desk.arrivals.hold(call, FLOW)
    assert desk.asked == 1, "the datagrams' reader will ask"
    desk.now += arrivals.MAX_WAIT
    desk.arrivals.read(False)
    assert desk.shed == [call]


def test_memory_is_bounded() -> None:
    desk = Desk()
    desk.call(arrivals.MAX_WAITING + 10)
    assert len(desk.shed) == 10


def test_the_refusal_is_the_answer_that_the_stack_would_give() -> None:
    made = refusal(HEAD, FLOW, "ours", 9)
    assert made is not None
    answer = parse(made.answer)
    assert isinstance(answer, Response)
    assert (answer.status, answer.cseq, answer.call_id, answer.to_tag) == (503, 7, "c1@b", "ours")
    assert answer.headers.get("Retry-After") == "9"
    assert len(answer.headers.all("Via")) == 2
    assert (answer.via.params["rport"], answer.via.params["received"]) == ("5070", "192.0.2.2")
    request = parse(INVITE)
    assert not isinstance(request, Response)
    assert made.key == server_key(request, "INVITE")
    assert len(made.answer) <= len(INVITE) + 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b";rport", b""),
        (b"t: <sip:c@d>\r\n", b"t: <sip:c@d>\r\n ;folded\r\n"),
        (b"z9hG4bKa", b"old"),
        (b"i: c1@b\r\n", b""),
        (b"CSeq: 7 INVITE\r\n", b"CSeq: 7 INVITE\r\nCSeq: 8 INVITE\r\n"),
    ],
)
def test_what_is_written_in_an_unusual_way_is_read_properly(old: bytes, new: bytes) -> None:
    assert refusal(HEAD.replace(old, new), FLOW, "ours", 9) is None


@pytest.mark.parametrize(
    ("invite", "flow"),
    [
        (INVITE, Flow("udp", FLOW.local, ("192.0.2.2", 19))),
        (INVITE.replace(b"192.0.2.9:5062", b"192.0.2.9:7"), FLOW),
        (INVITE.replace(b"192.0.2.9:5062", b"239.1.2.3"), FLOW),
        (INVITE.replace(b"192.0.2.9:5062", b"255.255.255.255"), FLOW),
    ],
)
def test_nobody_is_turned_away_who_may_never_have_asked(invite: bytes, flow: Flow) -> None:
    assert refusal(invite[:-4], flow, "ours", 9) is None


def test_a_call_turned_away_leaves_no_state_and_a_copy_of_a_served_one_is_absorbed() -> None:
    net = Network()
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    us.stack.turn_away(HEAD, FLOW)
    net.nodes[FLOW.remote] = peer
    net.run(1)
    assert us.calls == [] and us.stack.counters["turned_away"] == 1
    assert us.stack.counters["transactions"] == 0 and us.stack.counters["sent_5xx"] == 1
    other = INVITE.replace(b"z9hG4bK", b"z9hG4bKother")
    us.stack.receive(other, FLOW)
    us.stack.turn_away(other[:-4], FLOW)
    assert len(us.calls) == 1 and us.stack.counters["turned_away"] == 1


def test_a_copy_of_a_call_turned_away_gets_the_same_answer_and_is_no_call() -> None:
    net = Network()
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    net.nodes[FLOW.remote] = peer
    us.stack.turn_away(HEAD, FLOW)
    us.stack.receive(INVITE, FLOW)
    us.stack.turn_away(HEAD, FLOW)
    net.run(1)
    assert us.calls == [] and us.stack.counters["turned_away"] == 3
    answers = [(message.status, message.to_tag) for message in peer.got if isinstance(message, Response)]
    assert len(answers) == 3 and len(set(answers)) == 1 and answers[0][0] == 503


def test_a_copy_of_the_oldest_of_many_turned_away_gets_its_answer_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turned_away, "MAX_KEPT", 2)
    net = Network()
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    net.nodes[FLOW.remote] = peer
    us.stack.turn_away(HEAD, FLOW)
    us.stack.turn_away(HEAD.replace(b"z9hG4bK", b"z9hG4bKother"), FLOW)
    us.stack.receive(INVITE, FLOW)
    net.run(1)
    assert us.calls == []
    assert [message.status for message in peer.got if isinstance(message, Response)] == [503] * 3


def test_the_ack_of_a_call_turned_away_is_known_by_its_bytes_and_no_other_is() -> None:
    net = Network()
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    net.nodes[FLOW.remote] = peer
    us.stack.turn_away(HEAD, FLOW)
    net.run(1)
    (answer,) = (message for message in peer.got if isinstance(message, Response))
    ack = HEAD.replace(b"INVITE", b"ACK").replace(
        b"t: <sip:c@d>", f"t: <sip:c@d>;tag={answer.to_tag}".encode()
    )
    assert us.stack.turned_away.acknowledged(ack)
    assert not us.stack.turned_away.acknowledged(ack.replace(b"tag=", b"tag=x"))
    peer.request("INVITE", us)
    (usage,) = us.calls
    assert not us.stack.turned_away.acknowledged(f"ACK sip:a\r\nTo: <sip:b>;tag={usage.local_tag}".encode())


def test_new_calls_get_503_while_the_loop_lags() -> None:
    net = Network()
    us, peer = net.node("192.0.2.1"), net.peer("192.0.2.2")
    us.stack._overloaded = lambda: True
    peer.request("OPTIONS", us)
    peer.request("INVITE", us)
    assert peer.statuses() == [200, 503] and us.calls == []


def test_a_call_over_its_source_s_limit_never_waits() -> None:
    desk, over = Desk(), [True, False]
    limited = Arrivals(
        lambda: 0.0, desk.arrivals._serve, desk.arrivals._shed, desk._again, limited=lambda *_: over.pop()
    )
    assert limited.take(INVITE, FLOW)
    assert limited.take(INVITE, FLOW)
    limited.read(drained=True)
    assert (desk.served, desk.shed) == ([INVITE], [])
