"""PASSporTs: what is read of them, and whether they are of this call."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.stir.errors import Unproven, Wrong
from edge.stir.passport import Passport, check, shaken
from tests.support.signer import Party

ANNA, US, AT = "+13125550101", "+18005550100", "https://cert.example/a.pem"
CARRIER = Party("carrier")


def read(**changes: Any) -> Passport:
    return shaken([CARRIER.identity(AT, ANNA, US, **changes)])


def test_what_is_signed_is_read() -> None:
    found = read(level="B")
    assert (found.certificate, found.caller, found.called, found.level) == (
        AT,
        "13125550101",
        ("18005550100",),
        "B",
    )
    check(found, [ANNA], US, datetime.now(UTC).timestamp(), 60)


def test_other_identities_say_nothing_of_the_caller() -> None:
    other = CARRIER.identity(AT, ANNA, US, ppt="div")
    with pytest.raises(Unproven):
        shaken([other])
    assert shaken([other, CARRIER.identity(AT, ANNA, US, "C")]).level == "C"
    with pytest.raises(Unproven):
        shaken([])


@pytest.mark.parametrize(
    "other", ["..c2ln;info=<https://cert.example/a.pem>;ppt=div", "bm8.bm8.bm8", "x" * 9000]
)
def test_one_that_can_not_be_read_does_not_hide_the_one_that_can(other: str) -> None:
    """The compact form, say, or one that is too long to be looked at."""
    assert shaken([other, CARRIER.identity(AT, ANNA, US, "C")]).level == "C"
    with pytest.raises(Unproven):
        shaken([other])


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"x5u": "http://cert.example/a.pem"},
        {"x5u": "https://a b"},
        {"x5u": "https://other.example/a.pem"}, {"attest": "D"}, {"attest": None},
        {"origid": None}, {"iat": "now"},
        {"iat": 10**400}, {"iat": -1}, {"iat": True}, {"orig": {"uri": ["sip:a@b"]}}, {"orig": None},
        {"dest": {}}, {"dest": "x"},
        {"orig": {"tn": ["1", "2"]}},
    ],
)  # fmt: skip
def test_what_is_no_good_passport_is_wrong(changes: dict[str, Any]) -> None:
    with pytest.raises(Wrong):
        read(**changes)


@pytest.mark.parametrize(
    ("callers", "called", "late_s", "why"),
    [
        ([ANNA], US, 61, "ago"),
        ([ANNA], US, -61, "ago"),
        (["+13125550199"], US, 0, "caller"),
        ([], US, 0, "caller"),
        ([ANNA], "+18005550199", 0, "called"),
    ],
)
def test_one_of_another_call_is_wrong(callers: list[str], called: str, late_s: float, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        check(read(), callers, called, datetime.now(UTC).timestamp() + late_s, 60)


@given(
    st.one_of(
        st.text(max_size=300), st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,9}")
    )
)
def test_anything_else_is_unproven(text: str) -> None:
    with pytest.raises(Unproven):
        shaken([text])
