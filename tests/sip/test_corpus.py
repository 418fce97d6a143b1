"""What the stack answers to every message of the corpus, in a datagram and on a stream, from a known peer."""

from collections.abc import Sequence

import pytest

from edge.sip.errors import SipParseError
from edge.sip.framer import Framer, Keepalive
from edge.sip.message import Message
from edge.sip.parser import parse
from tests.sip.corpus import RESPONSES, RIGHT, WRONG, Wrong
from tests.support.lossy_wire import Network, Node

PEER = ("192.0.2.7", 5061)
CALL = [100]
"""What a new call is answered at once; the rest is its owner's."""

ANSWERS = {
    "any case of names": [481],
    "folded and spaced": [481],
    "strange method": [501],
    "escaped method is another method": [501],
    "contact with an escaped Route": [405],
    "contact with a question mark and no brackets": [405],
    "contact parameter that nobody knows": [405],
    "parameter of the contact's URI that nobody knows": [405],
    "credentials of a scheme that nobody knows": [405],
    "extensions that nobody knows": [420],
    "body that nobody knows": [415],
    "ISUP that must be understood": [415],
    "a multipart without a boundary": [400],
    "a multipart that does not end": [400],
    "a multipart with another boundary": [400],
    "compressed": [415],
    "answers wanted in another language": [406],
    "binary body": [405],
}
"""By the message's name; others are new calls, or OPTIONS (200)."""


@pytest.fixture
def us() -> Node:
    return Network().node("192.0.2.1")


def by_datagram(us: Node, data: bytes) -> list[bytes]:
    us.receive(data, PEER)
    return [line[3] for line in us.net.log]


def by_stream(us: Node, data: bytes) -> list[bytes]:
    us.net.transport = "tcp"
    for frame in Framer().feed(data):
        if isinstance(frame, SipParseError):
            us.stack.receive_error(frame, us.flow(PEER))
        elif not isinstance(frame, Keepalive):
            us.stack.receive_message(frame, us.flow(PEER))
    return [line[3] for line in us.net.log]


def statuses(answers: list[bytes]) -> list[int]:
    """Of answers that may lack what the request lacked."""
    assert all(answer.startswith(b"SIP/2.0 ") for answer in answers)
    return [int(answer[8:11]) for answer in answers]


def expected(name: str) -> Sequence[int]:
    if name in ANSWERS:
        return ANSWERS[name]
    return [200] if RIGHT[name].startswith(b"OPTIONS ") else CALL


def echoes(request: Message, answer: bytes) -> bool:
    """Whether an answer can be told to be this request's (8.2.6.2)."""
    response = parse(answer)
    same = all(
        request.headers.all(name) == response.headers.all(name) for name in ("From", "Call-ID", "CSeq")
    )
    return same and len(request.headers.values("Via")) == len(response.headers.values("Via"))


@pytest.mark.parametrize("name", RIGHT)
def test_right_requests_in_a_datagram(us: Node, name: str) -> None:
    answers = by_datagram(us, RIGHT[name])
    assert statuses(answers) == expected(name)
    assert all(echoes(parse(RIGHT[name]), answer) for answer in answers)
    assert len(us.calls) == (expected(name) == CALL)


@pytest.mark.parametrize("name", RIGHT)
def test_right_requests_on_a_stream(us: Node, name: str) -> None:
    endless = b"\r\nContent-Length:" not in RIGHT[name]  # 18.3: nobody knows where it ends
    assert statuses(by_stream(us, RIGHT[name])) == ([400] if endless else expected(name))


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_messages_in_a_datagram(us: Node, wrong: Wrong) -> None:
    assert statuses(by_datagram(us, wrong.data)) == [wrong.status] * bool(wrong.status)
    assert us.calls == [] and us.stack.counters["transactions"] == 0
    counted = "received_keepalive" if wrong.name in KEEPALIVES else f"parse_error_{wrong.status}"
    assert us.stack.counters[counted] == 1
    assert ("parse_error_0" in us.stack.counters) == (counted == "parse_error_0"), "nobody is to blame"


KEEPALIVES = ("nothing", "keepalive", "NUL keepalive", "STUN", "STUN of old")
UNFINISHED = ("no empty line", "cut in a header", "length beyond the datagram")
"""On a stream these wait for more; what does not come in time ends the connection."""


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_messages_on_a_stream(us: Node, wrong: Wrong) -> None:
    answered = wrong.status and wrong.name not in UNFINISHED
    assert statuses(by_stream(us, wrong.data)) == [wrong.status] * bool(answered)
    assert us.calls == [] and us.stack.counters["transactions"] == 0


@pytest.mark.parametrize("name", RESPONSES)
def test_stray_responses_get_silence(us: Node, name: str) -> None:
    assert by_datagram(us, RESPONSES[name]) == []
    assert us.stack.counters["dropped_stray_response"] == 1
