"""``edge doctor``: a call's record in plain words.  Pure: the record in, lines out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import Any

from edge.model.decision import CandidateLine
from edge.model.printable import on_one_line
from edge.routing.explain import explain_disposition, explain_line, explain_status

Record = Mapping[str, Any]

Names = Mapping[str, str]


def explain(call: Record, trace: Sequence[Record], names: Names = MappingProxyType({})) -> Iterator[str]:
    """The lines that explain a call: what came of it, the decision, the dials, the SIP, the audio.

    ``names`` are those of targets, by id.
    """
    lines = chain(
        _outcome(call),
        _titled("Visit", _visit(call)),
        _titled("Decision", _steps(call)),
        _titled("Targets considered", _candidates(call, names)),
        _titled("Dialled", _attempts(call, names)),
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
    yield f"{explain_disposition(disposition)} (disposition {disposition})"
    if call.get("disposition_detail"):
        yield f"Detail: {call['disposition_detail']}"
    if call.get("hung_up_by"):
        yield f"Ended by: {call['hung_up_by']}"
    if call.get("sip_reason"):
        yield f"Reason given: {call['sip_reason']}"
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


def _candidates(call: Record, names: Names) -> Iterator[str]:
    for row in (call.get("decision") or {}).get("candidates", ()):
        line = CandidateLine(**{name: row[name] for name in CandidateLine.__slots__ if name in row})
        yield f"{_name(line.target_id, names)}: {explain_line(line)} [{line.result}]"


def _attempts(call: Record, names: Names) -> Iterator[str]:
    for attempt in call.get("attempts") or ():
        rang = _between(attempt.get("started_at"), attempt.get("ended_at"))
        lasted = f" after {rang:.1f} s" if rang is not None else ""
        status = explain_status(attempt.get("status") or 0)
        reason = f" ({attempt['reason']})" if attempt.get("reason") else ""
        said = f"; its Reason: {attempt['sip_reason']}" if attempt.get("sip_reason") else ""
        yield f"{_name(attempt['target_id'], names)}: {attempt['outcome']}{lasted}, {status}{reason}{said}"


def _name(target_id: str, names: Names) -> str:
    return f"{names[target_id]} ({target_id})" if target_id in names else target_id


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
            "and media.advertised_address (sip.local_networks, if it stands on your side of the NAT)"
        )
    if seen.get("strays"):
        yield f"{seen['strays']} packets came from a wrong source and were dropped"
    if seen.get("unknown_payload"):
        yield f"{seen['unknown_payload']} packets had a codec that was not agreed and were dropped"


def _between(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
