"""Placeholders in what targets are sent."""

from edge.calls.placeholders import fill, fill_address
from edge.sip.uri import parse_uri


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
