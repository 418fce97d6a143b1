"""Headers, printing, and the responses made from requests."""

import pytest

from edge.sip.message import Headers, Request, Response, SipParseError, respond
from edge.sip.parser import parse
from edge.sip.via import parse_via
from tests.sip.corpus import invite, lines, message


def sample(**changes: str | None) -> Request:
    parsed = parse(invite(**changes))
    assert isinstance(parsed, Request)
    return parsed


def test_names_compare_in_any_case_and_length() -> None:
    headers = Headers(
        [("Call-ID", "1"), ("X-Edge-Call-ID", "2"), ("Contact", "<sip:a>"), ("Contact", "<sip:b>")]
    )
    assert headers.get("call-id") == headers.get("i") == headers.get("CALL-ID") == "1"
    assert headers.get("x-edge-call-id") == "2"
    assert headers.all("m") == ["<sip:a>", "<sip:b>"]
    assert "contact" in headers
    assert "Route" not in headers
    assert headers.get("Route") is None
    assert headers.get("Route", "-") == "-"


def test_values_split_only_where_a_list_goes_on() -> None:
    headers = Headers([("Contact", '"a, b" <sip:a,b@c.test;x=","> ;q=1 , <sip:d>'), ("Contact", "sip:e")])
    assert headers.values("Contact") == ['"a, b" <sip:a,b@c.test;x=","> ;q=1', "<sip:d>", "sip:e"]


@pytest.mark.parametrize("value", ['"open, x', "<sip:open, x", '"esc\\", x', '"a" "b, c'])
def test_what_is_left_open_is_not_split(value: str) -> None:
    assert Headers([("Contact", value)]).values("Contact") == [value]


def test_changing_headers_keeps_their_place() -> None:
    headers = Headers([("Via", "1"), ("To", "t"), ("Via", "2")])
    headers.set("to", "u")
    headers.add("x-new", "n")
    assert headers.items == [("Via", "1"), ("To", "u"), ("Via", "2"), ("x-new", "n")]
    headers.set("v", "9")
    headers.remove("X-NEW")
    headers.set("Route", "z")
    assert headers.items == [("Via", "9"), ("To", "u"), ("Route", "z")]


def test_printing_writes_the_true_length() -> None:
    data = Request(
        "MESSAGE", "sip:a@b.test", Headers([("Content-Length", "99"), ("To", "<sip:a>")]), b"hello"
    )
    assert data.to_bytes() == b"MESSAGE sip:a@b.test SIP/2.0\r\nTo: <sip:a>\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("bad", ["a\r\nX: 1", "a\nX: 1", "a\rX: 1", "\r\n\r\nbody"])
def test_no_value_can_become_a_header(bad: str) -> None:
    with pytest.raises(ValueError, match="CR or LF"):
        Response(200, "OK", Headers([("Subject", bad)])).to_bytes()
    with pytest.raises(ValueError, match="CR or LF"):
        Request("BYE", f"sip:{bad}", Headers()).to_bytes()
    with pytest.raises(ValueError, match="CR or LF"):
        Response(200, bad, Headers()).to_bytes()


def test_a_response_copies_what_section_8_2_6_names() -> None:
    request = sample(Record_Route="<sip:p.test;lr>", Timestamp="5")
    answer = respond(request, 486, to_tag="e1")
    assert answer.headers.items == [
        ("Via", "SIP/2.0/UDP 192.0.2.7:5061;rport;branch=z9hG4bKk7"),
        ("From", '"Ann Lee" <sip:+12125550123@192.0.2.7>;tag=a1'),
        ("To", "<sip:+18005550100@edge.test>;tag=e1"),
        ("Call-ID", "c0ffee@192.0.2.7"),
        ("CSeq", "7 INVITE"),
    ]
    assert answer.reason == "Busy Here"
    assert (answer.cseq, answer.cseq_method, answer.to_tag, answer.from_tag) == (7, "INVITE", "e1", "a1")
    assert answer.via == request.via
    assert answer.call_id == request.call_id


def test_only_a_100_carries_the_timestamp_and_it_has_no_tag() -> None:
    trying = respond(sample(Timestamp="5"), 100)
    assert trying.headers.get("Timestamp") == "5"
    assert trying.to_tag is None


@pytest.mark.parametrize(
    "to", ["<sip:a@edge.test>;tag=old", "<sip:a@edge.test>;x=1;tag=old", "sip:a@edge.test; tag=old"]
)
def test_a_tag_that_is_there_stays(to: str) -> None:
    assert respond(sample(To=to), 200, to_tag="new").headers.get("To") == to


def test_reasons() -> None:
    assert respond(sample(), 480).reason == "Temporarily Unavailable"
    assert respond(sample(), 480, "Gone home").reason == "Gone home"
    assert [respond(sample(), status).reason for status in (199, 299, 498, 599)] == [
        "Early Dialog Terminated",
        "OK",
        "Request Failure",
        "Server Failure",
    ]


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        (
            "SIP/2.0/UDP a.test;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP a.test;rport=4000;branch=z9hG4bK1;received=192.0.2.1",
        ),
        ("SIP/2.0/UDP a.test;branch=z9hG4bK1", "SIP/2.0/UDP a.test;branch=z9hG4bK1;received=192.0.2.1"),
        ("SIP/2.0/UDP a.test;received=6.6.6.6", "SIP/2.0/UDP a.test;received=192.0.2.1"),
        ("SIP/2.0/TCP [::1]:5070;rport=9", "SIP/2.0/TCP [::1]:5070;rport=4000;received=192.0.2.1"),
        (
            "SIP/2.0/UDP a.test;rport, SIP/2.0/UDP b.test",
            "SIP/2.0/UDP a.test;rport=4000;received=192.0.2.1, SIP/2.0/UDP b.test",
        ),
    ],
)
def test_the_source_is_noted_in_the_top_via(via: str, stamped: str) -> None:
    request = sample(Via=via)
    request.headers.add("Via", "SIP/2.0/UDP last.test")
    request.note_source("192.0.2.1", 4000)
    assert request.headers.all("Via") == [stamped, "SIP/2.0/UDP last.test"]
    top = parse_via(request.headers.get("Via") or "")
    assert top is not None
    assert top.params["received"] == "192.0.2.1"


def test_a_message_of_our_own_is_read_lazily() -> None:
    request = Request("BYE", "sip:a@b.test", Headers([("CSeq", "nonsense")]))
    with pytest.raises(SipParseError, match="malformed CSeq"):
        _ = request.cseq
    with pytest.raises(SipParseError, match="no Call-ID"):
        _ = request.call_id
    assert request.max_forwards is None


def test_a_response_is_read_like_a_request() -> None:
    parsed = parse(message("SIP/2.0 183 Session Progress", lines(To="<sip:a@b.test>;tag=z")))
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.reason, parsed.cseq_method, parsed.to_tag) == (
        183,
        "Session Progress",
        "INVITE",
        "z",
    )
