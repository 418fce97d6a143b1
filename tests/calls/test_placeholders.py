"""Placeholders in what targets are sent."""

from edge.calls.placeholders import fill


def test_known_names_are_filled_and_unknown_ones_vanish() -> None:
    values = {"call_id": "call_1", "tag:channel": "tv"}
    assert fill("id=[call_id];c=[tag:channel];x=[nothing]", values) == "id=call_1;c=tv;x="


def test_text_without_placeholders_stays() -> None:
    assert fill("[Not A Name] 100%", {}) == "[Not A Name] 100%"
    assert fill("plain", {}) == "plain"
