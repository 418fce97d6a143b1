"""The snapshot: what a call finds in it, and that an edit leaves every older one as it was."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.model.cap import Cap
from edge.model.config import Number
from edge.routing.snapshot import Snapshot, Table
from tests.routing.world import campaign, number, office, prompt, route, target, trunk, world


def test_everything_is_found_by_its_id_and_numbers_by_their_digits() -> None:
    snapshot = world(targets=[target()], prompts=[prompt("prm_1")])
    assert snapshot.number("+18005550100") is snapshot.number_by_id("num_1")
    found = (snapshot.campaign("cmp_1"), snapshot.target("tgt_1"), snapshot.prompt("prm_1"))
    assert all(found)
    assert snapshot.trunk("trk_1") in snapshot.trunks()
    assert snapshot.number("+18005550199") is None


def test_an_edit_makes_a_new_snapshot_and_a_call_keeps_its_own() -> None:
    before = world()
    after = before.with_changes([number(e164="+18005550111", state="paused")])
    old, new = before.number("+18005550100"), after.number("+18005550111")
    assert old is not None
    assert old.state == "active"
    assert new is not None
    assert new.state == "paused"
    assert after.number("+18005550100") is None
    assert after.version == before.version + 1


def test_a_cap_that_goes_to_another_owner_in_one_edit_is_that_one_s() -> None:
    caps = (Cap(id="cap_1", window="lifetime", limit=1),)
    had, gets = target("tgt_1", caps=caps), target("tgt_2")
    snapshot = world(targets=[had, gets])
    left, got = target("tgt_1"), target("tgt_2", caps=caps)
    for edit in ([left, got], [got, left]):
        assert snapshot.with_changes(edit).cap_owner("cap_1") == "tgt_2"
    assert snapshot.with_changes([got], ["tgt_1"]).cap_owner("cap_1") == "tgt_2"
    assert snapshot.with_changes([left]).cap_owner("cap_1") is None
    assert snapshot.with_changes((), ["tgt_1"]).cap_owner("cap_1") is None


def test_removed_objects_are_gone_by_id_and_by_digits() -> None:
    snapshot = world(targets=[target()]).with_changes(removed=["num_1", "tgt_1", "cmp_1", "trk_1"])
    left = (snapshot.number("+18005550100"), snapshot.target("tgt_1"), snapshot.campaign("cmp_1"))
    assert left == (None, None, None)
    assert snapshot.trunks() == ()


def test_digits_may_move_from_one_number_to_another_in_one_edit() -> None:
    before = world(numbers=[number(), number(id="num_2", e164="+18005550101")])
    swap = [number(e164="+18005550101"), number(id="num_2", e164="+18005550100")]
    after = before.with_changes(swap)
    found = (after.number("+18005550100"), after.number("+18005550101"))
    assert [n.id if n else None for n in found] == ["num_2", "num_1"]


def test_what_a_decision_needs_follows_the_edit() -> None:
    before = world(number(hours=office()))
    assert before.prepared("num_1").schedule is not None
    after = before.with_changes([number()])
    assert after.prepared("num_1").schedule is None
    inactive = before.with_changes([number(hours=office(active=False))])
    assert inactive.prepared("num_1").schedule is None


def test_tiers_are_in_order_and_a_target_stands_in_only_one() -> None:
    plan = campaign(route("b", 5), route("a", -1, 3), route("b", 2), route("c", 2))
    tiers = world(the_campaign=plan).tiers("cmp_1")
    assert [(t.priority, tuple(e[:2] for e in t.entries)) for t in tiers] == [
        (-1, (("a", 3),)),
        (2, (("b", 1), ("c", 1))),
    ]


def test_a_trunk_edit_changes_what_its_addresses_say() -> None:
    after = world().with_changes([trunk(addresses=("198.51.100.1",))])
    assert after.trunk_index.by_address("198.51.100.1") is not None
    assert after.trunk_index.by_address("192.0.2.1") is None


def test_a_table_is_not_touched_by_those_made_from_it() -> None:
    first = Table.of({f"k{n}": n for n in range(2000)})
    second = first.changed({"k7": 70, "new": 1, "k8": None, "never there": None})
    assert (second.get("k7"), second.get("new"), second.get("k8")) == (70, 1, None)
    assert (first.get("k7"), first.get("new"), first.get("k8")) == (7, None, 8)
    assert [second.get(f"k{n}") for n in range(9, 2000)] == list(range(9, 2000))
    assert first.changed({}) is first
    assert len(second.values()) == len(first.values()) == 2000


IDS = st.sampled_from([f"num_{n}" for n in range(6)])
DIGITS = st.sampled_from([f"+1800555010{n}" for n in range(6)])


class EditsAgreeWithRebuilding(RuleBasedStateMachine):
    """Any row of edits gives what a build from scratch gives."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Number] = {}
        self.snapshot = Snapshot.build()

    @rule(number_id=IDS, digits=DIGITS)
    def put(self, number_id: str, digits: str) -> None:
        if any(n.e164 == digits and n.id != number_id for n in self.rows.values()):
            return
        self.rows[number_id] = number(id=number_id, e164=digits)
        self.snapshot = self.snapshot.with_changes([self.rows[number_id]])

    @rule(number_id=IDS)
    def remove(self, number_id: str) -> None:
        self.rows.pop(number_id, None)
        self.snapshot = self.snapshot.with_changes(removed=[number_id])

    @invariant()
    def same(self) -> None:
        rebuilt = Snapshot.build(numbers=self.rows.values())
        for n in range(6):
            digits, number_id = f"+1800555010{n}", f"num_{n}"
            assert self.snapshot.number(digits) is rebuilt.number(digits)
            assert self.snapshot.number_by_id(number_id) is rebuilt.number_by_id(number_id)


TestEdits = EditsAgreeWithRebuilding.TestCase
TestEdits.settings = settings(max_examples=40, stateful_step_count=25)
