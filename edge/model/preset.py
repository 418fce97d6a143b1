"""What is known of a common carrier: dated data that trunks name as their ``preset``."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from edge.model.base import Record
from edge.model.sip import SIP_URI, CallerPlace, NumberFormatIn, SipSettings
from edge.model.trunk import PresetName, Trunk
from edge.model.types import Cidr, HeaderName, Name

Text = Annotated[str, StringConstraints(max_length=1000)]
Confirmed = Literal["carrier", "agreeing", "operator", "none"]
"""Who says that addresses are a carrier's: its own page, two or more independent public sources that agree,
the operator's own file; ``none`` without addresses."""


class Preset(Record):
    """``as_of`` is when it was compared with its sources: ``source`` is the carrier's own page, ``evidence``
    what else was read.  ``media_addresses`` are for firewalls: audio is taken from where it comes.
    Without ``addresses`` a trunk needs its own.  From ``addresses`` on, the fields are those of a trunk."""

    name: PresetName
    title: Name
    as_of: date
    source: Text = ""
    confirmed: Confirmed = "none"
    evidence: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    notes: Text = ""
    media_addresses: Annotated[tuple[Cidr, ...], Field(max_length=500)] = ()
    addresses: Annotated[tuple[Cidr, ...], Field(max_length=500)] = ()
    proxy: Annotated[str, StringConstraints(pattern=f"^{SIP_URI}$")] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"
    number_format_in: NumberFormatIn = "auto"
    caller_number_from: Annotated[tuple[CallerPlace, ...], Field(min_length=1, max_length=3)] = (
        "p_asserted_identity", "remote_party_id", "from",
    )  # fmt: skip
    called_number_from: Literal["request_uri", "to", "p_called_party_id", "diversion"] = "request_uri"
    attestation_header: HeaderName | None = None
    sip: SipSettings = SipSettings()

    @model_validator(mode="after")
    def _accounted_for(self) -> Self:
        """Nobody is let in whose address nobody vouches for."""
        if bool(self.addresses) == (self.confirmed == "none"):
            raise ValueError('confirmed says who vouches for the addresses, and is "none" without any')
        if self.confirmed == "agreeing" and len(self.evidence) < 2:
            raise ValueError("sources that agree are two or more: name them in evidence")
        if self.confirmed == "carrier" and not self.source:
            raise ValueError("name the carrier's page in source")
        return self

    def filled(self, trunk: Trunk) -> Trunk:
        """The trunk with everything of the preset that it does not set itself."""
        own = frozenset(trunk.overrides)
        changes: dict[str, Any] = {name: getattr(self, name) for name in _OF_A_TRUNK if name not in own}
        ours = {n: getattr(self.sip, n) for n in SipSettings.model_fields if f"sip.{n}" not in own}
        changes["sip"] = trunk.sip.model_copy(update=ours)
        return trunk.model_copy(update=changes)


_OF_A_TRUNK = tuple(
    name for name in Preset.model_fields if name in Trunk.model_fields and name not in ("name", "sip")
)
