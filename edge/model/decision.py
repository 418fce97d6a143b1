"""What routing decides about a call, and the reasons: pure data, plain frozen dataclasses.

``Disposition`` and ``Reason`` are closed sets (Rules: dispositions, decision).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from edge.model.attestation import UNKNOWN, Attested
from edge.model.menu import Menu
from edge.model.tags import TagWrite
from edge.model.visits import Link

Disposition = Literal[
    "connected", "no_answer", "busy", "target_failed",
    "caller_hung_up_prompt", "caller_hung_up_menu", "caller_hung_up_ringing",
    "no_target_all_closed", "no_target_all_capped", "no_target_all_filtered",
    "no_target_duplicates", "no_target_none_configured", "no_target_mixed",
    "after_hours_message", "after_hours_voicemail", "after_hours_forward", "after_hours_reject",
    "number_cap",
    "rejected_unlinked", "rejected_blocked", "rejected_anonymous", "rejected_attestation",
    "rejected_released", "rejected_paused", "rejected_expired", "rejected_unknown_number",
    "rejected_trunk_limit", "rejected_overload", "rejected_no_codec",
    "interrupted", "error_media", "error_media_timeout", "error_sip", "error_internal",
]  # fmt: skip

Reason = Literal[
    "paused", "closed", "capped", "tag_mismatch", "caller_list", "duplicate", "down", "busy",
    "no_answer", "refused", "unreachable", "answered", "not_reached", "cap_taken",
]  # fmt: skip

HungUpBy = Literal["caller", "target", "admin", "limit", "server"]


class CallFacts(NamedTuple):
    """What is known of a call at its arrival; numbers are normalised once, before routing.

    ``caller`` is E.164, or None when withheld; ``called`` E.164 or the digits as dialled when
    they can not be normalised; ``arrived_at`` is UTC.  ``link`` is the visit that a call to a number of a
    pool belongs to.
    """

    call_id: str
    trunk_id: str
    caller: str | None
    called: str
    arrived_at: datetime
    attested: Attested = UNKNOWN
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the decision log: the step's name, its result and the reason in words."""

    step: str
    result: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CapClaim:
    """One slot wanted of one cap: what the ledger reserves.

    ``window`` names the counted window: ``2026-11-22`` (a day), ``2026-11-22T09`` (an hour),
    ``2026-11-22T09:00`` (a block, by its start), ``2026-11`` (a month), ``lifetime``, or ``""`` for
    concurrency.  ``counts_on`` is when the slot is used up; concurrency claims are held until
    released.  Unless ``strict``, nothing is reserved: the claim finds the window full or not, and
    counts when it is used.  ``warning`` is the count that is warned of, 0 for none.
    """

    cap_id: str
    owner_id: str
    window: str
    limit: int
    counts_on: Literal["attempt", "connect", "convert", "concurrency"]
    strict: bool = True
    warning: int = 0


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """A target in the decision log.

    ``tier`` is its priority; ``odds`` its share (0..1) of being first in that tier; ``result`` is
    ``eligible`` or ``skipped`` when chosen, later the attempt's outcome; ``group_id`` is the group
    that brought it, if one did.
    """

    target_id: str
    tier: int
    odds: float
    result: str
    reason: Reason
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target to dial: its place in this call's order, and the group that brought it, if one did."""

    target_id: str
    tier: int
    odds: float
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call is refused before it is answered, with ``status`` and perhaps a Reason header."""

    status: int
    disposition: Disposition
    detail: str
    steps: tuple[Step, ...]
    number_id: str | None = None
    campaign_id: str | None = None
    reason_header: str | None = None


@dataclass(frozen=True, slots=True)
class Announce:
    """The call is answered, hears ``prompt_id`` (None: the built-in ``built_in``), and is ended.

    ``voicemail``: before the end the caller may leave a message.
    """

    prompt_id: str | None
    built_in: str
    disposition: Disposition
    detail: str
    steps: tuple[Step, ...]
    number_id: str
    campaign_id: str | None
    voicemail: bool = False


@dataclass(frozen=True, slots=True)
class Sounds:
    """What a campaign wants recorded (``off``, ``connect``, ``start``), heard while targets ring, and heard
    on hold."""

    record: Literal["off", "connect", "start"] = "off"
    consent_prompt_id: str | None = None
    ringback_prompt_id: str | None = None
    hold_prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """The call goes to targets: ``claims`` are reserved first, all or nothing.

    When that fails, ``edge.routing.admit.over_cap`` says what the call gets for the full cap.
    ``forward_target_id`` is set when an action forwards the call to one target instead of the
    routes; ``base_disposition`` then replaces ``connected`` in the record (after_hours_forward).
    ``menu`` is asked before targets are chosen; ``menu_target_id`` or ``menu_group_id`` is what a key chose.
    ``campaign_id`` is where the call is now.  ``settings_id`` is the number whose own settings come before
    that campaign's (None in a campaign that a key or a forward led to), and ``own_routes`` says whether
    it has routes of its own (rule: Inherited settings).  ``entered`` are the numbers and campaigns that
    forwards led to.  ``tags`` are those that hold, ``writes`` what was written beside the number's own.
    """

    number_id: str
    campaign_id: str
    claims: tuple[CapClaim, ...]
    greeting_prompt_id: str | None
    forward_target_id: str | None
    base_disposition: Disposition | None
    tags: dict[str, str | tuple[str, ...]]
    steps: tuple[Step, ...]
    menu: Menu | None = None
    menu_target_id: str | None = None
    menu_group_id: str | None = None
    settings_id: str | None = None
    own_routes: bool = False
    entered: tuple[str, ...] = ()
    sounds: Sounds = Sounds()
    writes: tuple[TagWrite, ...] = ()


Admission = Refuse | Announce | Proceed


@dataclass(frozen=True, slots=True)
class Choice:
    """The ordered candidates of a call, and a line with a reason for every target considered."""

    candidates: tuple[Candidate, ...]
    lines: tuple[CandidateLine, ...]


class Attempt(NamedTuple):
    """One dial of one candidate, for the record.  ``status`` is the final SIP status, 0 if none;
    ``sip_reason`` the Reason that came with a refusal (RFC 3326)."""

    target_id: str
    started_at: datetime
    ended_at: datetime
    status: int
    outcome: Literal["answered", "busy", "no_answer", "refused", "unreachable", "caller_gone", "cap_taken"]
    reason: str
    sip_reason: str | None = None


@dataclass(slots=True)
class DecisionLog:
    """Everything that was decided about one call, in order; part of its record."""

    steps: list[Step] = field(default_factory=list)
    candidates: list[CandidateLine] = field(default_factory=list)
