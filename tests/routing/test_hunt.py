"""What a target's final answer says about the attempt, and whether to go on."""

import pytest

from edge.routing.hunt import verdict_of


@pytest.mark.parametrize(
    ("status", "outcome", "next_target", "next_address"),
    [
        (200, "answered", False, False),
        (302, "refused", True, False),
        (401, "refused", True, False),
        (403, "refused", True, False),
        (404, "refused", True, False),
        (407, "refused", True, False),
        (408, "unreachable", True, True),
        (410, "refused", True, False),
        (418, "refused", True, False),
        (480, "no_answer", True, False),
        (484, "refused", True, False),
        (486, "busy", True, False),
        (488, "refused", True, False),
        (500, "unreachable", True, True),
        (503, "unreachable", True, True),
        (504, "unreachable", True, True),
        (600, "busy", True, False),
        (603, "refused", True, False),
        (604, "refused", True, False),
        (606, "refused", True, False),
    ],
)
def test_every_status_has_its_verdict(
    status: int, outcome: str, next_target: bool, next_address: bool
) -> None:
    verdict = verdict_of(status)
    assert (verdict.outcome, verdict.next_target, verdict.next_address) == (
        outcome,
        next_target,
        next_address,
    )


@pytest.mark.parametrize("cause", ["timeout", "unreachable"])
def test_a_silent_target_is_unreachable_whatever_status_was_made_up(cause: str) -> None:
    verdict = verdict_of(408, cause)  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.next_address) == ("unreachable", True)


@pytest.mark.parametrize("status", [0, 100, 183, 700, -1])
def test_what_is_no_final_status_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        verdict_of(status)
