"""How large a pool should be: its own history, replayed with more numbers (Rule: number pools)."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Advice:
    """``visits`` replayed with the numbers that there are came to ``misses``, and to ``misses_then`` with
    ``size``, the fewest numbers that end the wanted share of them.  ``peak`` is how many numbers
    would have been held at once if no visit had gone without.
    """

    visits: int
    misses: int
    size: int
    misses_then: int
    peak: int


def advise(stays: Sequence[tuple[datetime, datetime]], size: int, share: float) -> Advice:
    """The size that would have ended ``share`` of the misses; ``stays`` are visits by their arrival, each
    with the instant at which its lease ended."""
    peak, misses = _peak(stays), replay(stays, size)
    allowed = int(misses * (1 - share) + 1e-9)
    low, high = size, max(size, peak)
    while low < high:
        middle = (low + high) // 2
        if replay(stays, middle) <= allowed:
            high = middle
        else:
            low = middle + 1
    return Advice(len(stays), misses, low, replay(stays, low), peak)


def replay(stays: Sequence[tuple[datetime, datetime]], size: int) -> int:
    """How many visits would have found no number among so many."""
    held: list[datetime] = []
    misses = 0
    for arrival, end in stays:
        while held and held[0] <= arrival:
            heapq.heappop(held)
        if len(held) < size:
            heapq.heappush(held, end)
        else:
            misses += 1
    return misses


def _peak(stays: Sequence[tuple[datetime, datetime]]) -> int:
    held: list[datetime] = []
    most = 0
    for arrival, end in stays:
        while held and held[0] <= arrival:
            heapq.heappop(held)
        heapq.heappush(held, end)
        most = max(most, len(held))
    return most


def stays_of(visits: Sequence[tuple[datetime, datetime]], hold_s: int) -> list[tuple[datetime, datetime]]:
    """Visits by their first and last use of the page, as the time that each keeps a number."""
    hold = timedelta(seconds=hold_s)
    return [(first, last + hold) for first, last in visits]
