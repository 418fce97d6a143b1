"""The call record: everything by the API's names, the last word on how it ended."""

from datetime import UTC, datetime, timedelta

from edge.calls.record import MOST_STEPS, CallRecord
from edge.calls.trace import Trace
from edge.media.engine import LegCounters
from edge.model.decision import Attempt, CallFacts, CandidateLine, Proceed
from edge.model.tags import TagWrite
from tests.routing.world import number as made

ARRIVED = datetime(2026, 11, 22, 9, 59, 58, 500_000, tzinfo=UTC)


def record() -> CallRecord:
    return CallRecord(CallFacts("call_1", "trk_1", "+12125550100", "+18005550100", ARRIVED), 7)


def test_a_connected_call_says_when_and_to_whom() -> None:
    told = record()
    told.number_id, told.campaign_id = "num_1", "cmp_1"
    told.answered_at = told.connected_at = ARRIVED + timedelta(seconds=2)
    told.connected_target_id = "tgt_1"
    told.tags = told.own_tags = {"channel": "tv", "product": ("a", "b")}
    told.end("connected", "", "caller")
    finished = told.finished(
        ARRIVED + timedelta(seconds=62), {"caller": LegCounters(packets_in=3)}, Trace(0.0)
    )
    assert finished["started_at"] == "2026-11-22T09:59:58.500Z"
    assert finished["ended_at"] == "2026-11-22T10:01:00.500Z"
    assert (finished["disposition"], finished["hung_up_by"], finished["target_id"]) == (
        "connected",
        "caller",
        "tgt_1",
    )
    assert finished["tags"]["product"] == {"value": ["a", "b"], "origin": "number"}
    assert finished["media"]["caller"]["packets_in"] == 3
    assert finished["config_version"] == 7


def test_what_a_dial_came_to_replaces_what_the_choice_expected() -> None:
    told = record()
    told.log.candidates += [
        CandidateLine("tgt_1", 1, 0.5, "eligible", "not_reached"),
        CandidateLine("tgt_2", 1, 0.5, "eligible", "not_reached"),
        CandidateLine("tgt_3", 2, 0.0, "skipped", "closed"),
    ]
    told.attempts.append(Attempt("tgt_1", ARRIVED, ARRIVED, 486, "busy", "Busy Here"))
    candidates = told.finished(ARRIVED, {}, Trace(0.0))["decision"]["candidates"]
    assert [(c["target_id"], c["result"], c["reason"]) for c in candidates] == [
        ("tgt_1", "tried", "busy"),
        ("tgt_2", "eligible", "not_reached"),
        ("tgt_3", "skipped", "closed"),
    ]


def test_a_story_that_broke_without_a_word_is_an_internal_error() -> None:
    assert record().finished(ARRIVED, {}, Trace(0.0))["disposition"] == "error_internal"


def test_a_log_that_grows_for_hours_has_an_end() -> None:
    told = record()
    for number in range(MOST_STEPS + 100):
        told.step("menu", f"key {number}", "not in the menu")
    steps = told.finished(ARRIVED, {}, Trace(0.0))["decision"]["steps"]
    assert len(steps) == MOST_STEPS + 1
    assert (steps[-2]["result"], steps[-1]["step"]) == (f"key {MOST_STEPS - 1}", "log")


def test_the_sub_id_is_the_one_that_holds_in_the_end() -> None:
    """It is the tag of that name, which a later origin may write again."""
    told = record()
    told.writes = (TagWrite("sub_id", "url", "url", ARRIVED),)
    told.attribute(made(), None)
    assert told.sub_id == "url"
    pressed = (*told.writes, TagWrite("sub_id", "menu", "menu", ARRIVED))
    told.tag(Proceed("num_1", "cmp_1", (), None, None, None, {"sub_id": "menu"}, (), writes=pressed))
    assert told.sub_id == "menu"
