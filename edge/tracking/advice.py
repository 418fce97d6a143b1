"""How large a pool should be: its own history, replayed with more numbers (Rule: number pools)."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

Stay = tuple[datetime, datetime]
"""From when until when a visit keeps a number from the others."""


class Visited(NamedTuple):
    """The first and the last use of the page; when the answered call was over after which it was not used any
    more, and when the last of its calls was, if there were any."""

    first: datetime
    last: datetime
    call_over: datetime | None = None
    busy_until: datetime | None = None


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


def advise(stays: Sequence[Stay], size: int, share: float) -> Advice:
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


def replay(stays: Sequence[Stay], size: int) -> int:
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


def _peak(stays: Sequence[Stay]) -> int:
    held: list[datetime] = []
    most = 0
    for arrival, end in stays:
        while held and held[0] <= arrival:
            heapq.heappop(held)
        heapq.heappush(held, end)
        most = max(most, len(held))
    return most


def stays_of(visits: Sequence[Visited], hold_s: int, after_call_s: int | None) -> list[Stay]:
    """Visits as the time that each keeps a number from the others.

    ``after_call_s`` after an answered call its number may go on, and does before a miss; None: not before
    its lease is over.  A number whose call lives goes to nobody.
    """
    hold = timedelta(seconds=hold_s)
    after_call = None if after_call_s is None else timedelta(seconds=after_call_s)
    return [(visit.first, _end(visit, hold, after_call)) for visit in visits]


def _end(visit: Visited, hold: timedelta, after_call: timedelta | None) -> datetime:
    end = visit.last + hold
    if after_call is not None and visit.call_over is not None:
        end = min(end, visit.call_over + after_call)
    return end if visit.busy_until is None else max(end, visit.busy_until)
