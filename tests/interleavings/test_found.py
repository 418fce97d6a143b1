"""Stories in which the long runs found something: each as short as it could be made."""

from collections.abc import Iterator

import pytest

from tests.interleavings.machine import Interleavings
from tests.interleavings.stage import PLAIN


@pytest.fixture
def story() -> Iterator[Interleavings]:
    """On a network that does what it should; in the end everybody hangs up, and nothing may be left."""
    machine = Interleavings()
    machine.begin(seed=0, loss=0.0, transport="udp")
    yield machine
    machine.teardown()


def test_an_offer_of_ours_that_waits_is_newer_than_what_the_peer_was_told_meanwhile(
    story: Interleavings,
) -> None:
    """The caller offers while a colleague takes its target's call, which is to be offered to the caller."""
    for _ in range(2):
        story.a_call_comes_up(number=PLAIN, early=False, formats="8 101", timer="", after=0.0)
    story.time_passes(after=5.0)
    story.a_colleague_takes_a_call(who=1, early_only=False, offers=False, formats="0 8 101", after=0.0)
    story.a_phone_offers(who=0, direction="sendrecv", formats="8 101", soon=False, after=0.1)
