"""Where calls come in."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.calls import intake
from edge.calls.switch import Switch
from edge.model.config import Trunk
from tests.routing.world import trunk, world
from tests.support.virtual_time import VirtualClock


@pytest.fixture(autouse=True)
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that is let in breaks at once, with 500."""

    def fails(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(intake, "arrival", fails)
    monkeypatch.setattr(intake, "called_text", lambda *_: "")


def switch(*trunks: Trunk, max_cps: float = 100.0) -> Switch:
    services = SimpleNamespace(
        clock=VirtualClock(),
        limits=SimpleNamespace(max_cps=max_cps, max_calls=10, retry_after_s=5),
        store=SimpleNamespace(healthy=True),
        media=SimpleNamespace(ready=True),
    )
    configuration = SimpleNamespace(current=world(trunks=[*trunks]))
    refused = SimpleNamespace(note=lambda _: None)
    return Switch(cast(Any, services), cast(Any, configuration), cast(Any, refused))


def answers(to: Switch, carrier: Trunk, calls: int) -> list[int]:
    """What so many calls of a trunk at once are told."""
    told: list[int] = []
    invite = SimpleNamespace(
        peer_id=carrier.id, request=None, flow=None, reject=lambda status, **_: told.append(status)
    )
    for _ in range(calls):
        to.take(cast(Any, invite))
    return told


def test_an_invite_that_breaks_at_its_arrival_is_refused_and_takes_no_line_of_its_trunk() -> None:
    """Else each such call would be one less that the trunk may have, until the server starts again."""
    carrier = trunk(max_calls=1)
    calls = switch(carrier)
    assert answers(calls, carrier, 2) == [500, 500]
    assert len(calls) == 0


def test_what_a_full_trunk_sends_takes_nothing_from_the_calls_of_others() -> None:
    full, other = trunk(max_calls=0), trunk(id="trk_2", addresses=("198.51.100.0/24",))
    calls = switch(full, other, max_cps=10.0)
    assert answers(calls, full, 50) == [503] * 50
    assert answers(calls, other, 11) == [500] * 10 + [503]
