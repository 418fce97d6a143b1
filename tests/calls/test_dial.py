"""One target, dialled: its addresses and trunks in turn, within its ring time."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.calls.dial import Dial
from edge.calls.dialplan import Line
from edge.calls.outcome import Result
from edge.model.config import Target
from edge.sip.events import Destination
from tests.calls.test_record import record
from tests.routing.world import target, trunk, world
from tests.support.virtual_time import VirtualClock

SILENT = Result(0, "unreachable", "could not be reached", next_address=True)


class Silent:
    """Invites nobody: each address is silent for so many seconds."""

    def __init__(self, clock: VirtualClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.asked: list[str] = []

    async def invite(self, line: Line, destination: Destination, until: float) -> tuple[None, Result]:
        self.asked.append(destination.host)
        self._clock.advance(self._seconds)
        return None, SILENT


def dialling(to: Target, seconds: float) -> tuple[Dial, Silent]:
    """The dial of a target each of whose ways has two addresses."""
    clock = VirtualClock()

    async def resolve(via: str) -> list[Destination]:
        host = via.partition("sip:")[2].partition("@")[2] or via.partition("sip:")[2]
        return [Destination("udp", f"{host}-{number}", 5060) for number in (1, 2)]

    services = SimpleNamespace(
        clock=clock, down=(), dialler=SimpleNamespace(resolve=resolve, avoid=lambda *_: None)
    )
    ways = [trunk(id=f"trk_{n}", name=f"trk_{n}", proxy=f"sip:way{n}.example") for n in (1, 2)]
    call = SimpleNamespace(
        services=services, snapshot=world(targets=[to], trunks=ways), trunk=ways[0], record=record(),
        reception=None,
    )  # fmt: skip
    dial = Dial(cast(Any, call), to, {}, "")
    silent = Silent(clock, seconds)
    dial._ringing = cast(Any, silent)
    return dial, silent


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        (5.0, ["way1.example-1", "way1.example-2", "way2.example-1", "way2.example-2"]),
        (7.0, ["way1.example-1", "way1.example-2", "way2.example-1"]),
        (10.0, ["way1.example-1", "way1.example-2"]),
        (20.0, ["way1.example-1"]),
    ],
)
async def test_who_has_no_time_left_to_ring_is_not_dialled(seconds: float, asked: list[str]) -> None:
    to = target(address="+13125550199", trunk_ids=("trk_1", "trk_2"), ring_timeout_s=20)
    dial, silent = dialling(to, seconds)
    leg, result = await dial.run()
    assert (leg, silent.asked, result) == (None, asked, SILENT)
