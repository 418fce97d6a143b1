"""Calls' records that could not be made: what stands in for them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from edge.logs import get_logger
from edge.model.instants import to_text
from edge.model.ledger import Finish

log = get_logger("edge.store")

T = TypeVar("T")

NOT_MADE = "the call's record could not be made: an internal error; the log has it"


def bare(call_id: str, ended_at: datetime, disposition: str, detail: str) -> dict[str, Any]:
    """The record of a call of which only its end is known."""
    return {
        "id": call_id,
        "answered_at": None,
        "ended_at": to_text(ended_at),
        "disposition": disposition,
        "disposition_detail": detail,
        "tags": {},
        "decision": {"steps": [], "candidates": []},
        "attempts": [],
        "media": {},
    }


def made(finish: Finish, make: Callable[[Finish], T]) -> T:
    """What ``make`` makes of a call's end, record and all: of a bare record, should its own break (a bug)."""
    try:
        return make(finish)
    except Exception:
        log.exception("record.not_made", call_id=finish.call_id)
        record = bare(finish.call_id, finish.ended_at, finish.disposition, NOT_MADE)
        return make(replace(finish, record=record))
