"""Numbers off the wire: every way in which carriers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.sip import NumberFormat, NumberFormatIn
from edge.routing.e164 import Caller, called_number, caller_number, normalise, number_in, user_part, written
from tests.routing.world import trunk


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+18005550100", "US", "+18005550100"),
        ("18005550100", "US", "+18005550100"),
        ("8005550100", "US", "+18005550100"),
        ("(800) 555-0100", "CA", "+18005550100"),
        ("+1 (800) 555-0100", "DE", "+18005550100"),
        ("011442071838750", "US", "+442071838750"),
        ("442071838750", "US", "+442071838750"),
        ("020 7183 8750", "GB", "+442071838750"),
        ("442071838750", "GB", "+442071838750"),
        ("0018005550100", "GB", "+18005550100"),
        ("00442071838750", "DE", "+442071838750"),
        ("03012345678", "DE", "+493012345678"),
        ("911", "US", None),
        ("+0123456", "US", None),
        ("+", "US", None),
        ("", "US", None),
        ("anonymous", "US", None),
        ("+1800FLOWERS", "US", None),
        ("１８００５５５０１００", "US", None),
        ("1" * 500, "US", None),
    ],
)
def test_normalise(text: str, country: str, e164: str | None) -> None:
    assert normalise(text, country) == e164


@pytest.mark.parametrize(
    ("text", "country", "form", "e164"),
    [
        ("3012345678", "US", "auto", "+13012345678"),
        ("3012345678", "US", "e164", "+3012345678"),
        ("493012345678", "US", "e164", "+493012345678"),
        ("+1 (800) 555-0100", "US", "e164", "+18005550100"),
        ("493012345678", "GB", "auto", "+493012345678"),
        ("493012345678", "GB", "national", None),
        ("02071838750", "GB", "national", "+442071838750"),
        ("00493012345678", "GB", "national", "+493012345678"),
        ("8005550100", "US", "national", "+18005550100"),
        ("+442071838750", "GB", "national", "+442071838750"),
        ("anonymous", "US", "e164", None),
    ],
)
def test_a_trunk_may_say_what_bare_digits_are(
    text: str, country: str, form: NumberFormatIn, e164: str | None
) -> None:
    assert normalise(text, country, form) == e164


@pytest.mark.parametrize(
    ("e164", "form", "country", "text"),
    [
        ("+13125550100", "e164_plus", "US", "+13125550100"),
        ("+13125550100", "e164", "US", "13125550100"),
        ("+13125550100", "national", "US", "3125550100"),
        ("+14165550100", "national", "US", "4165550100"),
        ("+442071838750", "national", "US", "+442071838750"),
        ("+442071838750", "national", "GB", "02071838750"),
        ("+493012345678", "national", "DE", "03012345678"),
        ("+390612345678", "national", "IT", "0612345678"),
        ("+13125550100", "national", "DE", "+13125550100"),
        ("+13125550100", "national", "XX", "+13125550100"),
    ],
)
def test_numbers_are_written_as_a_peer_wants_them(
    e164: str, form: NumberFormat, country: str, text: str
) -> None:
    assert written(e164, form, country) == text


@given(st.text(max_size=80), st.sampled_from(["US", "GB", "DE", "XX"]))
def test_anything_else_is_none_or_e164(text: str, country: str) -> None:
    made = normalise(text, country)
    assert made is None or (made[0] == "+" and made[1:].isascii() and made[1:].isdigit() and len(made) <= 17)


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("sip:+13125550100@edge.example", "+13125550100"),
        ("sip:+13125550100;npdi;rn=+13120000000@edge.example;user=phone", "+13125550100"),
        ('"Name <sip:x@y>" <sip:3125550100@edge.example>;tag=1', "3125550100"),
        ('"say \\"hi\\" <" <sip:3125550100@h>', "3125550100"),
        ("sip:%2B13125550100:secret@h", "+13125550100"),
        ("tel:+1-312-555-0100", "+1-312-555-0100"),
        ("<tel:5550100;phone-context=+1312>", "+13125550100"),
        ("tel:5550100;phone-context=pbx.example", "5550100"),
        ("sip:a%00b%0d%0a@h", "a\ufffdb\ufffd\ufffd"),
        ("sip:a\udcff@h", "a\ufffd"),
        ("sip:j\u00f6rg@h", "j\u00f6rg"),
        ('"Bob @ <home>" <sips:+13125550100@h;user=phone>;tag=a', "+13125550100"),
        ("Bob <SIP:3125550100@h>;tag=a@b", "3125550100"),
        ("sip:3125550100@h>@x", "3125550100@h>"),
        ("sip:edge.example", ""),
        ("", ""),
        ('"', ""),
    ],
)
def test_user_part(value: str, user: str) -> None:
    assert user_part(value) == user


@given(st.binary(max_size=200))
def test_no_header_breaks_the_extraction_or_the_record(octets: bytes) -> None:
    number = number_in("sip:" + octets.decode("utf-8", "surrogateescape") + "@h", "US")
    assert len(number) <= 64
    assert number.encode("utf-8").isascii() or number.isprintable()


def test_what_is_no_number_stays_as_dialled() -> None:
    assert number_in("sip:sales@edge.example", "US") == "sales"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("request_uri", "+18005550101"),
        ("to", "+18005550102"),
        ("p_called_party_id", "+18005550103"),
        ("diversion", "+18005550101"),  # missing there: the Request-URI
    ],
)
def test_each_trunk_says_where_the_dialled_number_is(place: str, expected: str) -> None:
    headers = {
        "request_uri": "sip:18005550101@edge.example",
        "to": "<sip:8005550102@edge.example>",
        "p_called_party_id": "<sip:+18005550103@edge.example>",
    }
    assert called_number(trunk(called_number_from=place), headers) == expected


def test_an_empty_request_uri_falls_back_to_to() -> None:
    headers = {"request_uri": "sip:edge.example", "to": "<sip:8005550102@edge.example>"}
    assert called_number(trunk(), headers) == "+18005550102"


ANNA = '"Anna" <sip:3125550101@h>'
PAI, RPID, FROM = "p_asserted_identity", "remote_party_id", "from"


@pytest.mark.parametrize(
    ("asserted", "remote_party", "from_", "privacy", "caller"),
    [
        ([], [], ANNA, (), "+13125550101"),
        (["<tel:+13125550102>", "<sip:3125550103@h>"], [], ANNA, (), "+13125550103"),
        (["<tel:+13125550102>"], [], ANNA, (), "+13125550102"),
        (["<tel:+13125550102;verstat=TN-Validation-Passed>"], [], ANNA, (), "+13125550102"),
        ([], ["<sip:3125550104@h>;privacy=off"], ANNA, (), "+13125550104"),
        ([], [], ANNA, ("none",), "+13125550101"),
        ([], [], "<sip:anonymous@anonymous.invalid>", (), None),
        (["<sip:3125550103@h>"], [], "<sip:anonymous@anonymous.invalid>", (), "+13125550103"),
        ([], [], "<sip:reception@pbx.example>", (), None),
    ],
)
def test_the_caller(
    asserted: list[str], remote_party: list[str], from_: str, privacy: tuple[str, ...], caller: str | None
) -> None:
    headers = {PAI: asserted, RPID: remote_party, FROM: [from_]}
    assert caller_number(trunk(), headers, frozenset(privacy)) == Caller(caller)  # type: ignore[arg-type]


@pytest.mark.parametrize("privacy", [{"id"}, {"critical", "user"}, {"header"}])
def test_a_withheld_number_is_known_as_such(privacy: set[str]) -> None:
    headers = {PAI: ["<sip:3125550103@h>"], FROM: ["<sip:anonymous@anonymous.invalid>"]}
    assert caller_number(trunk(), headers, privacy) == Caller(None, "+13125550103")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "said", [";party=calling;privacy=full", ";screen=yes; Privacy = URI", ';privacy="full"']
)
def test_a_remote_party_that_asks_for_privacy_itself_is_withheld(said: str) -> None:
    headers = {RPID: [f'"Anna" <sip:3125550104@h>{said}'], FROM: ["<sip:anonymous@anonymous.invalid>"]}
    assert caller_number(trunk(), headers) == Caller(None, "+13125550104")  # type: ignore[arg-type]
    assert caller_number(trunk(), headers, {"id"}) == Caller(None, "+13125550104")  # type: ignore[arg-type]


def test_a_carrier_that_asserts_nothing_is_believed_in_from_alone() -> None:
    headers = {PAI: ["<sip:+13125550199@evil>"], RPID: ["<sip:+13125550198@evil>"], FROM: [ANNA]}
    only_from = trunk(caller_number_from=(FROM,))
    assert caller_number(only_from, headers) == Caller("+13125550101")  # type: ignore[arg-type]
