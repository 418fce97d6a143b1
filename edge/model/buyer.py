"""Who takes calls, above the targets: buyers, and groups of targets with caps of their own."""

from typing import Annotated, Literal

from pydantic import Field

from edge.model.base import Record, Stored
from edge.model.cap import Caps
from edge.model.types import ExternalId, Name, Reference, Zone

Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class BuyerPermissions(Record):
    """What the tokens of a buyer may see beyond its calls: recordings, and its own caps and hours."""

    recordings: bool = False
    caps: bool = False
    hours: bool = False


class BuyerSpec(Record):
    """Whoever pays for calls; its caps count the calls of all its targets.

    ``timezone`` is the zone of its caps' windows.
    """

    name: Name
    external_id: ExternalId | None = None
    timezone: Zone | None = None
    caps: Caps = ()
    state: Literal["active", "paused"] = "active"
    permissions: BuyerPermissions = BuyerPermissions()


class Buyer(Stored, BuyerSpec):
    """A stored buyer."""


class GroupMember(Record):
    """A target of a group; null leaves priority or weight to the group's entry in the route."""

    target_id: Reference
    priority: Priority | None = None
    weight: Weight | None = None


class GroupSpec(Record):
    """Targets that a route names at once, as if they were listed singly (Rule: groups).

    ``timezone`` is the zone of its caps' windows.
    """

    name: Name
    external_id: ExternalId | None = None
    timezone: Zone | None = None
    members: Annotated[tuple[GroupMember, ...], Field(max_length=500)] = ()
    caps: Caps = ()
    state: Literal["active", "paused"] = "active"


class Group(Stored, GroupSpec):
    """A stored group of targets."""
