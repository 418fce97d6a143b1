"""Menus that lead in a circle are refused (rule: Menus)."""

from edge.model.menu import Menu, MenuKey
from edge.services.loops import menu_loops
from tests.routing.world import campaign, world


def leading(campaign_id: str, *to: str) -> object:
    keys = {str(place): MenuKey(campaign_id=each) for place, each in enumerate(to)}
    menu = Menu.model_validate({"prompt_id": "prm_1", "keys": keys}) if to else None
    return campaign(id=campaign_id, routes={"menu": menu})


def errors(changed: object, *others: object) -> list[str]:
    snapshot = world(campaigns=[*others])
    return [error.path for error in menu_loops(changed, snapshot)]  # type: ignore[arg-type]


def test_a_menu_that_leads_to_itself() -> None:
    assert errors(leading("cmp_1", "cmp_1")) == ["routes.menu.keys.0.campaign_id"]


def test_a_circle_over_others_names_the_key_that_begins_it() -> None:
    others = [leading("cmp_2", "cmp_3"), leading("cmp_3", "cmp_1"), leading("cmp_4")]
    assert errors(leading("cmp_1", "cmp_4", "cmp_2"), *others) == ["routes.menu.keys.1.campaign_id"]


def test_two_ways_to_one_campaign_are_no_circle_nor_is_a_circle_of_others() -> None:
    others = [leading("cmp_2", "cmp_4"), leading("cmp_3", "cmp_4"), leading("cmp_4", "cmp_2")]
    assert errors(leading("cmp_1", "cmp_2", "cmp_3"), *others) == []
