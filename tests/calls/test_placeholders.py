"""Placeholders in what targets are sent."""

import pytest

from edge.calls.placeholders import Values, fill, fill_address
from edge.routing.known import Known
from edge.sip.uri import parse_uri
from tests.routing.world import buyer, facts, number, target, world


def test_known_names_are_filled_and_unknown_ones_vanish() -> None:
    values = {"call_id": "call_1", "tag:channel": "tv"}
    assert fill("id=[call_id];c=[tag:channel];x=[nothing]", values) == "id=call_1;c=tv;x="


def test_text_without_placeholders_stays() -> None:
    assert fill("[Not A Name] 100%", {}) == "[Not A Name] 100%"
    assert fill("plain", {}) == "plain"


def test_a_value_in_an_address_never_becomes_a_host_or_a_parameter() -> None:
    dialled = {"number": "1@192.0.2.66:5060;maddr=192.0.2.66?x=<y> z"}
    filled = fill_address("sip:[number]@pbx.example", dialled)
    assert filled.endswith("@pbx.example")
    assert parse_uri(filled).host == "pbx.example"
    assert (
        fill_address("sip:[number]@pbx.example", {"number": "+18005550100"}) == "sip:+18005550100@pbx.example"
    )
    assert fill_address("sip:x@[tag:pbx]", {"tag:pbx": "10.0.0.5:5080"}) == "sip:x@10.0.0.5:5080"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("[tag:none|call_id]", "call_1"),
        ("[none|'web']", "web"),
        ("[call_id|'web']", "call_1"),
        ("[none|tag:none]", ""),
        ("[none|'']x", "x"),
        ("[[call_id] [call_id]", "[call_id] call_1"),
        ("[call_id|]", "[call_id|]"),
        ("[a|'it[s']", "[a|'it[s']"),
    ],
)
def test_the_first_that_is_not_empty_a_default_and_a_literal_bracket(text: str, made: str) -> None:
    assert fill(text, {"call_id": "call_1", "tag:empty": ""}) == made


def test_a_default_in_an_address_is_escaped_like_a_value() -> None:
    assert fill_address("sip:[tag:ext|'100 1']@pbx.example", {}) == "sip:100%201@pbx.example"


def test_what_a_call_knows_when_a_target_is_dialled() -> None:
    snapshot = world(number(tags={"channel": ("tv", "web")}), buyers=[buyer()])
    known = Known(facts(), snapshot, "num_1")
    values = Values(known, number(tags={"channel": ("tv", "web")}).tags, "key", snapshot)
    toward = values.toward(target(buyer_id="buy_1"))
    text = (
        "[caller_area_code] [campaign_name] [tag:channel] [call_key] [target_name] [buyer_name] [is_repeat]"
    )
    assert fill(text, toward) == "312 campaign tv,web key tgt_1 buyer false"
    assert fill("[target_name|'nobody']", values) == "nobody"


def test_the_sub_id_is_the_tag_whoever_wrote_it() -> None:
    snapshot = world()
    values = Values(Known(facts(), snapshot, "num_1"), {"sub_id": "b7"}, "key", snapshot)
    assert fill("[sub_id] [is_pool]", values) == "b7 false"
