"""``edge doctor``: a call's record in plain words.  Pure: the record in, lines out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from edge.logs import on_one_line

Record = Mapping[str, Any]

_DISPOSITION = {
    "connected": "The caller talked to a target.",
    "no_answer": "Targets rang and none answered in time.",
    "busy": "Every target that was dialled was busy.",
    "target_failed": "Targets were dialled and none could take the call.",
    "caller_hung_up_prompt": "The caller hung up while a prompt played.",
    "caller_hung_up_menu": "The caller hung up in the menu.",
    "caller_hung_up_ringing": "The caller hung up while targets were ringing.",
    "no_target_all_closed": "No target was dialled: all were outside their business hours.",
    "no_target_all_capped": "No target was dialled: all had reached a cap.",
    "no_target_all_filtered": "No target was dialled: none matched the call's tags.",
    "no_target_none_configured": "No target was dialled: the campaign has none.",
    "no_target_mixed": "No target was dialled, for different reasons (see the candidates).",
    "after_hours_message": "It was outside business hours: the caller heard the message.",
    "after_hours_voicemail": "It was outside business hours: the caller could leave a message.",
    "after_hours_forward": "It was outside business hours: the call was forwarded.",
    "after_hours_reject": "It was outside business hours: the call was refused.",
    "number_cap": "The number had reached a cap.",
    "rejected_paused": "The number or its campaign is paused.",
    "rejected_unknown_number": "The number called is not one of ours.",
    "rejected_unlinked": "The number is one of a pool, and no visitor of a page had it.",
    "rejected_trunk_limit": "The trunk had reached its own limit.",
    "rejected_overload": "The server was draining, full, or could not write its records.",
    "rejected_no_codec": "No audio codec was shared.",
    "interrupted": "The server stopped during the call.",
    "error_media": "The audio path failed.",
    "error_media_timeout": "No audio came for too long, so the call was ended.",
    "error_sip": "SIP signalling failed.",
    "error_internal": "An internal error ended the call; the server's log has it under the call's id.",
}
_REASON = {
    "paused": "is paused",
    "closed": "is outside its business hours",
    "capped": "has reached a cap",
    "tag_mismatch": "does not take calls with these tags",
    "caller_list": "does not take this caller",
    "duplicate": "had this caller already",
    "down": "does not answer at present",
    "busy": "was busy",
    "no_answer": "did not answer in time",
    "refused": "refused the call",
    "unreachable": "could not be reached",
    "answered": "answered",
    "not_reached": "was not needed or not reached",
    "cap_taken": "lost its last free slot to another call just before",
}


def explain(call: Record, trace: Sequence[Record]) -> Iterator[str]:
    """The lines that explain a call: what came of it, the decision, the dials, the SIP, the audio."""
    lines = chain(
        _outcome(call),
        _titled("Visit", _visit(call)),
        _titled("Decision", _steps(call)),
        _titled("Targets considered", _candidates(call)),
        _titled("Dialled", _attempts(call)),
        _titled("SIP", _ladder(trace)),
        _titled("Audio", _media(call)),
    )
    return map(on_one_line, lines)


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield title
        yield from (f"  {line}" for line in found)


def _outcome(call: Record) -> Iterator[str]:
    caller = call.get("caller") or "an anonymous caller"
    yield f"Call {call['id']}: {caller} called {call.get('called')} at {call.get('started_at')}"
    disposition = call.get("disposition")
    if disposition is None:
        yield "It is still going on."
        return
    yield f"{_DISPOSITION.get(disposition, 'It ended.')} (disposition {disposition})"
    if call.get("disposition_detail"):
        yield f"Detail: {call['disposition_detail']}"
    if call.get("hung_up_by"):
        yield f"Ended by: {call['hung_up_by']}"
    talked = _between(call.get("connected_at"), call.get("ended_at"))
    if talked is not None:
        yield f"Talked for {talked:.1f} s"


def _visit(call: Record) -> Iterator[str]:
    """The web page behind a call to a number of a pool, and what its parameters said."""
    if call.get("impression_id") is None:
        return
    rivals = len(call.get("attribution_rivals") or ())
    sure = f"{rivals} other visits might have shown this number" if rivals else "nobody else had this number"
    yield f"{call['impression_id']} ({call.get('attribution')}: {sure})"
    if call.get("landing_url"):
        yield f"began on {call['landing_url']}, {call.get('time_to_call')} s before the call"
    for key, tag in (call.get("tags") or {}).items():
        if tag.get("origin") in ("url", "page", "publisher"):
            yield f"{key} = {tag['value']} (from the {tag['origin']})"


def _steps(call: Record) -> Iterator[str]:
    for step in (call.get("decision") or {}).get("steps", ()):
        reason = f": {step['reason']}" if step.get("reason") else ""
        yield f"{step['step']} → {step['result']}{reason}"


def _candidates(call: Record) -> Iterator[str]:
    for line in (call.get("decision") or {}).get("candidates", ()):
        said = _REASON.get(line["reason"], line["reason"])
        place = f"priority {line['tier']}, share {line['odds']:.0%}"
        yield f"{line['target_id']} ({place}) {said} [{line['result']}]"


def _attempts(call: Record) -> Iterator[str]:
    for attempt in call.get("attempts") or ():
        rang = _between(attempt.get("started_at"), attempt.get("ended_at"))
        lasted = f" after {rang:.1f} s" if rang is not None else ""
        status = f"SIP {attempt['status']}" if attempt.get("status") else "no SIP answer"
        reason = f" ({attempt['reason']})" if attempt.get("reason") else ""
        yield f"{attempt['target_id']}: {attempt['outcome']}, {status}{lasted}{reason}"


def _ladder(trace: Sequence[Record]) -> Iterator[str]:
    arrows = {"in": "──▶", "out": "◀──"}
    for line in trace:
        yield f"{line['at_s']:8.3f} s  {line['peer']:<28} {arrows[line['direction']]}  {line['message']}"


def _media(call: Record) -> Iterator[str]:
    for leg, seen in (call.get("media") or {}).items():
        if not isinstance(seen, Mapping):
            continue
        yield (
            f"{leg}: {seen.get('packets_in', 0)} packets in, {seen.get('packets_out', 0)} out, "
            f"{seen.get('lost', 0)} lost, jitter {seen.get('jitter_ms', 0):.1f} ms"
        )
        yield from (f"  {hint}" for hint in _hints(seen))


def _hints(seen: Record) -> Iterator[str]:
    if not seen.get("packets_in") and seen.get("packets_out"):
        yield (
            "nothing was heard from this side: a firewall or NAT keeps its audio away; check media.ports "
            "and media.advertised_address"
        )
    if seen.get("strays"):
        yield f"{seen['strays']} packets came from a wrong source and were dropped"
    if seen.get("unknown_payload"):
        yield f"{seen['unknown_payload']} packets had a codec that was not agreed and were dropped"


def _between(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
