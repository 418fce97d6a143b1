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
