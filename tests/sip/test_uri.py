"""SIP, SIPS and tel URIs: parts, printing, equivalence."""

import pytest

from edge.sip.errors import SipParseError
from edge.sip.uri import Uri, escape_user, parse_uri, unescape


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:edge.test", Uri("sip", None, "edge.test")),
        ("sip:a@edge.test", Uri("sip", "a", "edge.test")),
        ("SIP:a@Edge.Test:5070", Uri("sip", "a", "Edge.Test", 5070)),
        ("sips:a:pw@edge.test", Uri("sips", "a", "edge.test", password="pw")),
        ("sip:a@[2001:db8::1]:5070", Uri("sip", "a", "2001:db8::1", 5070)),
        ("sip:[::1];lr", Uri("sip", None, "::1", params={"lr": None})),
        (
            "sip:a@h;Transport=TCP;lr?Subject=x&To=y",
            Uri("sip", "a", "h", None, {"transport": "TCP", "lr": None}, "Subject=x&To=y"),
        ),
        ("sip:a;b=c?d/e@h", Uri("sip", "a;b=c?d/e", "h")),
        ("sip:%61%40@h", Uri("sip", "%61%40", "h")),
        ("tel:+1-800-555.0100", Uri("tel", "+1-800-555.0100", "")),
        ("tel:0100;phone-context=edge.test", Uri("tel", "0100", "", params={"phone-context": "edge.test"})),
        ("TEL:*67#", Uri("tel", "*67#", "")),
    ],
)
def test_parts(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@",
        "sip:a@",
        "sip:a b@h",
        "sip:a@h b",
        "sip:a@h:0",
        "sip:a@h:65536",
        "sip:a@h:123456",
        "sip:a@h:x",
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;lr;LR",
        "sip:a@h>",
        "<sip:a@h>",
        'sip:"a"@h',
        "sip:a@h\r\n",
        "sip:a\x00@h",
        "sip:2001:db8::1",
        "sip:[::1",
        "sip:[:::1]",
        "sip:[fe80::1%25eth0]",
        "sip:[]",
        "tel:",
        "tel:+",
        "tel:abc xyz",
        "tel:1;;a",
        ":a",
        "1sip:a",
        "sip:a@b@c",
    ],
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(SipParseError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["http://a.test", "isbn:2983792873", "soap.beep://192.0.2.1", "sipx:a@h"])
def test_other_schemes(text: str) -> None:
    with pytest.raises(SipParseError) as caught:
        parse_uri(text)
    assert caught.value.status == 416


@pytest.mark.parametrize(
    ("text", "subscriber", "params"),
    [
        ("sip:+18005550100@h", "+18005550100", {}),
        (
            "sip:+18005550100;npdi;rn=+18005550199@h;user=phone",
            "+18005550100",
            {"npdi": None, "rn": "+18005550199"},
        ),
        ("sip:8005550100;phone-context=+1@h", "8005550100", {"phone-context": "+1"}),
        ("sip:%2B1800@h", "+1800", {}),
        ("sip:sips%3Auser%40example.com@h", "sips:user@example.com", {}),
        ("sip:100%2525@h", "100%25", {}),
        ("sip:a%3Bb@h", "a;b", {}),
        ("sip:h", "", {}),
        ("tel:+1-800;npdi;rn=+1", "+1-800", {"npdi": None, "rn": "+1"}),
    ],
)
def test_the_dialled_number(text: str, subscriber: str, params: dict[str, str | None]) -> None:
    uri = parse_uri(text)
    assert uri.subscriber == subscriber
    assert uri.subscriber_params == params


@pytest.mark.parametrize(
    ("a", "b"),
    [
        # RFC 3261 section 19.1.4
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+1-800-555-0100", "tel:+1(800)555.0100"),
        ("tel:0100;a=B;c", "tel:0100;C;a=b"),
    ],
)
def test_equivalent(a: str, b: str) -> None:
    assert parse_uri(a).matches(parse_uri(b))
    assert parse_uri(b).matches(parse_uri(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a:x@h", "sip:a:y@h"),
        ("sip:a@h", "sip:h"),
        ("sip:null-%00-null@h", "sip:null-@h"),
        ("tel:+1", "tel:1"),
        ("tel:1;a=1", "tel:1"),
    ],
)
def test_not_equivalent(a: str, b: str) -> None:
    assert not parse_uri(a).matches(parse_uri(b))
    assert not parse_uri(b).matches(parse_uri(a))


@pytest.mark.parametrize("user", ["a@b", "+1800", 'ü"<>', "a b\r\nc", "100%", "\udcff", "a;b?c"])
def test_escaping_is_undone_by_unescaping(user: str) -> None:
    uri = Uri("sip", escape_user(user), "h")
    assert unescape(parse_uri(str(uri)).user or "") == user


@pytest.mark.parametrize(
    ("text", "plain"), [("%41%4", "A%4"), ("%zz", "%zz"), ("%2541", "%41"), ("%c3%a9", "é")]
)
def test_escapes_are_resolved_once(text: str, plain: str) -> None:
    assert unescape(text) == plain
