"""A leg's ties: what a call leaves behind needs no collection."""

import gc
import weakref

from edge.calls.happenings import Happening
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg


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
