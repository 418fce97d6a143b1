"""No target took the call: its disposition, the caller's answer, and the last resorts."""

from datetime import UTC, datetime
from typing import Any

import pytest

from edge.model.action import Action
from edge.model.decision import Announce, Attempt, CandidateLine, Proceed, Refuse
from edge.routing.actions import Owner, forward
from edge.routing.admit import admit
from edge.routing.exhaust import disposition_of, exhausted, failsafe
from tests.routing.world import Taken, campaign, facts, number, prompt, route, world

AT = datetime(2026, 11, 20, tzinfo=UTC)
MESSAGE = Action(action="message", prompt_id="prm_1")
FORWARD = Action(action="forward", target_id="tgt_9")


def tried(outcome: Any, status: int = 0, target_id: str = "a") -> Attempt:
    return Attempt(target_id, AT, AT, status, outcome, "")


def passed(reason: Any, target_id: str = "b") -> CandidateLine:
    return CandidateLine(target_id, 1, 0.0, "skipped", reason)


@pytest.mark.parametrize(
    ("lines", "attempts", "disposition"),
    [
        ([], [tried("busy", 486), tried("busy", 600)], "busy"),
        ([passed("closed")], [tried("busy", 486)], "busy"),
        ([], [tried("busy", 486), tried("no_answer")], "no_answer"),
        ([], [tried("refused", 403), tried("unreachable", 503)], "target_failed"),
        ([], [tried("refused", 488), tried("refused", 606)], "rejected_no_codec"),
        ([], [tried("refused", 488), tried("refused", 403)], "target_failed"),
        ([passed("closed"), passed("closed", "c")], [], "no_target_all_closed"),
        ([passed("capped"), passed("cap_taken", "c")], [], "no_target_all_capped"),
        ([passed("capped"), passed("not_reached", "a")], [tried("cap_taken")], "no_target_all_capped"),
        ([passed("tag_mismatch"), passed("caller_list", "c")], [], "no_target_all_filtered"),
        ([passed("duplicate")], [], "no_target_duplicates"),
        ([], [], "no_target_none_configured"),
        ([passed("paused")], [], "no_target_none_configured"),
        ([passed("closed"), passed("capped", "c")], [], "no_target_mixed"),
        ([passed("down")], [], "no_target_mixed"),
    ],
)
def test_one_disposition_for_each_way_to_end(lines: Any, attempts: Any, disposition: str) -> None:
    assert disposition_of(lines, attempts) == disposition


def test_the_refusal_brings_the_reason_of_the_target_that_refused_last() -> None:
    snapshot = world(the_campaign=campaign(route("a")))
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    busy = tried("busy", 486)._replace(sip_reason="Q.850;cause=17")
    for attempts, reason in (
        ([tried("busy", 486), busy], "Q.850;cause=17"),
        ([busy, tried("no_answer")], None),
    ):
        ended = exhausted(proceed, snapshot, [], attempts)
        assert isinstance(ended, Refuse)
        assert ended.reason_header == reason


@pytest.mark.parametrize(
    ("attempts", "status"),
    [([tried("busy", 486)], 486), ([tried("refused", 488)], 488), ([tried("no_answer")], 480), ([], 480)],
)
def test_without_a_last_resort_the_caller_is_refused(attempts: Any, status: int) -> None:
    snapshot = world(the_campaign=campaign(route("a")))
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    ended = exhausted(proceed, snapshot, [passed("closed")], attempts)
    assert isinstance(ended, Refuse)
    assert ended.status == status
    assert ended.steps[-1].step == "targets"


def test_the_detail_names_every_target_and_its_reason() -> None:
    snapshot = world()
    proceed = forward("x", None, Owner(number(), campaign(), None), ())
    ended = exhausted(proceed, snapshot, [passed("closed"), passed("not_reached", "a")], [tried("busy", 486)])
    assert isinstance(ended, Refuse)
    assert ended.detail == "a: busy 486, b: closed"


def _ended(plan: Any, attempts: Any, **more: Any) -> Any:
    snapshot = world(the_campaign=plan, prompts=[prompt("prm_1")], **more)
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    return exhausted(proceed, snapshot, [passed("closed")], attempts)


def test_overflow_comes_first_and_keeps_the_disposition() -> None:
    plan = campaign(routes={"overflow": MESSAGE}, failsafe=FORWARD)
    for attempts, disposition in (([], "no_target_all_closed"), ([tried("busy", 486)], "busy")):
        ended = _ended(plan, attempts)
        assert isinstance(ended, Announce)
        assert (ended.prompt_id, ended.disposition) == ("prm_1", disposition)
        assert "overflow: message" in ended.detail


def test_failsafe_stands_in_only_when_nothing_was_dialled() -> None:
    plan = campaign(failsafe=FORWARD)
    sent = _ended(plan, [])
    assert isinstance(sent, Proceed)
    assert (sent.forward_target_id, sent.base_disposition) == ("tgt_9", None)
    assert isinstance(_ended(plan, [tried("busy", 486)]), Refuse)
    assert isinstance(_ended(plan, [tried("cap_taken")]), Proceed)


def test_the_servers_failsafe_is_the_last() -> None:
    assert isinstance(_ended(campaign(), [], failsafe=MESSAGE), Announce)
    assert isinstance(_ended(campaign(failsafe=FORWARD), [], failsafe=MESSAGE), Proceed)


def test_a_forward_that_fails_too_ends_the_call() -> None:
    snapshot = world(the_campaign=campaign(routes={"overflow": FORWARD}))
    again = forward("tgt_9", None, Owner(number(), campaign(), None), ())
    assert isinstance(exhausted(again, snapshot, [], [tried("busy", 486)]), Refuse)


def test_routing_that_broke_goes_to_the_failsafe_or_says_so() -> None:
    proceed = forward("x", None, Owner(number(), campaign(), None), ())
    assert isinstance(failsafe(proceed, world(the_campaign=campaign(failsafe=FORWARD))), Proceed)
    ended = failsafe(proceed, world())
    assert isinstance(ended, Refuse)
    assert (ended.status, ended.disposition) == (500, "error_internal")
