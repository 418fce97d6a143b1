"""What is known of a call, by the names of the placeholders (``docs/rules.md``, Placeholders)."""

from collections.abc import Callable
from datetime import UTC
from typing import Final

from edge.model.callers import NO_PAST, CallerPast
from edge.model.config import Campaign, Number
from edge.model.decision import CallFacts
from edge.routing.e164 import parts_of
from edge.routing.past import repeats
from edge.routing.snapshot import Snapshot


class Known:
    """The facts of one call, each worked out when it is asked for; empty is unknown."""

    __slots__ = ("_facts", "_number_id", "_past", "_snapshot")

    def __init__(
        self, facts: CallFacts, snapshot: Snapshot, number_id: str | None, past: CallerPast = NO_PAST
    ) -> None:
        self._past = past
        self._facts = facts
        self._snapshot = snapshot
        self._number_id = number_id

    def __contains__(self, name: object) -> bool:
        return name in FACTS and (self._facts.link is not None or name not in OF_VISIT)

    def __getitem__(self, name: str) -> str:
        return FACTS[name](self)

    @property
    def facts(self) -> CallFacts:
        """Who calls whom."""
        return self._facts

    @property
    def repeats(self) -> bool:
        """Has the caller called this number before, as far as its past was asked for?"""
        dialled = self.dialled
        return dialled is not None and repeats(self._past, dialled.id)

    @property
    def number(self) -> Number | None:
        """The number that the call belongs to."""
        return self._snapshot.number_by_id(self._number_id) if self._number_id is not None else None

    @property
    def campaign(self) -> Campaign | None:
        """The number's campaign, wherever the call was led to."""
        number = self.number
        return self._snapshot.campaign(number.campaign_id or "") if number is not None else None

    @property
    def dialled(self) -> Number | None:
        """The number that was dialled, which for a pool is not the one the call belongs to."""
        return self._snapshot.number(self._facts.called) or self.number

    @property
    def pool_name(self) -> str:
        """The pool of the call's visit."""
        link = self._facts.link
        found = self._snapshot.pools.pool(link.pool_id) if link is not None else None
        return found.name if found is not None else ""

    @property
    def tag_name(self) -> str:
        """The call tracking tag of the call's visit."""
        link = self._facts.link
        found = self._snapshot.pools.tag(link.tag_id) if link is not None else None
        return found.name if found is not None else ""

    @property
    def time_to_call(self) -> str:
        """Seconds from the page to the call."""
        link = self._facts.link
        if link is None:
            return ""
        return str(max(0, int((self._facts.arrived_at - link.started_at).total_seconds())))

    @property
    def publisher_name(self) -> str:
        """The name of the number's publisher."""
        number = self.number
        found = self._snapshot.publisher(number.publisher_id or "") if number is not None else None
        return found.name if found is not None else ""


def _caller(known: Known) -> str:
    return known.facts.caller or ""


def _number(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(known.number, field, None) or "")


def _dialled(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(known.dialled, field, None) or "")


def _campaign(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(known.campaign, field, None) or "")


def _part(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(parts_of(known.facts.caller), field)) if known.facts.caller else ""


def _visit(field: str) -> Callable[[Known], str]:
    return lambda known: "" if known.facts.link is None else str(getattr(known.facts.link, field))


def _seen(field: str) -> Callable[[Known], str]:
    return lambda known: "" if known.facts.link is None else getattr(known.facts.link.first, field) or ""


OF_VISIT: Final[dict[str, Callable[[Known], str]]] = {
    "impression_id": _visit("impression_id"),
    "visitor_id": _visit("visitor_id"),
    "attribution": _visit("attribution"),
    "pool_id": _visit("pool_id"),
    "pool_name": lambda known: known.pool_name,
    "tag_name": lambda known: known.tag_name,
    "landing_url": _seen("page_url"),
    "first_url": _seen("first_url"),
    "referrer": _seen("referrer"),
    "user_agent": _seen("user_agent"),
    "ip": _seen("ip"),
    "time_to_call": lambda known: known.time_to_call,
}
"""What a call to a number of a pool knows of its visit."""

CAMPAIGN_KEYS: Final = (
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "gclid", "fbclid", "msclkid",
    "sub_id",
)  # fmt: skip
"""Tags that placeholders name without ``tag:``."""

FACTS: Final[dict[str, Callable[[Known], str]]] = {
    "call_id": lambda known: known.facts.call_id,
    "call_uuid": lambda known: known.facts.call_id,
    "started_at": lambda known: f"{known.facts.arrived_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    "caller_number": _caller,
    "caller_id": _caller,
    "caller_number_no_plus": lambda known: _caller(known).lstrip("+"),
    "caller_national": _part("national"),
    "caller_area_code": _part("area_code"),
    "caller_prefix": _part("prefix"),
    "caller_suffix": _part("suffix"),
    "caller_country": _part("country"),
    "attestation": lambda known: known.facts.attested.level,
    "caller_anonymous": lambda known: "false" if known.facts.caller else "true",
    "is_repeat": lambda known: "true" if known.repeats else "false",
    "number": lambda known: known.facts.called,
    "called_number": lambda known: known.facts.called,
    "number_no_plus": lambda known: known.facts.called.lstrip("+"),
    "number_id": _dialled("id"),
    "number_kind": _dialled("kind"),
    "number_country": _dialled("country"),
    "campaign_id": _campaign("id"),
    "campaign_name": _campaign("name"),
    "publisher_id": _number("publisher_id"),
    "affiliate_id": _number("publisher_id"),
    "publisher_name": lambda known: known.publisher_name,
    "is_pool": lambda known: "false" if known.facts.link is None else "true",
    **OF_VISIT,
}
"""Every fact that is known before a target is chosen."""
