"""Tags: which of several writes holds, and how the others are told (rule: Tags)."""

from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.model.decision import Proceed
from edge.model.filter import Filter
from edge.model.menu import Menu, MenuKey
from edge.model.tags import TagOrigin, TagWrite, key_of, protected
from edge.routing.admit import admit
from edge.routing.choose import choose
from edge.routing.menu import picked
from edge.routing.tags import held, told
from tests.routing.world import NOON, Taken, campaign, draws, facts, number, route, target, world

ORIGINS = get_args(TagOrigin)[1:]


def write(origin: Any, value: str, key: str = "channel", minutes: int = 0, **more: Any) -> TagWrite:
    return TagWrite(key, value, origin, NOON + timedelta(minutes=minutes), **more)


def test_the_order_of_the_origins() -> None:
    assert ORIGINS == ("url", "page", "publisher", "menu", "webhook", "postback")


@given(st.permutations(range(len(ORIGINS))))
def test_a_later_origin_wins_in_whatever_order_the_writes_came(order: list[int]) -> None:
    writes = [write(ORIGINS[place], ORIGINS[place]) for place in order]
    assert held({}, writes) == {"channel": "postback"}
    assert held({}, [w for w in writes if w.origin != "postback"]) == {"channel": "webhook"}


def test_within_an_origin_the_later_write_wins() -> None:
    assert held({}, [write("page", "a"), write("page", "b", minutes=1)]) == {"channel": "b"}


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_key_set_on_the_number_is_never_overridden_and_the_loser_is_kept(origin: Any) -> None:
    lost = write(origin, "radio")
    assert held({"channel": "tv"}, [lost]) == {"channel": "tv"}
    [shadowed] = told({"channel": "tv"}, [lost])["channel"]["shadowed"]
    assert (shadowed["value"], shadowed["origin"]) == ("radio", origin)


def test_what_comes_late_is_for_reports_only() -> None:
    late = write("postback", "sold", key="result", late=True)
    assert held({}, [late]) == {}
    assert held({}, [late], late=True) == {"result": "sold"}
    assert told({}, [late])["result"]["late"] is True


def test_a_record_tells_who_wrote_what_when() -> None:
    made = told({"a": ("x", "y")}, [write("url", "1"), write("menu", "2", minutes=1)])
    assert made["a"] == {"value": ["x", "y"], "origin": "number"}
    assert (made["channel"]["value"], made["channel"]["origin"]) == ("2", "menu")
    assert [(w["value"], w["at"]) for w in made["channel"]["shadowed"]] == [("1", "2026-11-20T17:00:00.000Z")]


@pytest.mark.parametrize(("text", "key"), [("UTM Id", "utm_id"), ("a-b.c", "a_b_c"), ("é" * 70, "_" * 64)])
def test_a_parameter_s_name_becomes_a_key(text: str, key: str) -> None:
    assert key_of(text) == key


def test_some_keys_are_ours() -> None:
    assert all(protected(key) for key in ("system_x", "call_id", "caller_number"))
    assert not protected("called")


def test_a_menu_key_s_tags_steer_the_routing_but_never_against_the_number() -> None:
    key = MenuKey(campaign_id="cmp_2", tags={"language": "es", "channel": "radio"})
    first = campaign(routes={"menu": Menu(prompt_id="p", keys={"1": key})})
    second = campaign(route("tgt_es"), route("tgt_radio"), id="cmp_2")
    spanish = (Filter(key="language", op="==", value="es"),)
    radio = (Filter(key="channel", op="==", value="radio"),)
    snapshot = world(
        number(tags={"channel": "tv"}),
        campaigns=[first, second],
        targets=[target("tgt_es", filters=spanish), target("tgt_radio", filters=radio)],
    )
    asked = admit(facts(), snapshot, Taken())
    assert isinstance(asked, Proceed)
    found = picked(asked, snapshot, "1", key, NOON)
    assert isinstance(found, Proceed)
    chosen = choose(found, facts(), snapshot, Taken(), NOON, draws())
    assert {line.target_id: line.reason for line in chosen.lines} == {
        "tgt_es": "not_reached",
        "tgt_radio": "tag_mismatch",
    }
    assert told(number(tags={"channel": "tv"}).tags, found.writes)["language"]["origin"] == "menu"
