"""What is known of a peer now, beside its configuration: read only, and gone with a restart."""

from datetime import datetime
from typing import Literal

from edge.model.base import Record


class Reachability(Record):
    """Whether a peer answers OPTIONS.  ``since`` is the last change; ``reason`` why it last did not."""

    state: Literal["unknown", "up", "down"]
    since: datetime
    reason: str = ""


class Registration(Record):
    """Our registration with a trunk's registrar.

    ``since`` is the last change of state, ``expires_at`` when the registrar forgets us, ``reason`` why
    the last attempt failed.
    """

    state: Literal["registering", "registered", "failed"]
    since: datetime
    expires_at: datetime | None = None
    reason: str = ""
