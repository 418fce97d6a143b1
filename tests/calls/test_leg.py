"""A leg's ties: what a call leaves behind needs no collection; and the family in which a peer is told."""

import gc
import weakref
from typing import Any

import pytest

from edge.calls.happenings import Happening
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg, description
from edge.media.engine import NoAddress, Plan
from edge.sip.events import Flow
from tests.support.raw_phone import sdp


class _Usage:
    """As much of a dialog usage, and of a media leg, as a leg needs to be tied to."""

    host, port, on_event = "192.0.2.1", 20000, None


class _Watched(Leg):
    """A leg that tells when it is gone."""


async def test_a_leg_that_is_detached_is_in_no_reference_cycle() -> None:
    gc.disable()
    try:
        leg = _Watched("caller", _Usage(), Inbox[Happening]())  # type: ignore[arg-type]
        invite = _Usage()
        leg.attach(invite)  # type: ignore[arg-type]
        media = leg.media
        leg.detach()
        leg.media.on_event = None  # as the media engine does when the leg is closed
        gone = [weakref.ref(thing) for thing in (leg, media, invite)]
        del leg, media, invite
        assert [ref() for ref in gone] == [None, None, None]
    finally:
        gc.enable()


class _BothFamilies(_Usage):
    """A media leg of a machine with both: toward some it has no IPv6 address."""

    def host_for(self, heard: str) -> str:
        if heard.startswith("2001:db8:dead:"):
            raise NoAddress("no IPv6 address of ours")
        return "2001:db8::1" if ":" in heard else self.host


def offer_from(host: str) -> bytes:
    return sdp(host, 4000).encode()


@pytest.fixture
async def leg() -> Leg:
    """Of a peer whose SIP comes by IPv4."""
    return Leg("caller", _BothFamilies(), Inbox[Happening]())  # type: ignore[arg-type]


def hosts_in(said: bytes | None) -> set[str]:
    assert said is not None
    lines = [line for line in said.decode().splitlines() if line[:2] in ("c=", "o=")]
    return {line.partition(" IN ")[2] or line.partition("IN ")[2] for line in lines[1:]}


async def test_a_peer_is_told_an_address_of_the_family_in_which_it_receives(leg: Leg) -> None:
    assert hosts_in(leg.offer_ours()) == {"IP4 192.0.2.1"}
    for peer, told in (("192.0.2.9", "IP4 192.0.2.1"), ("2001:db8::9", "IP6 2001:db8::1")):
        leg.remote = leg.offered(offer_from(peer))
        assert hosts_in(leg.answer_locally()) == {told}
        leg.remote = leg.offered(offer_from("0.0.0.0"))  # on hold, it stays where it was
        assert hosts_in(leg.answer_locally()) == {told}


async def test_an_offer_of_a_family_that_we_have_not_is_not_usable(leg: Leg) -> None:
    assert leg.offered(offer_from("2001:db8:dead::9")) is None
    assert leg.offered(b"") is None and leg.offered(b"v=1") is None


async def test_an_answer_is_of_the_offer_s_family(leg: Leg) -> None:
    leg.offer_ours()
    wrong = offer_from("2001:db8::9")
    assert not leg.hear(wrong) and leg.remote is None
    assert leg.unusable(wrong) == "wants audio at 2001:db8::9, and was offered it at 192.0.2.1"
    assert leg.unusable(b"") == "had no usable answer"
    assert leg.hear(offer_from("192.0.2.9"))
    leg.remote = description(wrong)
    leg.answer_locally()
    assert leg.hear(wrong) and not leg.hear(offer_from("192.0.2.9"))


class _Told(_BothFamilies):
    """Which keeps its plan."""

    plan: Plan | None = None

    def update(self, plan: Plan) -> None:
        self.plan = plan


@pytest.mark.parametrize(
    ("host", "sip", "expected"),
    [
        ("pbx.example.com", "192.0.2.9", ("192.0.2.9", 4000)),
        ("pbx.example.com", "2001:db8::9", None),
        ("198.51.100.7", "192.0.2.9", ("198.51.100.7", 4000)),
        ("0.0.0.0", "192.0.2.9", None),
        ("224.0.0.1", "192.0.2.9", None),
    ],
)
async def test_a_peer_that_names_its_host_is_looked_for_where_its_sip_comes_from(
    host: str, sip: str, expected: tuple[str, int] | None
) -> None:
    media = _Told()
    leg = Leg("caller", media, Inbox[Happening]())  # type: ignore[arg-type]
    invite: Any = _Usage()
    invite.flow = Flow("udp", ("192.0.2.1", 5060), (sip, 5060))
    leg.attach(invite)
    leg.remote = description(offer_from(host))
    assert leg.answer_locally() and leg.plan()
    assert media.plan is not None and media.plan.remote == expected
