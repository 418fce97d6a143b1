"""Forwards lead on to a number or a campaign; the call stays the dialled number's (rule: Actions)."""

from typing import Any

import pytest

from edge.model.action import Action
from edge.model.buyer import GroupMember
from edge.model.config import Number, Routes
from edge.model.decision import Announce, Proceed, Refuse
from edge.model.menu import Menu, MenuKey
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.exhaust import exhausted
from edge.routing.inheritance import with_own
from edge.routing.menu import picked
from edge.routing.snapshot import Snapshot
from tests.routing.world import (
    NIGHT,
    NOON,
    Taken,
    campaign,
    draws,
    facts,
    group,
    number,
    office,
    prompt,
    route,
    target,
    world,
)

TO_NUMBER = Action(action="forward", number_id="num_2")
TO_CAMPAIGN = Action(action="forward", campaign_id="cmp_2")


def two(action: Action, *, own: bool = False, there: Any = None, **second: Any) -> Snapshot:
    """A number that forwards after hours, and a second one, closed too, in a campaign of its own."""
    plan = campaign(
        route("tgt_2"),
        id="cmp_2",
        prompts={"greeting_prompt_id": "prm_hi"},
        hours=office(),
        routes=there,
        **second,
    )
    other: Number = number(id="num_2", e164="+13125550102", campaign_id="cmp_2", tags={"channel": "radio"})
    if own:
        other = with_own(other, "routes", Routes(targets=(route("tgt_own"),)))
    mine = number(hours=office(action), tags={"channel": "tv"})
    return world(
        numbers=[mine, other],
        campaigns=[campaign(route("tgt_1")), plan],
        targets=[target("tgt_1"), target("tgt_2"), target("tgt_own")],
        prompts=[prompt("prm_hi")],
    )


def dialled(proceed: object, snapshot: Snapshot) -> list[str]:
    assert isinstance(proceed, Proceed)
    return [c.target_id for c in choose(proceed, facts(), snapshot, Taken(), NOON, draws()).candidates]


@pytest.mark.parametrize(
    ("action", "own", "target_id"),
    [(TO_NUMBER, False, "tgt_2"), (TO_NUMBER, True, "tgt_own"), (TO_CAMPAIGN, True, "tgt_2")],
)
def test_it_goes_on_with_prompts_and_routes_there_whatever_the_hours(
    action: Action, own: bool, target_id: str
) -> None:
    snapshot = two(action, own=own)
    sent = admit(facts(NIGHT), snapshot, Taken())
    assert dialled(sent, snapshot) == [target_id]
    assert isinstance(sent, Proceed)
    assert (sent.greeting_prompt_id, sent.base_disposition) == ("prm_hi", "after_hours_forward")
    assert (sent.number_id, sent.tags) == ("num_1", {"channel": "tv"})
    assert (sent.steps[-1].step, sent.steps[-1].result) == ("forward", "on")


def test_a_paused_campaign_there_does_what_it_does_while_paused() -> None:
    ended = admit(facts(NIGHT), two(TO_NUMBER, state="paused"), Taken())
    assert isinstance(ended, Refuse)
    assert (ended.disposition, ended.detail) == ("rejected_paused", "the forward led to a paused campaign")


def test_when_nobody_answers_there_its_overflow_is_taken() -> None:
    snapshot = two(TO_CAMPAIGN, there={"overflow": Action(action="message")})
    sent = admit(facts(NIGHT), snapshot, Taken())
    assert isinstance(sent, Proceed)
    assert isinstance(exhausted(sent, snapshot, (), ()), Announce)


def test_a_number_that_was_forced_out_is_no_way_on() -> None:
    snapshot = two(TO_NUMBER).with_changes([number(id="num_2", e164="+13125550102", campaign_id=None)])
    ended = admit(facts(NIGHT), snapshot, Taken())
    assert isinstance(ended, Refuse)
    assert (ended.disposition, ended.status) == ("after_hours_reject", 480)
    assert ended.steps[-1].reason == "number num_2 is not in use"


def test_a_circle_over_the_server_s_own_failsafe_ends() -> None:
    there = campaign(id="cmp_2")
    snapshot = world(campaigns=[campaign(), there], failsafe=TO_CAMPAIGN)
    first = admit(facts(), snapshot, Taken())
    assert isinstance(first, Proceed)
    sent = exhausted(first, snapshot, (), ())
    assert isinstance(sent, Proceed)
    ended = exhausted(sent, snapshot, (), ())
    assert isinstance(ended, Refuse)
    assert "in a circle" in ended.steps[-1].reason


def test_what_the_call_reserved_stays_its_own() -> None:
    snapshot = two(TO_NUMBER)
    first = admit(facts(), snapshot, Taken())
    assert isinstance(first, Proceed)
    kept = first.__class__(**{**{f: getattr(first, f) for f in first.__slots__}, "claims": ("a claim",)})
    plan = campaign(route("tgt_1"), routes={"overflow": TO_CAMPAIGN})
    sent = exhausted(kept, snapshot.with_changes([plan]), (), ())
    assert isinstance(sent, Proceed)
    assert sent.claims == ("a claim",)


def test_a_key_leads_to_a_group_by_its_own_priorities() -> None:
    key = MenuKey(group_id="grp_1")
    members = (GroupMember(target_id="tgt_1", priority=2), GroupMember(target_id="tgt_2", priority=1))
    snapshot = world(
        the_campaign=campaign(routes={"menu": Menu(prompt_id="p", keys={"1": key})}),
        targets=[target("tgt_1"), target("tgt_2")],
        groups=[group(*members)],
    )
    asked = admit(facts(), snapshot, Taken())
    assert isinstance(asked, Proceed)
    found = picked(asked, snapshot, "1", key, NOON)
    assert dialled(found, snapshot) == ["tgt_2", "tgt_1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "forward"},
        {"action": "forward", "target_id": "t", "number_id": "n"},
        {"action": "message", "campaign_id": "c"},
    ],
)
def test_a_forward_names_one_place(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="has one of"):
        Action.model_validate(fields)
