"""The SIP answer of every call that ends before it is answered."""

import pytest

from edge.routing.refusal import bye_reason, refusal


@pytest.mark.parametrize(
    ("disposition", "status"),
    [
        ("rejected_unknown_number", 404),
        ("rejected_released", 410),
        ("rejected_blocked", 603),
        ("rejected_anonymous", 603),
        ("rejected_attestation", 603),
        ("rejected_unlinked", 603),
        ("rejected_paused", 480),
        ("after_hours_reject", 480),
        ("number_cap", 486),
        ("rejected_no_codec", 488),
        ("busy", 486),
        ("no_target_all_closed", 480),
        ("no_target_mixed", 480),
        ("rejected_overload", 503),
        ("rejected_trunk_limit", 503),
        ("error_internal", 500),
        ("connected", 480),
    ],
)
def test_statuses(disposition: str, status: int) -> None:
    assert refusal(disposition).status == status  # type: ignore[arg-type]


def test_carriers_are_told_when_to_come_back() -> None:
    assert refusal("rejected_overload").retry_after_s == (5, 30)
    assert refusal("rejected_trunk_limit").retry_after_s == (1, 1)


def test_an_unlinked_pool_number_says_why() -> None:
    assert refusal("rejected_unlinked").reason_header == "Q.850;cause=21"


def test_a_bye_of_ours_says_what_the_refusal_would_have_said() -> None:
    assert bye_reason("busy") == "SIP;cause=486"
    assert bye_reason("rejected_unlinked") == "Q.850;cause=21"
    assert bye_reason("after_hours_message") == "Q.850;cause=16"
    assert bye_reason(None) == "Q.850;cause=16"
