"""The simulator tells what the decision's own functions say."""

import random
from typing import Any

import pytest

from edge.model.action import Action
from edge.model.cap import Cap
from edge.model.decision import Announce, CallFacts, Proceed, Refuse
from edge.model.filter import Filter
from edge.model.menu import Menu, MenuKey
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.simulate import Forecast, Question, forecast
from edge.routing.snapshot import Snapshot
from tests.routing.world import (
    NIGHT,
    NOON,
    Taken,
    campaign,
    facts,
    number,
    office,
    prompt,
    route,
    target,
    world,
)

TWO = [target("a"), target("b")]


def told(
    snapshot: Snapshot, counts: Taken | None = None, call: CallFacts | None = None, **more: Any
) -> Forecast:
    call = call or facts()
    question = Question(call, more.get("tags", {}), more.get("keys", ()), more.get("answers", {}))
    return forecast(question, snapshot, counts or Taken(), call.arrived_at, random.Random(1).random)


def test_it_is_what_a_call_would_get() -> None:
    snapshot = world(None, campaign(route("a", weight=3), route("b")), TWO)
    found = told(snapshot)
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    choice = choose(proceed, facts(), snapshot, Taken(), NOON, random.Random(1).random)
    assert (found.lines, found.candidates) == (choice.lines, choice.candidates)
    assert found.steps == proceed.steps
    assert {line.target_id: line.odds for line in found.lines} == {"a": 0.75, "b": 0.25}


def test_it_names_the_slots_that_would_be_taken_at_arrival() -> None:
    cap = Cap(id="cap_n", window="concurrency", limit=1)
    found = told(world(number(caps=(cap,)), campaign(route("a")), TWO))
    assert [claim.cap_id for claim in found.claims] == ["cap_n"]
    full = told(world(number(caps=(cap,)), campaign(route("a")), TWO), Taken(cap_n=1))
    assert isinstance(full.admission, Announce)
    assert full.admission.disposition == "number_cap"


def test_it_looks_at_any_instant() -> None:
    snapshot = world(
        number(hours=office(Action(action="message", prompt_id="prm_1"))), prompts=[prompt("prm_1")]
    )
    found = told(snapshot, call=facts(NIGHT))
    assert isinstance(found.admission, Announce)
    assert (found.admission.disposition, found.prompts) == ("after_hours_message", ("prm_1",))


@pytest.mark.parametrize(("overflow", "result"), [(None, Refuse), (Action(action="message"), Announce)])
def test_without_a_candidate_it_tells_what_is_taken_instead(overflow: Action | None, result: type) -> None:
    plan = campaign(route("a"), routes={"overflow": overflow})
    found = told(world(None, plan, [target("a", state="paused")]))
    assert isinstance(found.admission, result)
    assert [line.reason for line in found.lines] == ["paused"]


def test_an_overflow_that_forwards_is_followed_once() -> None:
    plan = campaign(route("a"), routes={"overflow": Action(action="forward", target_id="b")})
    found = told(world(None, plan, [target("a", state="paused"), target("b")]))
    assert [candidate.target_id for candidate in found.candidates] == ["b"]
    both = told(world(None, plan, [target("a", state="paused"), target("b", state="paused")]))
    assert isinstance(both.admission, Refuse)


def test_tags_of_the_call_are_filtered_by_and_those_of_the_number_win() -> None:
    wants = (Filter(key="channel", op="==", value="tv"),)
    targets = [target("a", filters=wants)]
    assert told(world(None, campaign(route("a")), targets), tags={"channel": "tv"}).candidates
    own = world(number(tags={"channel": "radio"}), campaign(route("a")), targets)
    assert not told(own, tags={"channel": "tv"}).candidates
    stock = world(None, campaign(route("a")), targets)
    assert told(stock, answers={"channel": "tv"}).candidates
    assert told(stock, tags={"channel": "web"}, answers={"channel": "tv"}).candidates
    assert not told(own, answers={"channel": "tv"}).candidates


def test_keys_go_through_menus_and_no_key_is_no_answer() -> None:
    keys = {"1": MenuKey(target_id="b"), "9": MenuKey(replay=True)}
    menu = Menu(prompt_id="prm_1", keys=keys, on_timeout=Action(action="reject"))  # type: ignore[arg-type]
    plan = campaign(route("a"), routes={"menu": menu})
    snapshot = world(None, plan, TWO, prompts=[prompt("prm_1")])
    pressed = told(snapshot, keys=("9", "5", "1"))
    assert [candidate.target_id for candidate in pressed.candidates] == ["b"]
    assert pressed.prompts == ("prm_1",)
    assert isinstance(told(snapshot).admission, Refuse)
    assert isinstance(told(snapshot, keys=("5", "5", "5", "1")).admission, Refuse)
