"""A take-over or a join that can not be leaves a caller who was put on hold as it was."""

from types import SimpleNamespace
from typing import Any

import pytest

from edge.calls.bridge import Bridge
from edge.calls.happenings import Happening, PartySettled
from edge.calls.inbox import Inbox
from edge.calls.joining import Found, Joining
from edge.calls.leg import Leg
from edge.calls.outcome import Result
from edge.calls.takeover import take_over
from edge.media.engine import MediaUnavailable, NoAddress
from edge.media.streams import direction_of
from edge.sip.events import Flow

ONLY_HEARS = b"""v=0\r
o=- 1 1 IN IP4 192.0.2.9\r
s=-\r
c=IN IP4 192.0.2.9\r
t=0 0\r
m=audio 4000 RTP/AVP 0\r
a=recvonly\r
"""
HOLDS = ONLY_HEARS.replace(b"recvonly", b"sendonly")


class Usage:
    """As much of a dialog usage, and of a media leg, as these take."""

    host, port, on_event, state, offer, call_id = "192.0.2.1", 20000, None, "trying", HOLDS, "new"
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))
    request = SimpleNamespace(headers={"From": "<sip:b@192.0.2.9>"})

    def __init__(self) -> None:
        self.rejected: list[int] = []

    def reject(self, status: int) -> None:
        self.rejected.append(status)


class NoPorts:
    def __init__(self) -> None:
        self.why = MediaUnavailable("no RTP port is left")

    def leg(self, peer: str, heard: str = "") -> Any:
        raise self.why


def leg(name: Any, sdp: bytes) -> Leg:
    made = Leg(name, Usage(), Inbox[Happening]())  # type: ignore[arg-type]
    assert made.hear(sdp)
    made.attach(Usage())  # type: ignore[arg-type]
    return made


@pytest.fixture
async def held() -> Any:
    """A call whose target has its caller on hold, and no port is left."""
    caller, target = leg("caller", ONLY_HEARS), leg("target", HOLDS)
    assert caller.offer_of(target.remote) and caller.held
    reception = SimpleNamespace(media=NoPorts(), inbox=caller.inbox, caller=caller)
    bridge = Bridge(caller, target)
    record = SimpleNamespace(attempts=[])
    return SimpleNamespace(reception=reception, record=record), bridge


def on_hold(bridge: Any) -> bool:
    return direction_of(bridge.caller.remote.audio) == "recvonly"


async def test_of_a_take_over(held: Any) -> None:
    call, bridge = held
    invite: Any = Usage()
    assert take_over(call, bridge, bridge.target, invite) is bridge
    assert invite.rejected == [503] and on_hold(bridge)


async def test_of_a_take_over_by_a_phone_in_whose_family_we_have_no_address(held: Any) -> None:
    call, bridge = held
    call.reception.media.why = NoAddress("no IPv6 address of ours")
    said: list[tuple[str, ...]] = []
    call.trace, call.record.step = SimpleNamespace(shown=str), lambda *step: said.append(step)
    invite: Any = Usage()
    assert take_over(call, bridge, bridge.target, invite) is bridge
    assert invite.rejected == [488] and on_hold(bridge)
    assert said == [("transfer", "refused", "<sip:b@192.0.2.9>: no IPv6 address of ours")]


async def test_of_a_join(held: Any) -> None:
    call, bridge = held
    party = leg("caller", ONLY_HEARS)
    other: Any = SimpleNamespace(reception=SimpleNamespace(inbox=party.inbox, caller=party), target=None)
    joining = Joining(call, bridge, Found(other, leg("target", HOLDS)))
    joining._party = party
    assert await joining.join(lambda _: None) == Result(503, "refused", "")
    assert on_hold(bridge)
    assert party.inbox.items[0] == PartySettled(joined=False)
