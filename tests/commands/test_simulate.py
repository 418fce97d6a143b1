"""``edge simulate`` in plain words."""

from typing import Any

import pytest

from edge.commands.failure import CommandFailed
from edge.commands.simulate import question, told

ANSWER: dict[str, Any] = {
    "result": "dialled", "status": None, "disposition": None, "detail": "", "order": ["tgt_1"],
    "prompts": ["prm_1"], "at": "2026-11-22T12:00:00Z", "seed": 1, "config_version": 3,
    "caps": [{"cap_id": "cap_1", "owner_id": "num_1", "window": "2026-11-22", "limit": 5, "taken": 2}],
    "decision": {
        "steps": [{"step": "number", "result": "known", "reason": "ours"}],
        "candidates": [
            {"target_id": "tgt_1", "group_id": None, "tier": 1, "odds": 1.0, "result": "eligible",
             "reason": "not_reached"},
            {"target_id": "tgt_2", "group_id": None, "tier": 1, "odds": 0.0, "result": "skipped",
             "reason": "capped"},
        ],
    },
}  # fmt: skip


def test_it_says_where_the_call_goes_and_why() -> None:
    assert list(told(ANSWER, {"tgt_1": "Acme"})) == [
        "At 2026-11-22T12:00:00Z, configuration version 3:",
        "  number     known (ours)",
        "  cap        cap_1: 2 of 5 taken 2026-11-22",
        "  target     Acme (tgt_1): may be dialled (tier 1, 100% of being its tier's first)",
        "  target     tgt_2: one of the target's caps is full (tier 1)",
        "  plays      prm_1",
        "Dialled in this order: Acme (tgt_1)",
    ]


def test_a_refusal_is_told_with_its_status() -> None:
    refused = {**ANSWER, "result": "refused", "status": 480, "disposition": "rejected_paused"}
    assert list(told(refused, {}))[-1] == "Refused with 480: The campaign or the number is paused."


def test_options_become_the_question() -> None:
    asked = question("+1312", "+1313", "2026-11-22T09:00:00", ["a=1", "a=2", "b=x=y"], ["1"])
    assert asked["tags"] == {"a": ["1", "2"], "b": ["x=y"]}
    assert asked["at"] == "2026-11-22T09:00:00+00:00"


@pytest.mark.parametrize(("at", "tag"), [("soon", "a=1"), (None, "a"), (None, "=1")])
def test_an_option_that_says_nothing_is_refused(at: str | None, tag: str) -> None:
    with pytest.raises(CommandFailed):
        question("+1312", None, at, [tag], [])
