"""What a key in a menu, or none, means (rule: Menus)."""

from dataclasses import replace

import pytest

from edge.model.action import Action
from edge.model.decision import Announce, Proceed, Refuse
from edge.model.menu import Menu, MenuKey
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.menu import picked, unanswered
from edge.routing.snapshot import Snapshot
from tests.routing.world import NOON, Taken, campaign, draws, facts, prompt, route, target, world

TO_SALES = MenuKey(target_id="tgt_sales")
TO_OTHER = MenuKey(campaign_id="cmp_2")
MENU = Menu(prompt_id="prm_menu", keys={"1": TO_SALES, "2": TO_OTHER, "9": MenuKey(replay=True)})


def asked(menu: Menu = MENU, **other: object) -> tuple[Snapshot, Proceed]:
    """A snapshot with two campaigns, and the admission of a call to the one with the menu."""
    second = campaign(route("tgt_2"), **{"id": "cmp_2", "prompts": {"greeting_prompt_id": "prm_hi"}, **other})
    first = campaign(route("tgt_1"), routes={"menu": menu})
    snapshot = world(
        the_campaign=first,
        campaigns=[first, second],
        targets=[target("tgt_1"), target("tgt_2"), target("tgt_sales")],
        prompts=[prompt("prm_menu"), prompt("prm_hi")],
    )
    proceed = admit(facts(), snapshot, Taken())
    assert isinstance(proceed, Proceed)
    assert proceed.menu == menu
    return snapshot, proceed


def dialled(proceed: object, snapshot: Snapshot) -> list[str]:
    assert isinstance(proceed, Proceed)
    chosen = choose(proceed, facts(), snapshot, Taken(), NOON, draws())
    return [candidate.target_id for candidate in chosen.candidates]


def test_a_key_chooses_its_one_target_and_keeps_what_is_reserved() -> None:
    snapshot, proceed = asked()
    found = picked(replace(proceed, base_disposition="connected"), snapshot, "1", TO_SALES, NOON)
    assert dialled(found, snapshot) == ["tgt_sales"]
    assert isinstance(found, Proceed)
    assert (found.menu, found.claims, found.steps[-1].result) == (None, proceed.claims, "key 1")


def test_a_key_leads_to_another_campaign_with_its_greeting_and_targets() -> None:
    snapshot, proceed = asked()
    found = picked(proceed, snapshot, "2", TO_OTHER, NOON)
    assert dialled(found, snapshot) == ["tgt_2"]
    assert isinstance(found, Proceed)
    assert (found.greeting_prompt_id, found.menu, found.number_id) == ("prm_hi", None, "num_1")


def test_a_paused_campaign_behind_a_key_does_what_it_does_while_paused() -> None:
    snapshot, proceed = asked(state="paused")
    found = picked(proceed, snapshot, "2", TO_OTHER, NOON)
    assert isinstance(found, Refuse)
    assert found.disposition == "rejected_paused"


def test_without_a_key_the_targets_of_the_route_are_dialled() -> None:
    snapshot, proceed = asked()
    assert dialled(unanswered(proceed, snapshot, MENU), snapshot) == ["tgt_1"]


def test_without_a_key_on_timeout_is_taken_where_it_is_set() -> None:
    menu = MENU.model_copy(update={"on_timeout": Action(action="message")})
    snapshot, proceed = asked(menu)
    found = unanswered(proceed, snapshot, menu)
    assert isinstance(found, Announce)
    assert (found.disposition, found.detail) == ("no_target_none_configured", "menu: no key: message")


@pytest.mark.parametrize("fields", [{}, {"replay": True, "target_id": "tgt_1"}, {"replay": False}])
def test_a_key_leads_one_way(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        MenuKey.model_validate(fields)
