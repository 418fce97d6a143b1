"""Reason (RFC 3326): what a peer said is passed on clean, short and once a protocol."""

import pytest

from edge.sip.message import Headers
from edge.sip.reason import reason_in, with_status
from tests.support.lossy_wire import SDP, Network


def of(*values: str) -> str | None:
    return reason_in(Headers([("Reason", value) for value in values]))


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ('Q.850;cause=17;text="User busy"', 'Q.850;cause=17;text="User busy"'),
        ("SIP ; cause = 600 ; text=busy ; x=y", 'SIP;cause=600;text="busy"'),
        ('SIP;cause=200;text="a, b; c", Q.850;cause=16', 'SIP;cause=200;text="a, b; c", Q.850;cause=16'),
        ("Q.850;cause=16, q.850;cause=17", "Q.850;cause=16"),
        ("Q.850;cause=-1", "Q.850"),
        ('Q.850;cause=16;text="say \\"no\\""', 'Q.850;cause=16;text="say \\"no\\""'),
        ("preemption", "preemption"),
        ("<sip:a@b>;cause=1", None),
        ("Q.850;cause=1;cause=2", None),
        ("", None),
    ],
)
def test_a_reason_is_read(said: str, read: str | None) -> None:
    assert of(said) == read


def test_several_lines_are_one_and_none_is_none() -> None:
    assert of("SIP;cause=486", "Q.850;cause=17") == "SIP;cause=486, Q.850;cause=17"
    assert of() is None


def test_what_is_long_or_dirty_is_cut_and_cleaned() -> None:
    said = of(f'SIP;cause=486;text="{"x" * 5000}\x00\x1b[31m"', *(f"p{n};cause=1" for n in range(50)))
    assert said is not None and len(said) < 400
    assert said.isprintable()


def test_a_bye_that_stands_for_a_refusal_says_its_status_first() -> None:
    assert with_status(480, None) == "SIP;cause=480"
    assert with_status(486, "SIP;cause=600, Q.850;cause=17") == "SIP;cause=486, Q.850;cause=17"


def test_a_phone_whose_answer_came_second_is_told_so() -> None:
    net = Network()
    us, proxy = net.node("192.0.2.1"), net.peer("192.0.2.2")
    usage = us.dial(proxy)
    net.run(0.01)
    (invite,) = proxy.requests("INVITE")
    proxy.respond(invite, 200, us, tag="first", body=SDP)
    usage.ack()
    proxy.respond(invite, 200, us, tag="second", body=SDP)
    net.run(0.01)
    (bye,) = proxy.requests("BYE")
    assert "tag=second" in (bye.headers.get("To") or "")
    assert bye.headers.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
