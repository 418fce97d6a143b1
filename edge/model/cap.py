"""A limit on calls within a window."""

from typing import Annotated, Literal

from pydantic import Field

from edge.model.action import Action
from edge.model.base import Record
from edge.model.types import Count, Reference


class Cap(Record):
    """A limit on the calls of its owner within a window (Rule: caps).

    ``window`` is the calendar day in the owner's zone, or ``concurrency`` for calls at once.
    ``counts_on`` says what uses a slot up: the dial (``attempt``) or the bridge (``connect``); a
    slot is reserved before that and given back when it can not happen any more.  ``limit`` null
    is unlimited, 0 accepts none.  ``id`` is given by the server and keeps the count over edits.
    """

    id: Reference | None = None
    window: Literal["day", "concurrency"]
    limit: Count | None
    counts_on: Literal["attempt", "connect"] = "connect"
    on_cap: Action | None = None


Caps = Annotated[tuple[Cap, ...], Field(max_length=50)]
