"""What one INVITE to a target came to, and what that means for the next one."""

from typing import Final, Literal, NamedTuple

from edge.calls.redirect import contacts
from edge.routing.hunt import verdict_of
from edge.sip.events import Refused
from edge.sip.headers import printable
from edge.sip.message import Response
from edge.sip.reason import reason_in

Outcome = Literal["answered", "busy", "no_answer", "refused", "unreachable", "caller_gone", "cap_taken"]

MOST_WORDS: Final = 100
"""Of a peer's reason phrase, which may be as long as a message."""
OUT_OF_SERVICE: Final = (0, 408, 503)
"""0 is no answer at all; another 5xx is of this call, and says nothing about the next one."""


class Result(NamedTuple):
    """What one INVITE came to; ``next_address`` says whether another address of it may do better.

    ``retry_after_s`` is when a 503 may be tried again, ``moved_to`` the URIs that a 3xx names,
    ``sip_reason`` the Reason that it gave (RFC 3326).  Nothing was sent to one that was not ``asked``.
    """

    status: int
    outcome: Outcome
    reason: str
    next_address: bool = False
    retry_after_s: int | None = None
    moved_to: tuple[str, ...] = ()
    sip_reason: str | None = None
    asked: bool = True


NO_SLOT: Final = Result(0, "cap_taken", "another call took the last slot")
NOT_COUNTED: Final = Result(503, "refused", "the store can not write")
"""Why a target is not dialled although it was free a moment ago."""


def told(answer: Response) -> str:
    """A final answer in the words of who gave it, as long as an operator may want to read it."""
    return f"{answer.status} {printable(answer.reason[:MOST_WORDS])}"


def result_of(refused: Refused) -> Result:
    """What the target's final answer, or its silence, says (one table: ``edge.routing.hunt``)."""
    said = verdict_of(refused.status, refused.cause)
    status = refused.status if refused.cause == "status" else 0
    words = f"{printable(refused.reason)[:MOST_WORDS]}: {said.words}"
    moved_to = tuple(contacts(refused.headers)) if 300 <= status < 400 else ()
    after = refused.retry_after_s if status == 503 else None
    return Result(status, said.outcome, words, said.next_address, after, moved_to, reason_in(refused.headers))
