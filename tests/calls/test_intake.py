"""An INVITE's facts, as its trunk's carrier writes them."""

import pytest

from edge.calls.intake import arrival
from edge.sip.message import Headers, Request
from tests.routing.world import trunk


@pytest.mark.parametrize(
    ("privacy", "private"),
    [(None, False), ("none", False), ("None", False), ("id", True), ("ID", True), ("session;critical", True)],
)
def test_who_wants_privacy(privacy: str | None, private: bool) -> None:
    lines = [("From", "<sip:+13125550111@h>;tag=1"), ("To", "<sip:+18005550100@us>")]
    lines += [("Privacy", privacy)] if privacy else []
    request = Request("INVITE", "sip:+18005550100@us", Headers(lines))
    assert arrival(request, trunk()).identity.private is private


@pytest.mark.parametrize(
    "lines",
    [
        [("Privacy", "none"), ("Privacy", "id")],
        [("Remote-Party-ID", "<sip:+13125550111@h>;party=calling;privacy=full")],
    ],
)
def test_whoever_asks_for_it_in_whatever_way_is_unknown_and_private(lines: list[tuple[str, str]]) -> None:
    lines = [("From", '"Anna" <sip:+13125550111@h>;tag=1'), ("To", "<sip:+18005550100@us>"), *lines]
    came = arrival(Request("INVITE", "sip:+18005550100@us", Headers(lines)), trunk())
    assert (came.caller, came.identity.private, came.identity.withheld) == (None, True, "+13125550111")
