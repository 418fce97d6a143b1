"""Who may sign calls: chains, their bounds, and the numbers that certificates are for."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from edge.stir import chain
from edge.stir.errors import Unproven, Wrong
from edge.stir.numbers import Allowed, allowed_numbers
from tests.support.signer import PROVIDER, Party, for_number

ROOT = Party("root", authority=True)
BETWEEN = Party("between", ROOT, authority=True)
CARRIER = Party("carrier", BETWEEN)
STRANGER = Party("root", authority=True)
NOW = datetime.now(UTC)
TRUSTED = [STRANGER.certificate, ROOT.certificate]


def judged(party: Party) -> chain.Signer:
    return chain.signer(chain.read(party.pem), TRUSTED)


def test_a_chain_that_leads_to_the_trust_list() -> None:
    found = judged(CARRIER)
    found.check(b"call", CARRIER.sign(b"call"), "13125550101", NOW)
    assert judged(Party("direct", ROOT)).allowed.provider
    with pytest.raises(Wrong, match="signature"):
        found.check(b"another", CARRIER.sign(b"call"), "13125550101", NOW)
    with pytest.raises(Wrong, match="signature"):
        found.check(b"call", bytes(64), "13125550101", NOW)
    with pytest.raises(Wrong, match="valid now"):
        found.check(b"call", CARRIER.sign(b"call"), "13125550101", NOW + timedelta(days=31))


def test_a_chain_is_as_valid_as_its_weakest_part() -> None:
    short = Party("short", ROOT, authority=True, days=(-1, 3))
    found = judged(Party("carrier", short))
    assert found.until < NOW + timedelta(days=4)


EC_KEY, P_256 = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107")


@pytest.mark.parametrize("kind", [EC_KEY, P_256], ids=["no key that is known", "no curve that is known"])
def test_keys_that_nobody_knows_sign_no_calls_and_are_no_mistake_of_ours(kind: bytes) -> None:
    """Whoever signs a call could have the log filled with those."""

    def strange(party: Party) -> x509.Certificate:
        whole = party.certificate.public_bytes(Encoding.DER)
        assert kind in whole
        return x509.load_der_x509_certificate(whole.replace(kind, kind[:-1] + b"\x63"))

    with pytest.raises(Wrong, match="key"):
        chain.signer([strange(CARRIER)], TRUSTED)
    with pytest.raises(Wrong, match="trust list"):
        chain.signer([CARRIER.certificate, strange(BETWEEN)], TRUSTED)


@pytest.mark.parametrize(
    "party",
    [
        Party("carrier", Party("root", authority=True)),
        Party("self-signed"),
        Party("carrier", Party("no authority", ROOT)),
        Party("carrier", ROOT, numbers=None),
        Party("carrier", ROOT, numbers=b"\x04\x01"),
        Party("carrier", ROOT, curve=ec.SECP384R1()),
    ],
    ids=["same name", "self-signed", "no authority", "for the web", "unreadable", "other curve"],
)
def test_others_sign_no_calls(party: Party) -> None:
    with pytest.raises(Wrong):
        judged(party)


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(pem: bytes) -> None:
    with pytest.raises(Unproven):
        chain.signer(chain.read(pem), TRUSTED)


def test_a_certificate_for_some_numbers() -> None:
    party = Party("company", ROOT, numbers=for_number("13125550101"))
    found, signature = judged(party), party.sign(b"call")
    found.check(b"call", signature, "13125550101", NOW)
    with pytest.raises(Wrong, match="number"):
        found.check(b"call", signature, "13125550102", NOW)


TEN_FROM_100 = "160b" + b"13125550100".hex() + "02010a"


@pytest.mark.parametrize(
    ("der", "covered", "not_covered"),
    [
        (PROVIDER.hex(), "1", ""),
        ("3014a1123010" + TEN_FROM_100, "13125550109", "13125550110"),
        ("3012a110" + TEN_FROM_100, "13125550100", "13125550099"),
    ],
    ids=["provider", "range", "range, tagged implicitly"],
)  # fmt: skip
def test_lists_of_numbers(der: str, covered: str, not_covered: str) -> None:
    found = allowed_numbers(bytes.fromhex(der))
    assert found.covers(covered)
    assert not not_covered or not found.covers(not_covered)


@given(st.binary(max_size=60))
def test_any_octets_are_a_list_or_wrong(der: bytes) -> None:
    with contextlib.suppress(Wrong):
        assert isinstance(allowed_numbers(der), Allowed)
