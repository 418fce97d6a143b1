"""Addresses, Via elements and parameters; values made safe to write."""

import pytest

from edge.sip.errors import SipParseError
from edge.sip.grammar import Params, parse_params, print_params, quote, unquote
from edge.sip.headers import NameAddr, parse_name_addr, refuse_breaks, writable
from edge.sip.via import parse_via


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("<sip:a@h>", NameAddr("", "sip:a@h", {})),
        ("sip:a@h", NameAddr("", "sip:a@h", {})),
        ("sip:a@h;tag=1;x", NameAddr("", "sip:a@h", {"tag": "1", "x": None})),
        ("<sip:a@h;lr>;tag=1", NameAddr("", "sip:a@h;lr", {"tag": "1"})),
        (
            '"Ann \\"A\\" Lee" <sip:a@h> ; tag = 1 ; q="x;y"',
            NameAddr('Ann "A" Lee', "sip:a@h", {"tag": "1", "q": "x;y"}),
        ),
        ("Ann Lee <tel:+1800>", NameAddr("Ann Lee", "tel:+1800", {})),
        ("caller<sip:a@h>;TAG=1", NameAddr("caller", "sip:a@h", {"tag": "1"})),
        ("<sip:a@h>;expires=60;tag=1", NameAddr("", "sip:a@h", {"expires": "60", "tag": "1"})),
        ('"a;b=c, <sip:x>" <sip:a@h>', NameAddr("a;b=c, <sip:x>", "sip:a@h", {})),
        (
            "tel:+1800;verstat=TN-Validation-Passed",
            NameAddr("", "tel:+1800", {"verstat": "TN-Validation-Passed"}),
        ),
    ],
)
def test_addresses(value: str, address: NameAddr) -> None:
    parsed = parse_name_addr(value)
    assert parsed == address
    assert parse_name_addr(str(parsed)) == parsed
    assert parsed.tag == address.params.get("tag")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "*",
        "<>",
        "<sip:a@h",
        '"open <sip:a@h>',
        "sip:a@h?x=y",
        "a b",
        "<sip:a@h> junk",
        "<sip:a@h>;tag=1;tag=2",
        "<sip:a@h>;;",
        "<sip:a@h>;=1",
        '"a" "b" <sip:a@h>',
        "< sip:a@h>",
        '<sip:"a"@h>',
    ],
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(SipParseError):
        parse_name_addr(value)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (";a;b=1", {"a": None, "b": "1"}),
        (" ; A = 1 ;b", {"a": "1", "b": None}),
        (';a="x;y, \\"z\\""', {"a": 'x;y, "z"'}),
        (";received=2001:db8::1;r=[::1]", {"received": "2001:db8::1", "r": "[::1]"}),
        ("", {}),
    ],
)
def test_parameters(text: str, params: Params) -> None:
    assert parse_params(text) == params
    assert parse_params(print_params(params)) == params


@pytest.mark.parametrize(
    "text", ["a", ";", ";;a", ";a;", ";a=", ";a;A", ';a="', ";a=b c", ";a,b", ";ä=1", ";a==b c"]
)
def test_malformed_parameters(text: str) -> None:
    assert parse_params(text) is None


def test_an_empty_quoted_value_is_not_a_missing_one() -> None:
    assert parse_params(';a=""') == {"a": ""}
    assert print_params({"a": "", "b": None}) == ';a="";b'


@pytest.mark.parametrize("text", ["", "a", 'a"b', "a\\b", '\\"', "é\udcff\x00"])
def test_quoting_is_undone_by_unquoting(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(
    ("value", "sent_by", "branch"),
    [
        ("SIP/2.0/UDP h.test:5060;branch=z9hG4bK1", "h.test:5060", "z9hG4bK1"),
        ("SIP/2.0/tls [2001:db8::1]:5061 ; branch = x", "[2001:db8::1]:5061", "x"),
        ("SIP / 2.0 / UDP  192.0.2.1", "192.0.2.1", ""),
        ("sip/2.0/UDP under_score.test;rport", "under_score.test", ""),
    ],
)
def test_vias(value: str, sent_by: str, branch: str) -> None:
    via = parse_via(value)
    assert via is not None
    assert (via.sent_by, via.branch) == (sent_by, branch)
    assert via.transport.isupper()
    assert parse_via(str(via)) == via


@pytest.mark.parametrize(
    "value",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 h.test",
        "UDP h.test",
        "SIP/2.0/UDP h.test:x",
        "SIP/2.0/UDP h.test:70000",
        "SIP/2.0/UDP h.test:0",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP [1.2.3]",
        "SIP/2.0/UDP ::1",
        "SIP/2.0/UDP h.test;",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP h.test;branch=1;branch=2",
    ],
)
def test_malformed_vias(value: str) -> None:
    assert parse_via(value) is None


@pytest.mark.parametrize("bad", ["a\r\nB: c", "a\nb", "a\rb", "a\x00b"])
def test_breaks_are_refused_or_taken_out(bad: str) -> None:
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        refuse_breaks(bad)
    refuse_breaks(writable(bad))


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("a\x07b\x1b[2Jc\x7fd\x0be", "ab[2Jcde"),
        ('"one\\\x07 two";encoding=hex', '"one two";encoding=hex'),
        ('"at the end\\\x00"', '"at the end"'),
        ('"a backslash\\\\\x07"', '"a backslash\\\\"'),
        ('"\\"quoted\\"\x01 tab\t"', '"\\"quoted\\" tab\t"'),
        ("\x80 \x9b é \udc80", "\x80 \x9b é \udc80"),
    ],
)
def test_control_characters_that_no_header_may_have_are_taken_out_with_the_pair_that_quotes_them(
    said: str, written: str
) -> None:
    assert writable(said) == written


@pytest.mark.parametrize("value", ["", "plain", "tab\there", "é ü 漢", "\udcff", '"\\""'])
def test_everything_else_may_be_written(value: str) -> None:
    refuse_breaks(value)
    assert writable(value) == value
