"""Large collections let go of bit by bit: 100,000 objects that go at once stop every thread meanwhile."""

from collections.abc import Callable
from typing import Any

_OFTEN = 25


def let_go(held: list[Any] | set[Any] | dict[Any, Any], breathe: Callable[[], None]) -> None:
    """Empties it, with a pause every now and then."""
    take = held.popitem if isinstance(held, dict) else held.pop
    while held:
        for _ in range(min(_OFTEN, len(held))):
            take()
        breathe()
