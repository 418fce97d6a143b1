"""What of the wire is taken for SIP, and what is answered where it is not."""

from contextlib import suppress
from time import perf_counter

import pytest

from edge.sip import parser
from edge.sip.message import Request, Response, SipParseError, respond
from edge.sip.parser import parse
from edge.sip.via import parse_via
from tests.sip.corpus import BODY, RESPONSES, RIGHT, WRONG, Wrong, invite, lines, message


def request(data: bytes) -> Request:
    parsed = parse(data)
    assert isinstance(parsed, Request)
    return parsed


def refused(data: bytes) -> SipParseError:
    with pytest.raises(SipParseError) as caught:
        parse(data)
    return caught.value


@pytest.mark.parametrize("name", RIGHT)
def test_right_requests_are_accepted(name: str) -> None:
    assert isinstance(parse(RIGHT[name]), Request)


@pytest.mark.parametrize("name", RESPONSES)
def test_right_responses_are_accepted(name: str) -> None:
    assert isinstance(parse(RESPONSES[name]), Response)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_wrong_messages_say_what_to_answer(wrong: Wrong) -> None:
    error = refused(wrong.data)
    assert error.status == wrong.status
    assert (error.request is None) == (wrong.status == 0)


@pytest.mark.parametrize("wrong", [w for w in WRONG if w.status], ids=lambda wrong: wrong.name)
def test_every_refusal_can_be_answered_to_its_sender(wrong: Wrong) -> None:
    error = refused(wrong.data)
    assert error.request is not None
    error.request.note_source("203.0.113.9", 40_000)
    answer = respond(error.request, error.status, to_tag="e1").to_bytes()
    top = answer.split(b"\r\n")[1].decode().removeprefix("Via: ")
    via = parse_via(top)
    assert via is not None
    assert via.params["received"] == "203.0.113.9"
    assert answer.startswith(b"SIP/2.0 %d " % error.status)
    assert b"X-Injected" not in answer


def test_what_a_stack_needs_of_an_invite() -> None:
    parsed = request(invite(To="<sip:+18005550100@edge.test>;tag=t9"))
    assert (parsed.method, parsed.uri) == ("INVITE", "sip:+18005550100@edge.test")
    assert (parsed.via.transport, parsed.via.host, parsed.via.port) == ("UDP", "192.0.2.7", 5061)
    assert parsed.via.branch == "z9hG4bKk7"
    assert "rport" in parsed.via.params
    assert (parsed.call_id, parsed.cseq, parsed.cseq_method) == ("c0ffee@192.0.2.7", 7, "INVITE")
    assert (parsed.from_tag, parsed.to_tag, parsed.max_forwards) == ("a1", "t9", 70)
    assert parsed.target.subscriber == "+18005550100"
    assert parsed.body == BODY


def test_folding_spaces_and_leading_zeros_change_nothing() -> None:
    parsed = request(RIGHT["folded and spaced"])
    assert (parsed.via.transport, parsed.via.host, parsed.via.port) == ("UDP", "192.0.2.7", 5061)
    assert parsed.via.branch == "z9hG4bK1"
    assert (parsed.cseq, parsed.max_forwards) == (7, 68)
    assert (parsed.from_tag, parsed.to_tag) == ("1", "t1")
    assert parsed.headers.get("Subject") == ""


def test_compact_names_become_long_ones() -> None:
    parsed = request(RIGHT["compact names"])
    names = [name for name, _ in parsed.headers]
    assert names[:4] == ["Via", "From", "To", "Call-ID"]
    assert parsed.headers.get("Content-Type") == "application/sdp"
    assert parsed.headers.values("supported") == ["timer"]


def test_an_escaped_name_is_another_name() -> None:
    parsed = request(invite(**{"C%6Fntact": "<sip:other@y.test>"}))
    assert parsed.headers.all("Contact") == ["<sip:ann@192.0.2.7:5061>"]


def test_peers_of_rfc_2543_need_no_tags_branch_or_max_forwards() -> None:
    parsed = request(RIGHT["no tag, no branch, no Max-Forwards (RFC 2543)"])
    assert (parsed.via.branch, parsed.from_tag, parsed.max_forwards) == ("", None, None)


def test_a_nul_in_a_name_cuts_nothing_short() -> None:
    parsed = request(RIGHT["raw NUL and controls in a quoted name"])
    echoed = respond(parsed, 200, to_tag="x").to_bytes()
    assert b'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:a@edge.test>;tag=x\r\n' in echoed


def test_any_bytes_survive_a_round_trip() -> None:
    data = invite(From='"\udcfe\udcff" <sip:x@y.test>;tag=1', X_Odd="Ω\udc80")
    assert parse(data).to_bytes() == data


def test_the_body_ends_where_its_length_says() -> None:
    assert request(RIGHT["bytes after the body"]).body == BODY
    assert request(RIGHT["no Content-Length in a datagram"]).body == BODY


def test_every_via_of_a_long_path_is_echoed_in_order() -> None:
    parsed = request(RIGHT["many transports"])
    answer = respond(parsed, 200, to_tag="x")
    hosts = [parsed_via.host for v in answer.headers.values("Via") if (parsed_via := parse_via(v))]
    assert hosts == ["t1.test", "t2.test", "t3.test", "t4.test", "t5.test"]


@pytest.mark.parametrize("name", ["257 headers", "71 Vias", "21 Contacts", "value too long"])
def test_breaking_a_limit_ends_a_stream(name: str) -> None:
    wrong = next(w for w in WRONG if w.name == name)
    assert refused(wrong.data).close


def test_other_faults_leave_a_stream_open() -> None:
    assert not refused(invite(CSeq="7 BYE")).close


def test_a_refusal_is_no_longer_than_what_it_refuses() -> None:
    data = message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *["X-A: 1"] * 5000])
    error = refused(data)
    assert error.request is not None
    assert len(respond(error.request, error.status).to_bytes()) < 400


@pytest.mark.parametrize(
    "pattern",
    [
        b'"',
        b"\\",
        b"<",
        b">",
        b";",
        b",",
        b" ",
        b"\t",
        b"=",
        b'";',
        b'\\"',
        b"a;",
        b"(",
        b"\r\n ",
        b"\r\n\t,",
    ],
)
def test_hostile_values_cost_linear_time(pattern: bytes) -> None:
    """32 times the input may cost some 32 times the time; a quadratic scan would cost 1,000 times.

    The bound lies between, because the machine is noisy.
    """

    def cost(size: int) -> float:
        value = pattern * (size // len(pattern))
        data = (
            invite().replace(b'"Ann Lee" <', value + b"<").replace(b"Max-F", b"X-A: " + value + b"\r\nMax-F")
        )
        began = perf_counter()
        with suppress(SipParseError):
            parse(data).headers.values("X-A")
        return perf_counter() - began

    small, large = (min(cost(size) for _ in range(7)) for size in (250, 8000))
    assert large < small * 250


@pytest.mark.parametrize("name", ["Via", "Contact", "X-A", "P-Asserted-Identity"])
def test_lists_of_nothing_are_refused_before_they_are_taken_apart(name: str) -> None:
    pad = f"X-B: {'x' * 2000}"
    most = message("INVITE sip:a@edge.test SIP/2.0", [*lines(), pad, "X-A: " + "," * 1000])
    assert request(most).headers.get("X-A") == "," * 1000
    error = refused(message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *[f"{name}: {',' * 8000}"] * 7]))
    assert (error.status, error.close, str(error)) == (400, True, "more than 1000 values in lists")
    assert error.request is not None and error.request.via.host == "192.0.2.7"


def test_the_first_via_line_is_the_top_one() -> None:
    extra = ["Via: SIP/2.0/UDP second.test;branch=z9hG4bK2", "Via: SIP/2.0/UDP third.test"]
    parsed = request(message("INVITE sip:a@edge.test SIP/2.0", [*lines(), *extra]))
    assert (parsed.via.host, parsed.via.branch) == ("192.0.2.7", "z9hG4bKk7")


def test_an_answer_to_doubled_headers_has_each_once() -> None:
    error = refused(message("INVITE sip:a@edge.test SIP/2.0", [*lines(), "From: <sip:z@y.test>;tag=9"]))
    assert error.request is not None
    assert respond(error.request, 400).headers.all("From") == [
        '"Ann Lee" <sip:+12125550123@192.0.2.7>;tag=a1'
    ]


def test_a_bare_line_feed_in_a_reason_phrase_is_no_message() -> None:
    """Found by fuzzing: it would have become a header line of its own wherever the phrase is written."""
    answer = (
        b"SIP/2.0 200 OK\xd4\nX-Evil: 1\r\nVia: SIP/2.0/UDP 192.0.2.7:5061;branch=z9hG4bKk7\r\n"
        b"From: <sip:a@b>;tag=a1\r\nTo: <sip:c@d>\r\nCall-ID: c0ffee\r\nCSeq: 7 INVITE\r\n\r\n"
    )
    with pytest.raises(SipParseError) as refused:
        parse(answer)
    assert refused.value.status == 0


@pytest.mark.parametrize(
    ("top", "branch", "params"),
    [
        ("SIP/2.0/UDP h;rport;branch=z1", "z1", {"rport": None}),
        ("SIP/2.0/UDP h;branch=z1;rport", "z1", {"rport": None}),
        ("SIP/2.0/UDP h;x=1;branch=z1;y=2, SIP/2.0/UDP i;branch=z2", "z1", {"x": "1", "y": "2"}),
        ("SIP/2.0/UDP h;branch=z1, SIP/2.0/UDP i;branch=z2;y", "z1", {}),
        ("SIP/2.0/UDP h, SIP/2.0/UDP i;branch=z2", "", {}),
        ('SIP/2.0/UDP h;x="a;branch=z1;b";branch=z2', "z2", {"x": "a;branch=z1;b"}),
        ('SIP/2.0/UDP h;x="a;branch=z1;b"', "", {"x": "a;branch=z1;b"}),
        ('SIP/2.0/UDP h;branch="z1"', "z1", {}),
        ("SIP/2.0/UDP h;branch=z1 ;rport", "z1", {"rport": None}),
        ("SIP/2.0/UDP h;branch=z1;branch=z2", None, None),
        ("SIP/2.0/UDP h;branch=z1;", None, None),
        ("SIP/2.0/UDP h;branch", "", {"branch": None}),
    ],
)
def test_a_branch_is_found_wherever_it_stands(
    top: str, branch: str | None, params: dict[str, str | None] | None
) -> None:
    for _ in range(2):  # the second time much of it is remembered
        via = parse_via(top)
        assert (None if via is None else via.params) == params
        assert (None if via is None else via.branch) == branch


@pytest.mark.parametrize(
    ("top", "branch"),
    [
        ("SIP/2.0/UDP h;received=192.0.2.1;branch=z1;rport=9", "z1"),
        ("SIP/2.0/UDP h;branch=z1, SIP/2.0/UDP i;branch=z2", "z1"),
        ("SIP/2.0/UDP h, SIP/2.0/UDP i;branch=z2", ""),
        ("SIP/2.0/UDP h ; branch = z1", "z1"),
        ('SIP/2.0/UDP h;branch="z1"', "z1"),
    ],
)
def test_an_answer_s_branch_is_that_of_its_top_via(top: str, branch: str) -> None:
    parsed = parse(message("SIP/2.0 200 OK", lines(Via=top)))
    assert isinstance(parsed, Response)
    assert parsed.branch == branch


def test_a_branch_is_each_message_s_own() -> None:
    first, second = (parse_via(f"SIP/2.0/UDP h;branch={name};rport") for name in ("z1", "z2"))
    assert first is not None and second is not None
    assert first.stamped("192.0.2.1", 9) == "SIP/2.0/UDP h;branch=z1;rport=9;received=192.0.2.1"
    assert second.stamped("192.0.2.2", 8) == "SIP/2.0/UDP h;branch=z2;rport=8;received=192.0.2.2"
    assert (first.branch, second.branch, str(first)) == ("z1", "z2", "SIP/2.0/UDP h;branch=z1;rport")


def test_lines_that_come_again_and_again_are_kept_in_bounds() -> None:
    for number in range(2000):
        agent = request(RIGHT["plain"].replace(b"\r\n", b"\r\nUser-Agent: x%d\r\n" % number, 1))
        assert agent.headers.get("User-Agent") == f"x{number}"
    assert 0 < len(parser._remembered) <= 512
