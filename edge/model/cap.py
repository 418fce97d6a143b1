"""A limit on calls within a window."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.model.action import Action
from edge.model.base import Record
from edge.model.types import Count, Reference, WallTime, Weekday, minutes

CapWindow = Literal["block", "hour", "day", "month", "lifetime", "concurrency"]


class Cap(Record):
    """A limit on the calls of its owner within a window (Rule: caps).

    ``window`` is the block from ``from`` to ``to`` (wall time, on ``days`` or on all), the clock hour,
    the day or the month in the owner's zone, the ``lifetime`` until a reset by hand, or
    ``concurrency`` for calls at once (with ``from`` and ``to`` only for calls that arrive within).
    ``counts_on`` says what uses a slot up: the dial (``attempt``), the bridge (``connect``) or the
    conversion (``convert``).  ``strict`` reserves a slot before that, so that no call is ever over;
    without it only what is used counts.  ``limit`` null is unlimited, 0 accepts none.  ``id`` is given
    by the server and keeps the count over edits.  ``warning_percent`` of the limit is warned of.
    """

    id: Reference | None = None
    window: CapWindow
    limit: Count | None
    counts_on: Literal["attempt", "connect", "convert"] = "connect"
    strict: bool | None = None
    from_: WallTime | None = Field(default=None, alias="from")
    to: WallTime | None = None
    days: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    warning_percent: Annotated[int, Field(ge=1, le=100)] = 80
    on_cap: Action | None = None

    @property
    def is_strict(self) -> bool:
        """Whether slots are reserved; not of conversions unless set otherwise."""
        return self.counts_on != "convert" if self.strict is None else self.strict

    @property
    def warning(self) -> int:
        """The count at which a warning is due, 0 for none."""
        return 0 if self.limit is None else -(-self.limit * self.warning_percent // 100)

    @model_validator(mode="after")
    def _block(self) -> Self:
        bounded = self.from_ is not None or self.to is not None or self.days
        if bounded and self.window not in ("block", "concurrency"):
            raise ValueError("from, to and days belong to the windows 'block' and 'concurrency' only")
        if (self.window == "block" or bounded) and (self.from_ is None or self.to is None):
            raise ValueError("a block needs from and to, such as 09:00 and 17:00")
        if self.from_ is not None and self.to is not None and minutes(self.from_) >= minutes(self.to):
            raise ValueError("from must come before to on the same day; use two caps over midnight")
        return self

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if self.counts_on == "convert" and self.window == "concurrency":
            raise ValueError("calls at once are held while they last; counts_on convert does not fit")
        if self.strict and self.counts_on == "convert":
            raise ValueError("a cap on conversions is never strict: calls may convert after their end")
        if self.strict is False and self.window == "concurrency":
            raise ValueError("a cap on calls at once is always strict")
        return self


Caps = Annotated[tuple[Cap, ...], Field(max_length=50)]
