"""What is taken of each cap, as routing and the API see it: advice kept from the writer's answers."""

from collections.abc import Iterable

from edge.model.ledger import CapCount


class Counts:
    """Used and reserved by cap and window; a moment old at most.  Read and fed on the loop."""

    __slots__ = ("_by_window",)

    def __init__(self) -> None:
        self._by_window: dict[tuple[str, str], CapCount] = {}

    def taken(self, cap_id: str, window: str) -> int:
        """Slots taken (used plus reserved) of the window of a cap; 0 of one never heard of."""
        found = self._by_window.get((cap_id, window))
        return 0 if found is None else found.used + found.reserved

    def count(self, cap_id: str, window: str) -> CapCount:
        """The same in two parts."""
        return self._by_window.get((cap_id, window)) or CapCount(cap_id, window, 0, 0)

    def update(self, moved: Iterable[CapCount]) -> None:
        """What a commit changed."""
        for count in moved:
            self._by_window[(count.cap_id, count.window)] = count
