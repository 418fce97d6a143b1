"""Numbers that left their pool, and pools that are gone, while visitors are still owed their calls."""

from datetime import timedelta

import pytest

from edge.model.attestation import Attested
from edge.model.block import Block
from edge.model.decision import Refuse
from edge.model.pool import Withdrawal
from edge.routing.admit import admit
from edge.routing.linking import pool_of
from edge.routing.snapshot import Snapshot
from tests.routing.world import DIALLED, NOON, STAMP, Taken, facts, number

LEFT = Withdrawal(pool_id="pool_gone", until=NOON + timedelta(hours=1))


def test_a_number_is_asked_for_its_visitor_until_its_link_ends_though_the_pool_is_gone() -> None:
    item = number(campaign_id=None, state="available", withdrawn=LEFT)
    snapshot = Snapshot.build(numbers=[item])
    assert snapshot.pools, "a call has to look for its visit"
    found = pool_of(item, facts(NOON), snapshot)
    assert found is not None
    assert (found.id, found.on_unlinked.action, found.caller_affinity_h) == ("pool_gone", "reject", 0)
    assert pool_of(item, facts(LEFT.until), snapshot) is None


@pytest.mark.parametrize(
    ("pattern", "disposition", "why"),
    [
        ("+1312*", "rejected_blocked", "the account blocks +1312*: spam"),
        ("attestation:B", "rejected_attestation", "the account wants attestation:B, this caller has C: spam"),
        ("anonymous", "rejected_unlinked", f"no visitor holds {DIALLED}"),
    ],
)
def test_whom_the_account_blocks_is_refused_for_that_first(pattern: str, disposition: str, why: str) -> None:
    block = Block(id="blk_1", pattern=pattern, reason="spam", **STAMP)
    item = number(campaign_id=None, state="available", withdrawn=LEFT)
    snapshot = Snapshot.build(numbers=[item], blocks=[block])
    decided = admit(facts(NOON, attested=Attested("C")), snapshot, Taken())
    assert isinstance(decided, Refuse)
    assert (decided.disposition, decided.status, decided.detail) == (disposition, 603, why)
    assert decided.steps[-1].reason == why


def test_an_edit_that_withdraws_a_number_is_noticed() -> None:
    plain = number(campaign_id=None, state="available")
    snapshot = Snapshot.build(numbers=[plain])
    assert not snapshot.pools, "without pools no call looks for a visit"
    assert snapshot.with_changes([plain.model_copy(update={"withdrawn": LEFT})]).pools
