"""What becomes of a packet by its payload type: one look-up a packet."""

from functools import lru_cache
from typing import Final

from edge.media.engine import Plan
from edge.media.rtp import COMFORT_NOISE, MARKER

EVENT: Final = 256
"""Set on a telephone-event."""
HERE_ONLY: Final = 512
"""Set on what is known, but not for the other leg."""
RECORDED: Final = 1024
"""Set on audio that is recorded."""
_G711: Final = (0, 8)


def payload_table(plan: Plan, *, recorded: bool = False) -> dict[int, int]:
    """By an RTP packet's second octet (marker and payload type): the octet it gets, and flags above.

    ``recorded`` marks PCMU and PCMA, known or not to the other leg, for the leg's recording; under a number
    of the peer's own the one in which we play.

    Shared by all legs with the same payload types: not to be changed.
    """
    play = None if plan.play_codec is None else plan.play_payload
    return _table(tuple(plan.payloads.items()), plan.event_payload, play, recorded)


@lru_cache(1024)
def _table(
    payloads: tuple[tuple[int, int], ...], event: int | None, play: int | None, recorded: bool
) -> dict[int, int]:
    known = dict(payloads)
    if known:
        known.setdefault(COMFORT_NOISE, COMFORT_NOISE)  # RFC 3389: gateways send it unnegotiated
    if play is not None:
        known.setdefault(play, HERE_ONLY)
    if recorded:
        laws = _G711 if play is None else (*_G711, play)
        known.update({law: RECORDED | known.get(law, HERE_ONLY) for law in laws})
    if event is not None:
        known[event] = EVENT | known.get(event, HERE_ONLY)
    return known | {received | MARKER: sent | MARKER for received, sent in known.items()}
