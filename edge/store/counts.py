"""What is taken of each cap, as routing and the API see it: advice kept from the writer's answers."""

from collections.abc import Iterable
from datetime import date, timedelta

from edge.model.ledger import CapCount

_PRUNE_FROM = 50_000


class Counts:
    """Used and reserved by cap and window; a moment old at most.  Read and fed on the loop."""

    __slots__ = ("_by_window", "_prune_at")

    def __init__(self) -> None:
        self._prune_at = _PRUNE_FROM
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
            self._by_window[count.cap_id, count.window] = count
        if len(self._by_window) > self._prune_at:
            self._prune()

    def _prune(self) -> None:
        """Forgets the windows of days that are over everywhere: no call asks for them any more."""
        dated = {window[:10] for _, window in self._by_window if len(window) >= len("2026-11-22")}
        past = (date.fromisoformat(max(dated)) - timedelta(days=2)).isoformat() if dated else ""
        self._by_window = {
            key: count
            for key, count in self._by_window.items()
            if count.reserved or len(key[1]) < len(past) or key[1] >= past
        }
        self._prune_at = max(_PRUNE_FROM, 2 * len(self._by_window))
