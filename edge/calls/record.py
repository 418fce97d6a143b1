"""The call record: what remains of a call and says why it went where it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from edge.calls.trace import Trace
from edge.media.engine import LegCounters
from edge.model.config import Number
from edge.model.decision import (
    Attempt,
    CallFacts,
    CandidateLine,
    DecisionLog,
    Disposition,
    HungUpBy,
    Proceed,
    Step,
)
from edge.model.instants import to_text
from edge.model.tags import MOST_WRITES, Tags, TagWrite
from edge.model.visits import Link
from edge.routing.tags import held, told

MOST_KEYS = 64
MOST_STEPS = 500
"""Of a call's decision log."""


def instant(at: datetime | None) -> str | None:
    """As every instant of the API; none for what did not happen."""
    return None if at is None else to_text(at)


@dataclass(slots=True)
class CallRecord:
    """Collects a call's story while it runs; ``finished`` renders it by the API's field names.

    ``answered_at`` is our 200 to the caller, ``connected_at`` the bridge (rule: when the caller is
    answered); ``sip_reason`` is the Reason of the BYE or CANCEL that ended it (RFC 3326).
    """

    facts: CallFacts
    config_version: int
    number_id: str | None = None
    campaign_id: str | None = None
    publisher_id: str | None = None
    sub_id: str | None = None
    tags: Tags = field(default_factory=dict)
    own_tags: Tags = field(default_factory=dict)
    writes: tuple[TagWrite, ...] = ()
    answered_at: datetime | None = None
    connected_at: datetime | None = None
    connected_target_id: str | None = None
    buyer_id: str | None = None
    connected_as: Disposition = "connected"
    disposition: Disposition | None = None
    detail: str = ""
    hung_up_by: HungUpBy | None = None
    sip_reason: str | None = None
    log: DecisionLog = field(default_factory=DecisionLog)
    attempts: list[Attempt] = field(default_factory=list)
    keys_pressed: str = ""
    recordings: dict[str, dict[str, object]] = field(default_factory=dict)
    pool_id: str | None = None
    link: Link | None = None
    late: tuple[TagWrite, ...] = ()

    def key(self, digit: str) -> None:
        """A key that the caller pressed to us; what it presses to a target is none of our business."""
        self.keys_pressed = (self.keys_pressed + digit)[:MOST_KEYS]

    @property
    def impression_id(self) -> str | None:
        """The visit that the call belongs to."""
        return self.link.impression_id if self.link is not None else None

    def attribute(self, number: Number, dialled: Number | None) -> None:
        """The call is this number's, with its publisher and tags of now (rule: publishers).

        Of a pool another number was dialled, and that is the record's.
        """
        self.number_id = number.id if self.pool_id is None or dialled is None else dialled.id
        self.campaign_id = number.campaign_id
        self.publisher_id, self.sub_id = number.publisher_id, number.sub_id
        self.tags = self.own_tags = number.tags
        if self.writes:
            self._hold(held(number.tags, self.writes), self.writes)

    def tag(self, proceed: Proceed) -> None:
        """The tags that hold from now on (rule: Tags)."""
        self._hold(proceed.tags, proceed.writes)

    def _hold(self, tags: Tags, writes: tuple[TagWrite, ...]) -> None:
        if writes:
            self.tags, self.writes = tags, writes
            given = tags.get("sub_id")
            self.sub_id = given if isinstance(given, str) else self.sub_id

    def learn(self, tags: Tags, at: datetime) -> None:
        """A publisher tells more of the caller while the call is up: for reports only (rule: Tags)."""
        new = (TagWrite(key, value, "publisher", at, late=True) for key, value in tags.items())
        self.late = (*self.late, *new)[:MOST_WRITES]

    def step(self, step: str, result: str, reason: str = "") -> None:
        """Adds a line to the decision log, if that is not full: a caller may hear a menu again for hours."""
        steps = self.log.steps
        if len(steps) < MOST_STEPS:
            steps.append(Step(step, result, reason))
        elif steps[-1].step != "log":
            steps.append(Step("log", "full", f"{MOST_STEPS} steps are kept"))

    def end(self, disposition: Disposition, detail: str = "", hung_up_by: HungUpBy | None = None) -> None:
        """Says how the call ended; the last word counts."""
        self.disposition = disposition
        self.detail = detail
        self.hung_up_by = hung_up_by

    def never_answered(self) -> None:
        """Our 200 waited for the caller's PRACK, and never went: nobody talked."""
        self.answered_at = self.connected_at = self.connected_target_id = self.buyer_id = None

    def finished(self, ended_at: datetime, media: Mapping[str, LegCounters], trace: Trace) -> dict[str, Any]:
        """The whole record, JSON-ready, by the names of the API's ``call`` resource."""
        facts = self.facts
        return {
            "id": facts.call_id,
            "trunk_id": facts.trunk_id,
            "number_id": self.number_id,
            "campaign_id": self.campaign_id,
            "publisher_id": self.publisher_id,
            "sub_id": self.sub_id,
            "pool_id": self.pool_id,
            "impression_id": self.impression_id,
            **_visit(self.link, facts),
            "target_id": self.connected_target_id,
            "buyer_id": self.buyer_id,
            "caller": facts.caller,
            "called": facts.called,
            "attestation": facts.attested.level or None,
            "verstat": facts.attested.verstat or None,
            "attestation_by": facts.attested.by or None,
            "tags": told(self.own_tags, (*self.writes, *self.late)),
            "started_at": instant(facts.arrived_at),
            "answered_at": instant(self.answered_at),
            "connected_at": instant(self.connected_at),
            "ended_at": instant(ended_at),
            "disposition": self.disposition or "error_internal",
            "disposition_detail": self.detail,
            "hung_up_by": self.hung_up_by,
            "sip_reason": self.sip_reason,
            "decision": {
                "steps": [
                    {"step": step.step, "result": step.result, "reason": step.reason}
                    for step in self.log.steps
                ],
                "candidates": [_candidate(line, self.attempts) for line in self.log.candidates],
            },
            "keys_pressed": self.keys_pressed,
            "recording": self.recordings.get("recording"),
            "voicemail": self.recordings.get("voicemail"),
            "attempts": [_attempt(attempt) for attempt in self.attempts],
            "media": {name: counters._asdict() for name, counters in media.items()},
            "trace": trace.lines(),
            "config_version": self.config_version,
        }


_NO_VISIT: Final[dict[str, object]] = {
    "attribution": None, "attribution_rivals": [], "visitor_id": None, "tag_id": None, "landing_url": None,
    "first_url": None, "referrer": None, "time_to_call": None,
}  # fmt: skip


def _visit(link: Link | None, facts: CallFacts) -> dict[str, object]:
    """What the record keeps of the visit that a call belongs to, beside its tags."""
    if link is None:
        return _NO_VISIT
    seen = link.first
    return {
        "attribution": link.attribution,
        "attribution_rivals": list(link.rivals),
        "visitor_id": link.visitor_id,
        "tag_id": link.tag_id,
        "landing_url": seen.page_url or None,
        "first_url": seen.first_url or None,
        "referrer": seen.referrer or None,
        "time_to_call": max(0, int((facts.arrived_at - link.started_at).total_seconds())),
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "target_id": attempt.target_id,
        "started_at": instant(attempt.started_at),
        "ended_at": instant(attempt.ended_at),
        "status": attempt.status,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "sip_reason": attempt.sip_reason,
    }


_OUTCOME_REASON = {"caller_gone": "not_reached"}


def _candidate(line: CandidateLine, attempts: list[Attempt]) -> dict[str, object]:
    """A candidate's line; what its dial came to replaces what the choice expected of it."""
    result, reason = line.result, str(line.reason)
    for tried in attempts:
        if tried.target_id == line.target_id:
            result, reason = "tried", _OUTCOME_REASON.get(tried.outcome, tried.outcome)
            break
    return {
        "target_id": line.target_id,
        "group_id": line.group_id,
        "tier": line.tier,
        "odds": round(line.odds, 4),
        "result": result,
        "reason": reason,
    }
