"""Ways that lead a call in a circle are refused: forward → number → campaign → menu → … (rule: Actions)."""

from typing import Any

import pytest

from edge.model.action import Action
from edge.model.cap import Cap
from edge.model.config import Routes
from edge.model.menu import Menu, MenuKey
from edge.routing.inheritance import locked, with_own
from edge.services.loops import circles
from tests.routing.world import campaign, number, office, world


def leading(campaign_id: str, *to: str) -> Any:
    keys = {str(place): MenuKey(campaign_id=each) for place, each in enumerate(to)}
    menu = Menu.model_validate({"prompt_id": "prm_1", "keys": keys}) if to else None
    return campaign(id=campaign_id, routes={"menu": menu})


def errors(changed: Any, *others: Any, numbers: Any = ()) -> list[str]:
    snapshot = world(campaigns=[*others], numbers=[*numbers])
    return [error.path for error in circles(changed, snapshot)]


def to(place_id: str) -> Action:
    return Action.model_validate(
        {"action": "forward", "number_id" if place_id.startswith("num") else "campaign_id": place_id}
    )


def test_a_menu_that_leads_to_itself() -> None:
    assert errors(leading("cmp_1", "cmp_1")) == ["routes.menu.keys.0.campaign_id"]


def test_a_circle_over_others_names_the_key_that_begins_it() -> None:
    others = [leading("cmp_2", "cmp_3"), leading("cmp_3", "cmp_1"), leading("cmp_4")]
    assert errors(leading("cmp_1", "cmp_4", "cmp_2"), *others) == ["routes.menu.keys.1.campaign_id"]


def test_two_ways_to_one_campaign_are_no_circle() -> None:
    others = [leading("cmp_2", "cmp_4"), leading("cmp_3", "cmp_4"), leading("cmp_4")]
    assert errors(leading("cmp_1", "cmp_2", "cmp_3"), *others) == []


MENU = {"prompt_id": "p", "keys": {"1": MenuKey(replay=True)}}
OCCASIONS: list[tuple[str, Any]] = [
    ("on_paused", lambda back: {"on_paused": back}),
    ("failsafe", lambda back: {"failsafe": back}),
    ("hours.after_hours", lambda back: {"hours": office(back)}),
    ("caps[0].on_cap", lambda back: {"caps": (Cap(id="c", window="lifetime", limit=1, on_cap=back),)}),
    ("routes.overflow", lambda back: {"routes": {"overflow": back}}),
    (
        "routes.menu.on_timeout",
        lambda back: {"routes": {"menu": Menu.model_validate({**MENU, "on_timeout": back})}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "fields"), OCCASIONS)
def test_every_action_of_a_campaign_counts(path: str, fields: Any) -> None:
    other = leading("cmp_2", "cmp_1")
    assert errors(campaign(**fields(to("cmp_2"))), other) == [f"{path}.campaign_id"]
    assert errors(campaign(**fields(to("cmp_1")))) == [f"{path}.campaign_id"]
    assert errors(campaign(**fields(to("cmp_2"))), leading("cmp_2")) == []


def test_forward_to_number_to_campaign_to_menu_and_back() -> None:
    far = number(id="num_9", e164="+13125550109", campaign_id="cmp_2")
    mine = number(hours=office(to("num_9")))
    around = [campaign(), leading("cmp_2", "cmp_3"), campaign(id="cmp_3", failsafe=to("num_1"))]
    assert errors(mine, *around, numbers=[far]) == ["hours.after_hours.number_id"]
    assert errors(mine, campaign(), leading("cmp_2", "cmp_3"), leading("cmp_3"), numbers=[far]) == []


def test_two_numbers_that_forward_to_each_other_after_hours() -> None:
    other = number(id="num_2", e164="+13125550102", hours=office(to("num_1")))
    assert errors(number(hours=office(to("num_2"))), campaign(), numbers=[other]) == [
        "hours.after_hours.number_id"
    ]
    assert errors(number(hours=office(to("num_1"))), campaign()) == ["hours.after_hours.number_id"]


def test_a_campaign_that_forwards_to_a_number_of_its_own_that_inherits() -> None:
    mine = number()
    edited = campaign(routes={"overflow": to("num_1")})
    assert errors(edited, campaign(), numbers=[mine]) == ["routes.overflow.number_id"]
    own = with_own(mine, "routes", Routes())
    assert errors(edited, campaign(), numbers=[own]) == []
    assert errors(edited, campaign(), numbers=[locked(own, "routes")]) == ["routes.overflow.number_id"]


def test_what_a_number_would_inherit_closes_a_circle_as_well() -> None:
    there = campaign(id="cmp_2", routes={"overflow": to("num_1")})
    assert errors(number(campaign_id="cmp_2"), there) == ["routes.overflow.number_id"]
    assert errors(number(campaign_id="cmp_2", hours=office(to("cmp_2"))), campaign(id="cmp_2")) == []
