"""What is known of a common carrier: dated data that trunks name as their ``preset``."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from edge.model.base import Record
from edge.model.sip import CallerPlace, NumberFormatIn, SipSettings
from edge.model.trunk import PresetName, Trunk
from edge.model.types import Cidr, HeaderName, Name

Text = Annotated[str, StringConstraints(max_length=1000)]


class Preset(Record):
    """``as_of`` is when it was written, ``source`` the carrier's own page; without ``addresses`` a trunk
    needs its own.  From ``addresses`` on, the fields are those of a trunk."""

    name: PresetName
    title: Name
    as_of: date
    source: Text = ""
    notes: Text = ""
    addresses: Annotated[tuple[Cidr, ...], Field(max_length=500)] = ()
    proxy: Annotated[str, StringConstraints(min_length=3, max_length=500)] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"
    number_format_in: NumberFormatIn = "auto"
    caller_number_from: Annotated[tuple[CallerPlace, ...], Field(min_length=1, max_length=3)] = (
        "p_asserted_identity", "remote_party_id", "from",
    )  # fmt: skip
    called_number_from: Literal["request_uri", "to", "p_called_party_id", "diversion"] = "request_uri"
    attestation_header: HeaderName | None = None
    sip: SipSettings = SipSettings()

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
