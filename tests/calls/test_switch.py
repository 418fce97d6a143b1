"""Where calls come in."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.calls import intake
from edge.calls.switch import Switch
from tests.routing.world import trunk, world
from tests.support.virtual_time import VirtualClock


def test_an_invite_that_breaks_at_its_arrival_is_refused_and_takes_no_line_of_its_trunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else each such call would be one less that the trunk may have, until the server starts again."""

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(intake, "arrival", broken)
    carrier = trunk(max_calls=1)
    limits = SimpleNamespace(max_cps=100.0, max_calls=10, retry_after_s=5)
    services = SimpleNamespace(
        clock=VirtualClock(),
        limits=limits,
        store=SimpleNamespace(healthy=True),
        media=SimpleNamespace(ready=True),
    )
    answers: list[int] = []
    invite = SimpleNamespace(
        peer_id=carrier.id, request=None, flow=None, reject=lambda status, **_: answers.append(status)
    )
    configuration = SimpleNamespace(current=world(trunks=[carrier]))
    switch = Switch(cast(Any, services), cast(Any, configuration), cast(Any, None))
    for _ in range(2):
        switch.take(cast(Any, invite))
    assert answers == [500, 500]
    assert len(switch) == 0
