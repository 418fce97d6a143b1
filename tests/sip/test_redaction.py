"""Messages that are kept or sent to a collector have no secrets in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.redaction import all_without_secrets, without_secrets

PLAIN = b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (b'Authorization: Digest username="u", response="5ecret"', b"Authorization: (removed)"),
        (b'proxy-authorization : Digest a="5ecret",\r\n b="5ecret"', b"proxy-authorization : (removed)"),
        (b"X-Edge-Call-Key: 5ecret", b"X-Edge-Call-Key: (removed)"),
        (b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ecret|2^31", b"inline:(removed)|2^31"),
        (b"a=ice-pwd:5ecret", b"a=ice-pwd:(removed)"),
        (b"k=base64:5ecret", b"k=(removed)"),
        (b"a=key-mgmt:mikey 5ecret", b"a=key-mgmt:(removed)"),
    ],
)
def test_secrets_go_and_all_else_stays(line: bytes, left: bytes) -> None:
    message = PLAIN.replace(b"Via: x", b"Via: x\r\n" + line + b"\r\nX-After: 1")
    found = without_secrets(message)
    assert b"5ecret" not in found
    assert left in found
    assert found.startswith(b"INVITE sip:a@b SIP/2.0\r\nVia: x\r\n")
    assert b"\r\nX-After: 1\r\n" in found


def test_a_call_s_key_goes_wherever_its_message_has_it() -> None:
    key = b"0123456789abcdef" * 2
    text = b"INVITE sip:%b@b SIP/2.0\r\nX-Own: k=%b\r\nX-Edge-Call-Key: %b\r\n\r\n"
    assert without_secrets(text % (key, key, key)) == text % ((b"(removed)",) * 3)


def test_a_key_that_is_none_of_ours_takes_nothing_else_away() -> None:
    message = PLAIN.replace(b"Via: x", b"X-Edge-Call-Key: e\r\nVia: x")
    assert without_secrets(message) == message.replace(b": e\r", b": (removed)\r")


def test_a_key_that_is_gone_hides_nothing_behind_it() -> None:
    gone = b"X-Edge-Call-Key: (removed)\r\n"
    for rest in (b" 5ecret\r\n\r\n", b"\t5ecret", b"X-Edge-Call-Key: 5ecret\r\n\r\n", b"\r\n\nk=5ecret"):
        assert b"5ecret" not in without_secrets(b"BYE sip:a@b SIP/2.0\r\n" + gone + rest)
    for rest in (b"", b"\r\n", b"Via: x\r\n\r\n"):
        message = b"BYE sip:a@b SIP/2.0\r\n" + gone + rest
        assert without_secrets(message) is message


@pytest.mark.parametrize("body", [b"Signal=4\r\nDuration=160\r\n", b"4"])
def test_keys_that_are_pressed_by_info_go(body: bytes) -> None:
    for uri in (b"sips:a@b", b"tel:+12125550100", b"urn:x"):
        head = b"INFO " + uri + b" SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n"
        assert without_secrets(head + body) == head + b"(removed)"
        assert without_secrets(head) == head


def test_a_message_without_any_is_the_same() -> None:
    assert without_secrets(PLAIN) is PLAIN


@given(st.binary(max_size=300))
def test_any_octets_will_do(data: bytes) -> None:
    assert isinstance(without_secrets(data), bytes)


@given(
    st.lists(
        st.sampled_from(
            [PLAIN, PLAIN + b"info ", b"x: INFO \nk=5ecret", PLAIN.replace(b"Via", b"Authorization")]
        )
        | st.binary(max_size=30),
        max_size=6,
    )
)
def test_several_at_once_are_what_each_alone_is(messages: list[bytes]) -> None:
    assert list(all_without_secrets(messages)) == [without_secrets(one) for one in messages]
