"""What is known of a call, by the names of the placeholders (``docs/rules.md``, Placeholders)."""

from collections.abc import Callable
from datetime import UTC
from typing import Final

from edge.model.config import Campaign, Number
from edge.model.decision import CallFacts
from edge.routing.e164 import parts_of
from edge.routing.snapshot import Snapshot


class Known:
    """The facts of one call, each worked out when it is asked for; empty is unknown."""

    __slots__ = ("_facts", "_number_id", "_snapshot")

    def __init__(self, facts: CallFacts, snapshot: Snapshot, number_id: str | None) -> None:
        self._facts = facts
        self._snapshot = snapshot
        self._number_id = number_id

    def __contains__(self, name: object) -> bool:
        return name in FACTS

    def __getitem__(self, name: str) -> str:
        return FACTS[name](self)

    @property
    def facts(self) -> CallFacts:
        """Who calls whom."""
        return self._facts

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
    def publisher_name(self) -> str:
        """The name of the number's publisher."""
        number = self.number
        found = self._snapshot.publisher(number.publisher_id or "") if number is not None else None
        return found.name if found is not None else ""


def _caller(known: Known) -> str:
    return known.facts.caller or ""


def _number(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(known.number, field, None) or "")


def _campaign(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(known.campaign, field, None) or "")


def _part(field: str) -> Callable[[Known], str]:
    return lambda known: str(getattr(parts_of(known.facts.caller), field)) if known.facts.caller else ""


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
    "number": lambda known: known.facts.called,
    "called_number": lambda known: known.facts.called,
    "number_no_plus": lambda known: known.facts.called.lstrip("+"),
    "number_id": _number("id"),
    "number_kind": _number("kind"),
    "number_country": _number("country"),
    "campaign_id": _campaign("id"),
    "campaign_name": _campaign("name"),
    "publisher_id": _number("publisher_id"),
    "affiliate_id": _number("publisher_id"),
    "publisher_name": lambda known: known.publisher_name,
    "sub_id": _number("sub_id"),
}
"""Every fact that is known before a target is chosen."""
