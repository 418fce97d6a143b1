"""What is accepted when it is saved, and is probably not meant."""

from collections.abc import Iterator

from edge.model.base import Stored
from edge.model.config import Number
from edge.model.inherited import SETTINGS
from edge.routing.inheritance import is_own
from edge.services.errors import FieldError


def warnings_of(item: Stored) -> tuple[FieldError, ...]:
    """The warnings of an object as it is stored."""
    if isinstance(item, Number):
        return tuple(_number(item))
    return ()


def _number(number: Number) -> Iterator[FieldError]:
    if number.sub_id is not None and number.publisher_id is None and number.release is None:
        yield FieldError("sub_id", "this number has no publisher: reports show the sub_id below nobody")


def keeps_settings(number: Number) -> tuple[FieldError, ...]:
    """The warnings of a number that has just changed its campaign."""
    own = [setting for setting in SETTINGS if is_own(number, setting)]
    why = "the number keeps its own value and does not follow the new campaign; lock it to follow"
    return tuple(FieldError(f"effective.{setting}", why) for setting in own)
