"""What was worked out once and holds for as long as a snapshot: found again without any work."""

from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST: Final = 4_096


class Remembered(dict[K, V], Generic[K, V]):
    """Results by what they follow from, at most ``MOST``: a full one starts anew."""

    __slots__ = ()

    def keep(self, key: K, value: V) -> V:
        """Remembers ``value``, and answers it."""
        if len(self) >= MOST:
            self.clear()
        self[key] = value
        return value
