"""What pydantic found wrong: once for each fault."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError


def faults(error: ValidationError, **left_out: bool) -> Sequence[Any]:
    """Pydantic's errors (``include_input=False`` and the like leave something out of each), but for those of
    a list that is too short for want of entries that are wrong, and told of, themselves."""
    found = error.errors(include_url=False, **left_out)
    wrong = {each["loc"][:-1] for each in found}
    return [each for each in found if each["type"] != "too_short" or each["loc"] not in wrong]
