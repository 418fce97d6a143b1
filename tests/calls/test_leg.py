"""A leg's ties: what a call leaves behind needs no collection."""

import gc

from edge.calls.happenings import Happening
from edge.calls.inbox import Inbox
from edge.calls.leg import Leg


class _Usage:
    """As much of a dialog usage, and of a media leg, as a leg needs to be tied to."""

    host, port, on_event = "192.0.2.1", 20000, None


async def test_a_leg_that_is_detached_is_in_no_reference_cycle() -> None:
    gc.collect()
    gc.disable()
    try:
        leg = Leg("caller", _Usage(), Inbox[Happening]())  # type: ignore[arg-type]
        leg.attach(_Usage())  # type: ignore[arg-type]
        leg.detach()
        leg.media.on_event = None  # as the media engine does when the leg is closed
        del leg
        assert gc.collect() == 0
    finally:
        gc.enable()
