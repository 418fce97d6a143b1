"""What carriers say of the caller's number, in all their ways."""

import pytest

from edge.calls.attestation import told
from edge.model.attestation import UNKNOWN, Attested
from edge.sip.message import Headers, Request
from tests.routing.world import trunk

ANNA = "<sip:+13125550101@h>"
PASSED, FAILED, NONE = "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"From": ANNA}, UNKNOWN),
        ({"P-Attestation-Indicator": "B"}, Attested("B", "", "carrier")),
        ({"P-Attestation-Indicator": "x"}, UNKNOWN),
        ({"From": f"<sip:+13125550101;verstat={PASSED}@h>;tag=1"}, Attested("", PASSED, "carrier")),
        (
            {
                "From": ANNA,
                "P-Asserted-Identity": f"<tel:+13125550101;verstat={PASSED}>",
                "P-Attestation-Indicator": "a",
            },
            Attested("A", PASSED, "carrier"),
        ),
        (
            {"P-Asserted-Identity": f"<sip:+13125550101@h;verstat={FAILED}>", "P-Attestation-Indicator": "A"},
            Attested("", FAILED, "carrier"),
        ),
        ({"From": f"<sip:+1312@h>;verstat={NONE}"}, Attested("", NONE, "carrier")),
        ({"From": f"<sip:+1312;verstat={PASSED}-C@h>"}, Attested("C", PASSED, "carrier")),
        ({"X-Carrier-VerStat": f"{PASSED}-A"}, Attested("A", PASSED, "carrier")),
        ({"X-Carrier-VerStat": f"tn=+1312; verstat={PASSED}-A"}, Attested("A", PASSED, "carrier")),
        ({"X-Carrier-VerStat": "B"}, Attested("B", "", "carrier")),
        ({"X-Carrier-VerStat": "Bad"}, UNKNOWN),
        ({"From": '"verstat" <sip:+1312@h>'}, UNKNOWN),
        ({"From": f'"verstat={PASSED}-A" <sip:+1312@h>'}, UNKNOWN),
        ({"From": f'"<sip:x;verstat={PASSED}-A@h>" <sip:+1312@h>'}, UNKNOWN),
        ({"From": f'<sip:+1312@h>;tag=1;x=";verstat={PASSED}-A"'}, UNKNOWN),
        ({"From": f"<sip:{PASSED}-A;verstat=none@h>"}, UNKNOWN),
        (
            {"P-Asserted-Identity": f'"verstat={PASSED}-A" <sip:+1312@h>, <tel:+1312;verstat={FAILED}>'},
            Attested("", FAILED, "carrier"),
        ),
    ],
)
def test_the_carrier_s_word(headers: dict[str, str], expected: Attested) -> None:
    request = Request("INVITE", "sip:+18005550100@h", Headers(list(headers.items())))
    assert told(request, trunk(attestation_header="X-Carrier-VerStat")) == expected


def test_a_header_that_the_trunk_does_not_name_says_nothing() -> None:
    request = Request("INVITE", "sip:+18005550100@h", Headers([("X-Carrier-VerStat", f"{PASSED}-A")]))
    assert told(request, trunk()) == UNKNOWN


@pytest.mark.parametrize(
    ("believed", "level"),
    [(("from",), ""), (("p_asserted_identity",), "A"), (("remote_party_id", "p_asserted_identity"), "A")],
)
def test_an_identity_that_the_trunk_is_not_believed_in_says_nothing(
    believed: tuple[str, ...], level: str
) -> None:
    """Its customers may write it themselves."""
    asserted = ("P-Asserted-Identity", f"<tel:+13125550101;verstat={PASSED}-A>")
    request = Request("INVITE", "sip:+18005550100@h", Headers([("From", ANNA), asserted]))
    assert told(request, trunk(caller_number_from=believed)).level == level
    own = Request("INVITE", "sip:+18005550100@h", Headers([("From", f"<sip:+1312;verstat={PASSED}-B@h>")]))
    assert told(own, trunk(caller_number_from=believed)).level == ("B" if "from" in believed else "")
