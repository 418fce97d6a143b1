"""Disposition -> the SIP answer of a call that ends before it was answered (rule: Refusals).

The one place where that is said; ``edge.routing.admit`` and the call code both look here.
"""

from typing import Final, NamedTuple

from edge.model.decision import Disposition


class Refusal(NamedTuple):
    """A final SIP answer (RFC 3261 section 21).

    ``reason_header`` is a whole Reason value (RFC 3326); ``retry_after_s`` bounds the Retry-After
    that the sender draws, so that refused callers do not all come back at once.
    """

    status: int
    reason_header: str | None = None
    retry_after_s: tuple[int, int] | None = None


_UNAVAILABLE: Final = Refusal(480)
_DECLINE: Final = Refusal(603)

# A row for every disposition that can end a call that was not answered.
REFUSALS: Final[dict[Disposition, Refusal]] = {
    "rejected_unknown_number": Refusal(404),
    "rejected_released": Refusal(410),
    "rejected_blocked": _DECLINE,
    "rejected_anonymous": _DECLINE,
    "rejected_attestation": _DECLINE,
    "rejected_unlinked": Refusal(603, "Q.850;cause=21"),
    "rejected_paused": _UNAVAILABLE,
    "rejected_expired": _UNAVAILABLE,
    "rejected_no_codec": Refusal(488),
    "rejected_overload": Refusal(503, None, (5, 30)),
    "rejected_trunk_limit": Refusal(503, None, (1, 1)),
    "after_hours_reject": _UNAVAILABLE,
    "number_cap": Refusal(486),
    "busy": Refusal(486),
    "no_answer": _UNAVAILABLE,
    "target_failed": _UNAVAILABLE,
    "interrupted": _UNAVAILABLE,
    "no_target_all_closed": _UNAVAILABLE,
    "no_target_all_capped": _UNAVAILABLE,
    "no_target_all_filtered": _UNAVAILABLE,
    "no_target_duplicates": _UNAVAILABLE,
    "no_target_none_configured": _UNAVAILABLE,
    "no_target_mixed": _UNAVAILABLE,
    "error_media": Refusal(503, None, (5, 30)),
    "error_internal": Refusal(500),
}


_NORMAL_CLEARING: Final = "Q.850;cause=16"


def bye_reason(disposition: Disposition | None) -> str:
    """The Reason value (RFC 3326) of a BYE that ends an answered call for us.

    A call that could not be served says with which status it would have been refused; any other
    end of ours is normal clearing.
    """
    answer = REFUSALS.get(disposition) if disposition is not None else None
    if answer is None:
        return _NORMAL_CLEARING
    return answer.reason_header or f"SIP;cause={answer.status}"


def refusal(disposition: Disposition) -> Refusal:
    """The answer of a call that ends unanswered with ``disposition``; 480 when none is listed."""
    return REFUSALS.get(disposition, _UNAVAILABLE)
