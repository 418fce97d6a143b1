"""What is accepted when it is saved, and is probably not meant."""

from collections.abc import Iterator

from edge.model.base import Stored
from edge.model.config import Number, Target
from edge.model.inherited import SETTINGS
from edge.model.placeholders import names
from edge.routing.caps import zone_missing
from edge.routing.inheritance import is_own
from edge.routing.known import CAMPAIGN_KEYS, FACTS, OF_VISIT
from edge.services.errors import FieldError

KNOWN_AT_DIAL = {
    *FACTS, *OF_VISIT, *CAMPAIGN_KEYS, "call_key",
    "target_id", "target_name", "target_number", "buyer_id", "buyer_name",
}  # fmt: skip
"""The placeholders that a target's headers and address may name."""


def warnings_of(item: Stored) -> tuple[FieldError, ...]:
    """The warnings of an object as it is stored."""
    if isinstance(item, Number):
        return tuple(_number(item))
    return tuple(_target(item)) if isinstance(item, Target) else ()


def _number(number: Number) -> Iterator[FieldError]:
    if number.sub_id is not None and number.publisher_id is None and number.release is None:
        yield FieldError("sub_id", "this number has no publisher: reports show the sub_id below nobody")
    left = number.release
    if left is not None and left.cools_until <= left.released_at:
        why = "it does not cool: whoever gets it next also gets the callers of whoever had it"
        yield FieldError("release.cools_until", why)


def _target(target: Target) -> Iterator[FieldError]:
    zone = target.hours.timezone if target.hours is not None else None
    if zone not in (None, target.timezone) and zone_missing(target.caps):
        yield FieldError("timezone", f"its caps count by {target.timezone}, its hours go by {zone}")
    written = [("address", target.address)] if not target.address.startswith("+") else []
    for path, text in (*written, *((f"headers.{name}", value) for name, value in target.headers.items())):
        for name in names(text):
            if name not in KNOWN_AT_DIAL:
                yield FieldError(path, f"there is no placeholder [{name}]: it is left empty")


def keeps_settings(number: Number) -> tuple[FieldError, ...]:
    """The warnings of a number that has just changed its campaign."""
    own = [setting for setting in SETTINGS if is_own(number, setting)]
    why = "the number keeps its own value and does not follow the new campaign; lock it to follow"
    return tuple(FieldError(f"effective.{setting}", why) for setting in own)
