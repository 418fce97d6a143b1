"""Who is paused, and the activity windows of number and campaign (H9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.model.action import Action
from edge.model.decision import Announce, Proceed, Refuse
from edge.model.publishers import Publisher
from edge.routing.admit import admit
from tests.routing.world import STAMP, Taken, campaign, facts, number, office, world

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("where", ["number", "campaign"])
@pytest.mark.parametrize(
    ("window", "at", "open_"),
    [
        ({"active_until": NEW_YEAR}, NEW_YEAR - SECOND, True),
        ({"active_until": NEW_YEAR}, NEW_YEAR, False),
        ({"active_from": NEW_YEAR}, NEW_YEAR - SECOND, False),
        ({"active_from": NEW_YEAR}, NEW_YEAR, True),
    ],
)
def test_outside_the_window_the_after_hours_action_is_taken(
    where: str, window: dict[str, Any], at: datetime, open_: bool
) -> None:
    own, parents = (window, {}) if where == "number" else ({}, window)
    decided = admit(facts(at), world(number(**own), campaign(**parents)), Taken())
    if open_:
        assert isinstance(decided, Proceed)
        return
    assert isinstance(decided, Announce)
    assert (decided.disposition, decided.detail) == ("after_hours_message", "window_ended")


def test_the_window_takes_the_action_of_the_hours() -> None:
    hours = office(Action(action="reject"), active=False)
    decided = admit(facts(NEW_YEAR), world(number(hours=hours, active_until=NEW_YEAR)), Taken())
    assert isinstance(decided, Refuse)
    assert (decided.status, decided.disposition) == (480, "after_hours_reject")


@pytest.mark.parametrize(("state", "paused"), [("active", False), ("paused", True)])
def test_a_paused_publisher_acts_as_its_numbers_paused(state: Any, paused: bool) -> None:
    publisher = Publisher(id="pub_1", name="P", state=state, **STAMP)
    decided = admit(facts(), world(number(publisher_id="pub_1"), publishers=[publisher]), Taken())
    if not paused:
        assert isinstance(decided, Proceed)
        return
    assert isinstance(decided, Refuse)
    assert (decided.disposition, decided.detail) == ("rejected_paused", "publisher paused")
