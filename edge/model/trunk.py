"""Trunks: carriers, who send us calls and take ours (see ``edge.model.config``)."""

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import FailFast, Field, StringConstraints, model_validator

from edge.model.base import Record, Stored
from edge.model.sip import CallerPlace, NumberFormatIn, RegisterSpec, SipSettings
from edge.model.types import Cidr, Count, ExternalId, HeaderName, Name, Password, Reference, Username

# Pydantic takes the metaclass's method of that name for an attribute that the field shadows.
warnings.filterwarnings("ignore", message='Field name "register"')

Destination = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\+[1-9]\d{0,14})$")]
PresetName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


class OutboundLimits(Record):
    """What may go out through a trunk (rule: Toll fraud); null is unlimited.

    ``destinations`` are countries (``US``) and beginnings of numbers (``+4930``).
    """

    destinations: Annotated[tuple[Destination, ...], Field(max_length=500)] | None = None
    max_calls: Count | None = None
    max_cps: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    max_minutes_per_day: Count | None = None


class TrunkSpec(Record):
    """A carrier's trunk: by source address, by credentials, or by both.

    What is left out is taken from the ``preset`` of that name, if one is named.

    ``addresses`` alone: accepted by source; credentials alone: challenged from anywhere; both:
    both must hold.  ``proxy`` is the SIP URI that calls to phone-number targets are sent to.
    ``register`` keeps us registered with the carrier, and logs those calls in.
    ``country`` and ``number_format_in`` say how the carrier writes numbers, ``caller_number_from`` and
    ``called_number_from`` where; a carrier that asserts no identities is believed in ``from`` alone.
    ``max_calls`` and ``max_cps`` limit the carrier's calls to us, ``outbound`` ours through it.
    ``attestation_header`` is a header of the carrier's own that says what it found of a caller's number.
    """

    name: Name
    preset: PresetName | None = None
    external_id: ExternalId | None = None
    # The first wrong address ends the check: telling 10,000 of them would hold the loop.
    addresses: Annotated[tuple[Cidr, ...], Field(max_length=500), FailFast()] = ()
    username: Username | None = None
    password: Password | None = None
    proxy: Annotated[str, StringConstraints(min_length=3, max_length=500)] | None = None
    register: RegisterSpec | None = None
    sip: SipSettings = SipSettings()
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"
    number_format_in: NumberFormatIn = "auto"
    caller_number_from: Annotated[tuple[CallerPlace, ...], Field(min_length=1, max_length=3)] = (
        "p_asserted_identity", "remote_party_id", "from",
    )  # fmt: skip
    called_number_from: Literal["request_uri", "to", "p_called_party_id", "diversion"] = "request_uri"
    attestation_header: HeaderName | None = None
    default_number_id: Reference | None = None
    max_calls: Count | None = None
    max_cps: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    outbound: OutboundLimits | None = None
    state: Literal["active", "paused"] = "active"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.addresses and self.username is None and self.preset is None:
            raise ValueError("a trunk needs addresses, or username and password, or both")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self


class Trunk(Stored, TrunkSpec):
    """A stored trunk.  ``overrides`` are the fields that were written, which its preset does not fill."""

    overrides: tuple[str, ...] = ()

    # Said again: pydantic would take the metaclass's method of that name for the inherited default.
    register: RegisterSpec | None = None


def written_fields(spec: TrunkSpec) -> tuple[str, ...]:
    """The fields that a new trunk sets itself; those of ``sip`` one by one."""
    return _sorted({*(f"sip.{name}" for name in spec.sip.model_fields_set), *spec.model_fields_set})


def rewritten_fields(before: tuple[str, ...], changes: Mapping[str, Any]) -> tuple[str, ...]:
    """The same after a merge patch: null gives a field back to the preset."""
    fields = set(before)
    for name, value in changes.items():
        inner = value if name == "sip" and isinstance(value, Mapping) else {}
        if value is None and name == "sip":
            fields = {field for field in fields if not field.startswith("sip.")}
        for path, part in ((name, value), *((f"sip.{key}", part) for key, part in inner.items())):
            (fields.discard if part is None else fields.add)(path)
    return _sorted(fields)


def _sorted(fields: set[str]) -> tuple[str, ...]:
    return tuple(sorted(fields - {"name", "preset", "external_id", "sip", "overrides"}))
