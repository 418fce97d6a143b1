"""What is taken of each cap, as routing sees it: advice kept from the writer's answers."""


class Counts:
    """Used plus reserved by cap and window; a moment old at most.  Read and fed on the loop."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], int] = {}

    def taken(self, cap_id: str, window: str) -> int:
        """Slots taken of the window of a cap; 0 of one never heard of."""
        return self._taken.get((cap_id, window), 0)

    def update(self, changes: dict[tuple[str, str], int]) -> None:
        """What a commit changed."""
        self._taken.update(changes)
