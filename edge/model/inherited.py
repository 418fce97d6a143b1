"""The four settings that a number inherits from its campaign unless it has its own."""

from typing import Any, Final, Literal, NamedTuple, get_args

Setting = Literal["routes", "prompts", "conversions", "webhooks"]
SETTINGS: Final[tuple[Setting, ...]] = get_args(Setting)


class Effective(NamedTuple):
    """What holds for a number; ``dormant`` is its own value while that is locked."""

    inherited: bool
    value: Any
    dormant: Any = None
