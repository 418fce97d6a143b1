"""Four settings, each inherited or own: the model, and what decisions make of it."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.model.action import Action
from edge.model.config import Number, Routes
from edge.model.decision import Announce, Proceed
from edge.model.inherited import SETTINGS, Setting
from edge.model.outcomes import Conversion, Webhook
from edge.model.prompts import CampaignPrompts
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.exhaust import exhausted
from edge.routing.inheritance import effective, is_own, locked, routes_in, with_own
from tests.routing.world import (
    NOON,
    STAMP,
    Taken,
    campaign,
    draws,
    facts,
    number,
    prompt,
    route,
    target,
    world,
)

PLACES = st.integers(min_value=1, max_value=5)


def value_of(setting: Setting, place: int) -> Any:
    """A value of a setting that differs from those of the other places."""
    return {
        "routes": Routes(targets=(route(f"tgt_{place}"),), max_attempts=place),
        "prompts": CampaignPrompts(greeting_prompt_id=f"prm_{place}"),
        "conversions": (Conversion(type="connected", after_s=place),) * (place % 2),
        "webhooks": (Webhook(event="call.ended", url=f"https://hooks.example/{place}"),) * (place % 2),
    }[setting]


class Locks(RuleBasedStateMachine):
    """One number, two campaigns; the model is a dictionary of what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.campaigns = {name: campaign(id=name, **self.values(1)) for name in ("cmp_1", "cmp_2")}
        self.number: Number = number()
        self.own: dict[str, Any] = {}
        self.dormant: dict[str, Any] = {}

    @staticmethod
    def values(place: int) -> dict[str, Any]:
        return {name: value_of(name, place) for name in SETTINGS if name != "routes"}

    @property
    def parent(self) -> Any:
        return self.campaigns[str(self.number.campaign_id)]

    @rule(name=st.sampled_from(["cmp_1", "cmp_2"]), setting=st.sampled_from(SETTINGS), place=PLACES)
    def edit_a_campaign(self, name: str, setting: Setting, place: int) -> None:
        change = {setting: value_of(setting, place)}
        self.campaigns[name] = self.campaigns[name].model_copy(update=change)

    @rule(setting=st.sampled_from(SETTINGS), place=PLACES)
    def put(self, setting: Setting, place: int) -> None:
        self.number = with_own(self.number, setting, value_of(setting, place))
        self.own[setting] = value_of(setting, place)
        self.dormant.pop(setting, None)

    @rule(setting=st.sampled_from(SETTINGS))
    def unlock(self, setting: Setting) -> None:
        before = effective(self.number, self.parent, setting).value
        if not is_own(self.number, setting):
            self.number = with_own(self.number, setting, getattr(self.parent, setting))
            self.own[setting] = getattr(self.parent, setting)
            self.dormant.pop(setting, None)
        assert effective(self.number, self.parent, setting).value == before

    @rule(setting=st.sampled_from(SETTINGS))
    def lock(self, setting: Setting) -> None:
        self.number = locked(self.number, setting)
        if setting in self.own:
            self.dormant[setting] = self.own.pop(setting)

    @rule(name=st.sampled_from(["cmp_1", "cmp_2"]))
    def move(self, name: str) -> None:
        self.number = self.number.model_copy(update={"campaign_id": name})

    @invariant()
    def each_setting_holds_by_itself(self) -> None:
        for setting in SETTINGS:
            held = effective(self.number, self.parent, setting)
            assert held.inherited == (setting not in self.own)
            assert held.value == self.own.get(setting, getattr(self.parent, setting))
            assert held.dormant == self.dormant.get(setting)

    @invariant()
    def a_call_is_decided_by_what_holds(self) -> None:
        prompts = [prompt(f"prm_{place}") for place in range(1, 6)]
        targets = [target(f"tgt_{place}") for place in range(1, 6)]
        snapshot = world(self.number, self.parent, targets, prompts=prompts)
        decided = admit(facts(), snapshot, Taken())
        assert isinstance(decided, Proceed)
        routes = effective(self.number, self.parent, "routes").value
        held = effective(self.number, self.parent, "prompts").value
        assert decided.greeting_prompt_id == held.greeting_prompt_id
        assert routes_in(decided, snapshot) == routes
        choice = choose(decided, facts(), snapshot, Taken(), NOON, draws())
        assert [c.target_id for c in choice.candidates] == [entry.target_id for entry in routes.targets]


TestLocks = Locks.TestCase
TestLocks.settings = settings(max_examples=25, stateful_step_count=15)


def test_an_edit_of_the_campaign_changes_the_next_snapshot_s_calls_only() -> None:
    before = world(the_campaign=campaign(route("tgt_1")), targets=[target("tgt_1"), target("tgt_2")])
    after = before.with_changes([campaign(route("tgt_2"))])
    found = []
    for snapshot in (before, after):
        decided = admit(facts(), snapshot, Taken())
        assert isinstance(decided, Proceed)
        chosen = choose(decided, facts(), snapshot, Taken(), NOON, draws())
        found += [c.target_id for c in chosen.candidates]
    assert found == ["tgt_1", "tgt_2"]


@pytest.mark.parametrize("own", [True, False])
def test_overflow_is_that_of_the_routes_that_hold(own: bool) -> None:
    message = Action(action="message", prompt_id="prm_1")
    own_routes = Routes(targets=(route("tgt_9"),), overflow=message)
    called = with_own(number(**STAMP), "routes", own_routes) if own else number()
    snapshot = world(called, campaign(route("tgt_8")), prompts=[prompt("prm_1")])
    decided = admit(facts(), snapshot, Taken())
    assert isinstance(decided, Proceed)
    assert isinstance(exhausted(decided, snapshot, (), ()), Announce) is own
