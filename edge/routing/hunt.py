"""Hunting: what a target's final SIP status says about the attempt, and what to try next.

The one table of SIP status meanings (rule: Failover; RFC 3261 section 21, RFC 3263 section 4.3).
"""

from typing import Final, Literal, NamedTuple

Outcome = Literal["answered", "busy", "no_answer", "refused", "unreachable"]

Cause = Literal["status", "timeout", "unreachable"]
"""How an attempt ended: the peer answered, it never did, or nothing could be sent to it."""


class Verdict(NamedTuple):
    """What one final answer means.

    ``next_target``: another target may be dialled.  ``next_address``: before that, the same
    target's next address may be; only where the answer says nothing about the person called.
    """

    outcome: Outcome
    next_target: bool
    next_address: bool
    words: str


def _ends(outcome: Outcome, words: str) -> Verdict:
    return Verdict(outcome, True, False, words)


def _elsewhere(words: str) -> Verdict:
    return Verdict("unreachable", True, True, words)


_STATUSES: Final[dict[int, Verdict]] = {
    401: _ends("refused", "wants credentials that it did not accept"),
    403: _ends("refused", "forbids the call"),
    404: _ends("refused", "does not know the address"),
    407: _ends("refused", "wants credentials that it did not accept"),
    408: _elsewhere("did not answer the request in time"),
    410: _ends("refused", "says that the address is gone"),
    480: _ends("no_answer", "is not available now"),
    484: _ends("refused", "says that the address is incomplete"),
    486: _ends("busy", "is busy"),
    487: _ends("no_answer", "ended the call before an answer"),
    488: _ends("refused", "accepts none of the offered codecs"),
    503: _elsewhere("is out of service or full"),
    600: _ends("busy", "is busy everywhere"),
    603: _ends("refused", "declined the call"),
    604: _ends("refused", "does not exist anywhere"),
    606: _ends("refused", "accepts none of the offered codecs"),
}

_CLASSES: Final[dict[int, Verdict]] = {
    2: Verdict("answered", False, False, "answered"),
    3: _ends("refused", "redirects the call"),
    4: _ends("refused", "refused the call"),
    5: _elsewhere("failed"),
    6: _ends("refused", "refused the call for good"),
}

_UNHEARD: Final[dict[Cause, Verdict]] = {
    "timeout": _elsewhere("never answered the request"),
    "unreachable": _elsewhere("could not be reached"),
}

NOT_ACCEPTABLE: Final = frozenset({488, 606})
"""Statuses that say that no codec is shared."""


def verdict_of(status: int, cause: Cause = "status") -> Verdict:
    """What the end of an attempt says: a final status (200..699), unless ``cause`` says more.

    Raises ``ValueError`` for a provisional status and for what is none.
    """
    found = _UNHEARD.get(cause) or _STATUSES.get(status) or _CLASSES.get(status // 100)
    if found is None:
        raise ValueError(f"{status} is no final SIP status")
    return found
