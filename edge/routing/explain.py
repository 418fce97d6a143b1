"""The decision in plain words, for people: reasons, dispositions and SIP statuses."""

from typing import Final

from edge.model.decision import CandidateLine, Disposition, Reason
from edge.routing.hunt import verdict_of

REASONS: Final[dict[Reason, str]] = {
    "paused": "the target is paused",
    "closed": "outside the target's business hours",
    "capped": "one of the target's caps is full",
    "tag_mismatch": "the call's tags do not pass the target's filters",
    "caller_list": "the caller is on a list that keeps this target out",
    "duplicate": "the caller counts as a duplicate for this target",
    "down": "the target is gone or known to be down",
    "busy": "dialled: busy",
    "no_answer": "dialled: nobody answered in time",
    "refused": "dialled: refused the call",
    "unreachable": "dialled: could not be reached",
    "answered": "dialled: answered",
    "not_reached": "its turn never came",
    "cap_taken": "another call took the last free slot of its cap first",
}

DISPOSITIONS: Final[dict[Disposition, str]] = {
    "connected": "The caller talked to a target.",
    "no_answer": "Targets rang, but none answered.",
    "busy": "Every target that was dialled was busy.",
    "target_failed": "Every target that was dialled refused the call or could not be reached.",
    "caller_hung_up_prompt": "The caller hung up while a prompt was playing.",
    "caller_hung_up_menu": "The caller hung up in the menu.",
    "caller_hung_up_ringing": "The caller hung up before a target answered.",
    "no_target_all_closed": "No target was dialled: all were outside their business hours.",
    "no_target_all_capped": "No target was dialled: all had reached a cap.",
    "no_target_all_filtered": "No target was dialled: none wants calls like this one.",
    "no_target_duplicates": "No target was dialled: the caller is a duplicate for all of them.",
    "no_target_none_configured": "No target was dialled: the campaign's route has none in use.",
    "no_target_mixed": "No target was dialled, for different reasons; see the candidates.",
    "after_hours_message": "The number was closed; the caller heard the after-hours message.",
    "after_hours_voicemail": "The number was closed; the caller was sent to voicemail.",
    "after_hours_forward": "The number was closed; the call was forwarded.",
    "after_hours_reject": "The number was closed and refuses calls then.",
    "number_cap": "One of the number's own caps was full.",
    "rejected_unlinked": "No visitor holds this pool number now.",
    "rejected_blocked": "The caller is blocked.",
    "rejected_anonymous": "Callers who withhold their number are refused.",
    "rejected_attestation": "The carrier's attestation of the caller was too weak.",
    "rejected_released": "The number was released.",
    "rejected_paused": "The campaign or the number is paused.",
    "rejected_expired": "The number's time is over, or has not come yet.",
    "rejected_unknown_number": "The number is not ours, or no campaign uses it.",
    "rejected_trunk_limit": "The trunk had reached its own limit.",
    "rejected_overload": "The server was full, draining, or could not write its records.",
    "rejected_no_codec": "Caller and target share no codec, or caller and server neither IPv4 nor IPv6.",
    "interrupted": "The server stopped, or an operator or a limit ended the call before its bridge.",
    "error_media": "The media engine failed.",
    "error_media_timeout": "No sound arrived from one side for too long.",
    "error_sip": "A SIP peer broke the protocol.",
    "error_internal": "The server made a mistake; its log has the details.",
}


def explain_disposition(disposition: str) -> str:
    """One sentence for a call's disposition; the bare name if it is one that a newer server wrote."""
    return next((words for name, words in DISPOSITIONS.items() if name == disposition), disposition)


def explain_status(status: int) -> str:
    """What a target's final SIP status said, such as ``486: is busy``; 0 is no final answer."""
    return f"{status}: {verdict_of(status).words}" if status else "gave no final answer"


def explain_line(line: CandidateLine) -> str:
    """Why a target was or was not dialled, in one line."""
    if line.result == "skipped" and line.reason == "not_reached":
        return "never dialled: its weight is 0"
    share = f" (tier {line.tier}, {line.odds:.0%} of being its tier's first)" if line.odds else ""
    return REASONS.get(line.reason, line.reason) + share
