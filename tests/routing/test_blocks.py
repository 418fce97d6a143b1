"""Blocked callers: by number, prefix, anonymity; account and campaign; through edits."""

from typing import Any

import pytest

from edge.model.attestation import Attested, Level
from edge.model.block import Block
from edge.model.decision import Proceed, Refuse
from edge.routing.admit import admit
from tests.routing.world import STAMP, Taken, campaign, facts, world


def block(pattern: str, block_id: str = "blk_1", **fields: Any) -> Block:
    return Block(id=block_id, pattern=pattern, **STAMP, **fields)


@pytest.mark.parametrize(
    ("pattern", "caller", "disposition"),
    [
        ("+13125550100", "+13125550100", "rejected_blocked"),
        ("+13125550100", "+13125550101", None),
        ("+1312*", "+13125550100", "rejected_blocked"),
        ("+1312*", "+17735550100", None),
        ("+13125550100*", "+13125550100", "rejected_blocked"),
        ("+1312555010*", None, None),
        ("anonymous", None, "rejected_anonymous"),
        ("anonymous", "+13125550100", None),
    ],
)
@pytest.mark.parametrize("scope", [None, "cmp_1", "cmp_2"])
def test_a_blocked_caller_is_declined(
    pattern: str, caller: str | None, disposition: str | None, scope: str | None
) -> None:
    snapshot = world(the_campaign=campaign(state="paused"), blocks=[block(pattern, campaign_id=scope)])
    decided = admit(facts(caller=caller), snapshot, Taken())
    assert isinstance(decided, Refuse)
    expected = "rejected_paused" if disposition is None or scope == "cmp_2" else disposition
    assert decided.disposition == expected
    assert decided.status == (480 if expected == "rejected_paused" else 603)


@pytest.mark.parametrize(
    ("floor", "level", "served"),
    [
        ("A", "A", True), ("A", "B", False), ("A", "", False),
        ("B", "A", True), ("B", "B", True), ("B", "C", False),
        ("C", "C", True), ("C", "", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scope", [None, "cmp_1", "cmp_2"])
def test_a_floor_of_attestation(floor: str, level: Level, served: bool, scope: str | None) -> None:
    snapshot = world(blocks=[block(f"attestation:{floor}", campaign_id=scope)])
    decided = admit(facts(attested=Attested(level)), snapshot, Taken())
    if served or scope == "cmp_2":
        assert isinstance(decided, Proceed)
    else:
        assert isinstance(decided, Refuse)
        assert (decided.status, decided.disposition) == (603, "rejected_attestation")
        assert f"attestation:{floor}" in decided.detail


def test_blocks_come_change_and_go() -> None:
    snapshot = world()
    for put, removed, served in (
        ([block("+1312*", reason="robocalls")], (), False),
        ([block("+1773*")], (), True),
        ([block("+1312555*"), block("+1312*", "blk_2")], (), False),
        ([], ("blk_2",), False),
        ([], ("blk_1", "num_9"), True),
    ):
        snapshot = snapshot.with_changes(put, removed)
        assert isinstance(admit(facts(), snapshot, Taken()), Proceed) is served
    assert snapshot.blocks.of_pattern(None, "+1312*") is None
