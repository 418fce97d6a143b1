"""Plain words exist for everything that a record may say."""

from typing import get_args

from edge.model.decision import CandidateLine, Disposition, Reason
from edge.routing.explain import DISPOSITIONS, REASONS, explain_disposition, explain_line, explain_status


def test_no_reason_and_no_disposition_is_without_words() -> None:
    assert set(REASONS) == set(get_args(Reason))
    assert set(DISPOSITIONS) == set(get_args(Disposition))


def test_a_newer_disposition_is_shown_as_it_is() -> None:
    assert explain_disposition("busy") == "Every target that was dialled was busy."
    assert explain_disposition("teleported") == "teleported"


def test_statuses_and_candidates_are_told_in_a_line() -> None:
    assert explain_status(486) == "486: is busy"
    assert explain_status(0) == "gave no final answer"
    assert "weight is 0" in explain_line(CandidateLine("a", 1, 0.0, "skipped", "not_reached"))
    said = explain_line(CandidateLine("a", 2, 0.25, "dialled", "busy"))
    assert said == "dialled: busy (tier 2, 25% of being its tier's first)"
