"""What becomes of a packet by its payload type: one look-up a packet."""

from functools import lru_cache
from typing import Final

from edge.media.engine import Plan
from edge.media.rtp import COMFORT_NOISE, MARKER

EVENT: Final = 256
"""Set on a telephone-event."""
HERE_ONLY: Final = 512
"""Set on what is known, but not for the other leg."""


def payload_table(plan: Plan) -> dict[int, int]:
    """By an RTP packet's second octet (marker and payload type): the octet it gets, and flags above.

    Shared by all legs with the same payload types: not to be changed.
    """
    play = None if plan.play_codec is None else plan.play_payload
    return _table(tuple(plan.payloads.items()), plan.event_payload, play)


@lru_cache(1024)
def _table(payloads: tuple[tuple[int, int], ...], event: int | None, play: int | None) -> dict[int, int]:
    known = dict(payloads)
    if known:
        known.setdefault(COMFORT_NOISE, COMFORT_NOISE)  # RFC 3389: gateways send it unnegotiated
    if play is not None:
        known.setdefault(play, HERE_ONLY)
    if event is not None:
        known[event] = EVENT | known.get(event, HERE_ONLY)
    return known | {received | MARKER: sent | MARKER for received, sent in known.items()}
