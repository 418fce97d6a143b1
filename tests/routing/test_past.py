"""Caller lists, duplicates and where callers of before go (rules: Caller lists, Duplicates)."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from edge.model.callers import CallerPast, DuplicateRouting, Duplicates, PastCall
from edge.model.decision import Proceed
from edge.model.filter import Filter
from edge.routing.admit import admit
from edge.routing.choose import choose, tiers_of
from edge.routing.known import Known
from edge.routing.past import needed
from edge.routing.snapshot import Snapshot
from tests.routing.world import NOON, Taken, buyer, campaign, draws, facts, number, route, target, world


def past(*calls: Any, lists: tuple[str, ...] = (), readable: bool = True) -> CallerPast:
    return CallerPast(frozenset(lists), tuple(calls), readable)


def call(target_id: str | None = "a", days: float = 1, **fields: Any) -> PastCall:
    base = {"number_id": "num_1", "campaign_id": "cmp_1", "target_id": target_id, "buyer_id": None}
    return PastCall(**{**base, "at": NOON.astimezone(UTC) - timedelta(days=days), **fields})


def chosen(snapshot: Snapshot, known: CallerPast, **who: Any) -> tuple[list[str], dict[str, str]]:
    proceed = admit(facts(**who), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    made = choose(proceed, facts(**who), snapshot, Taken(), NOON, draws(0.0, 0.0, 0.0), past=known)
    return [c.target_id for c in made.candidates], {line.target_id: line.reason for line in made.lines}


def lone(**fields: Any) -> Snapshot:
    return world(None, campaign(route("a")), [target("a", **fields)])


@pytest.mark.parametrize(
    ("fields", "known", "reason"),
    [
        ({"suppression_list_ids": ("l1", "l2")}, past(lists=("l2",)), "caller_list"),
        ({"suppression_list_ids": ("l1",)}, past(lists=("l9",)), "not_reached"),
        ({"book_list_ids": ("l1", "l2")}, past(lists=("l2",)), "not_reached"),
        ({"book_list_ids": ("l1",)}, past(lists=("l9",)), "caller_list"),
        (
            {"book_list_ids": ("l1",), "suppression_list_ids": ("l2",)},
            past(lists=("l1", "l2")),
            "caller_list",
        ),
        ({"suppression_list_ids": ("l1",)}, past(readable=False), "caller_list"),
        ({"duplicates": Duplicates()}, past(readable=False), "not_reached"),
    ],
)
def test_lists_of_a_target(fields: Any, known: CallerPast, reason: str) -> None:
    assert chosen(lone(**fields), known)[1] == {"a": reason}


def test_a_withheld_caller_is_on_no_list() -> None:
    assert chosen(lone(suppression_list_ids=("l1",)), past(), caller=None)[0] == ["a"]
    assert chosen(lone(book_list_ids=("l1",)), past(), caller=None)[1] == {"a": "caller_list"}


@pytest.mark.parametrize(
    ("rule", "before", "again"),
    [
        (Duplicates(), call("a"), True),
        (Duplicates(), call("b", buyer_id="buy_1"), False),
        (Duplicates(scope="buyer"), call("b", buyer_id="buy_1"), True),
        (Duplicates(scope="buyer"), call("b", buyer_id="buy_2"), False),
        (Duplicates(), call(None), False),
        (Duplicates(days=30), call("a", days=29.999), True),
        (Duplicates(days=30), call("a", days=30), False),
        (Duplicates(after="converted"), call("a"), False),
        (Duplicates(after="converted"), call("a", converted=True), True),
    ],
)
def test_a_second_call_within_the_days(rule: Duplicates, before: PastCall, again: bool) -> None:
    targets = [target("a", duplicates=rule, buyer_id="buy_1")]
    snapshot = world(None, campaign(route("a")), targets, buyers=[buyer()])
    assert chosen(snapshot, past(before))[1] == {"a": "duplicate" if again else "not_reached"}


def three(handling: Any, **fields: Any) -> Snapshot:
    plan = campaign(
        route("a"), route("b"), route("c", priority=2),
        routes={"duplicates": DuplicateRouting(handling=handling, **fields)},
    )  # fmt: skip
    targets = [target("a"), target("b"), target("c", buyer_id="buy_1")]
    return world(None, plan, targets, buyers=[buyer()])


def test_to_the_original_buyer_first_then_the_usual_way() -> None:
    theirs = call("z", buyer_id="buy_1")
    assert chosen(three("to_original"), past(theirs))[0] == ["c", "a", "b"]
    assert chosen(three("normal"), past(theirs))[0] == ["a", "b", "c"]
    assert chosen(three("to_original"), past())[0] == ["a", "b", "c"]


def test_away_from_the_original_buyer() -> None:
    order, reasons = chosen(three("away_from_original"), past(call("b")))
    assert (order, reasons["b"]) == (["a", "c"], "duplicate")
    assert chosen(three("away_from_original"), past(call("z", buyer_id="buy_1")))[0] == ["a", "b"]


@pytest.mark.parametrize("other", [{"campaign_id": "cmp_2"}, {"target_id": None}, {"days": 31}])
def test_a_call_of_another_campaign_or_to_nobody_or_too_long_ago_decides_nothing(other: Any) -> None:
    assert chosen(three("away_from_original"), past(call(**{"target_id": "b", **other})))[0] == [
        "a",
        "b",
        "c",
    ]


def test_the_newest_call_decides() -> None:
    assert chosen(three("to_original"), past(call("b"), call("a", days=2)))[0][0] == "b"


def test_whether_the_caller_called_this_number_before_is_a_fact() -> None:
    again = lone(filters=(Filter(key="is_repeat", op="==", value=True),))
    assert chosen(again, past(call(None)))[0] == ["a"]
    assert chosen(again, past(call("a", number_id="num_2")))[0] == []


def test_of_a_pool_the_number_that_was_dialled_is_called_again() -> None:
    pooled = number(id="num_p", e164="+18005550777", campaign_id=None, pool_id="pool_1", country="GB")
    snapshot = lone().with_changes([pooled])

    def known(before: str) -> Known:
        return Known(facts(called=pooled.e164), snapshot, "num_1", past(call("a", number_id=before)))

    assert known("num_p").repeats and not known("num_1").repeats
    assert [known("num_p")[name] for name in ("number_id", "number_country")] == ["num_p", "GB"]
    assert known("num_p")["campaign_id"] == "cmp_1"


def test_the_past_is_asked_for_only_where_it_matters() -> None:
    def asked(snapshot: Snapshot) -> bool:
        proceed = admit(facts(), snapshot, Taken())
        assert isinstance(proceed, Proceed)
        return needed(proceed, tiers_of(proceed, snapshot), snapshot)

    plain = lone()
    assert not plain.askers
    listed = target("b", suppression_list_ids=("l1",))
    elsewhere = plain.with_changes([listed])
    assert elsewhere.askers == {"b"} and not asked(elsewhere)
    assert asked(plain.with_changes([target("a", duplicates=Duplicates())]))
    assert asked(plain.with_changes([target("a", headers={"X-Again": "[tag:again|is_repeat]"})]))
    assert asked(plain.with_changes([target("a", address="sip:[is_repeat]@pbx.example")]))
    assert asked(three("to_original"))
    assert not elsewhere.with_changes([target("b")]).askers
    assert not elsewhere.with_changes((), ["b"]).askers
