"""What strangers may send by one way, and who of them is banned: a bucket and a score for each source, and a
bucket for all of them.  No IO; ``now`` is in seconds of any clock that never goes back."""

from itertools import islice
from typing import Final, TypeVar

from edge.sip.bans import BanList, Reason
from edge.sip.meters import Bucket

K = TypeVar("K")
T = TypeVar("T")

OFFENCES: Final[dict[Reason, float]] = {
    "scanner": 60.0,
    "wrong credentials": 3.0,
    "unknown source": 1.0,
    "bad messages": 1.0,
    "no credentials": 0.5,  # every honest login begins with one
    "flood": 0.2,
}
BAN_AT: Final = 60.0
OCTETS: Final = 4096
"""Of a message that counts for one; a larger one takes longer to read, and counts for more."""
MAX_SOURCES: Final = 10_000


class Strangers:
    """``rate`` is in messages a second, of one source, and ``rate_of_all`` of all together: either has a
    burst of two seconds."""

    def __init__(self, rate: float, rate_of_all: float, now: float, *, datagrams_only: bool = False) -> None:
        self._rate, self._rate_of_all = rate, rate_of_all
        self._all = Bucket(rate_of_all, now)
        self.buckets: dict[str, Bucket] = {}
        self.bans = BanList(datagrams_only=datagrams_only)

    def take(self, source: str, cost: float, now: float) -> bool:
        """Whether a source may send this, which counts for so many messages."""
        bucket = self._bucket(source, now)
        self._all.refill(self._rate_of_all, now)
        return bucket.take(cost) and self._all.take(cost)

    def offend(self, source: str, reason: Reason, now: float) -> bool:
        """Adds to a source's score; True when that banned it."""
        bucket = self._bucket(source, now)
        bucket.score += OFFENCES[reason]
        if bucket.worst is None or OFFENCES[reason] > OFFENCES[bucket.worst]:
            bucket.worst = reason
        if bucket.score < BAN_AT:
            return False
        self.bans.add(source, bucket.worst, now)
        bucket.score, bucket.worst = 0.0, None
        return True

    def forget(self, source: str) -> None:
        """What a source has sent until now counts no more."""
        self.buckets.pop(source, None)

    def lift(self, source: str | None) -> bool:
        """Ends the ban of a source, or all (None), and forgets their scores; False if there was none."""
        if source is None:
            self.buckets.clear()
            self.bans.clear()
            return True
        self.forget(source)
        return self.bans.lift(source)

    def _bucket(self, source: str, now: float) -> Bucket:
        bucket = self.buckets.get(source)
        if bucket is None:
            bucket = Bucket(self._rate, now)
            remember(self.buckets, source, bucket)
        else:
            bucket.refill(self._rate, now)
        return bucket


def cost_of(size: int) -> float:
    """What a message of so many octets counts for."""
    return 1.0 + size // OCTETS


def remember(table: dict[K, T], key: K, value: T, most: int = MAX_SOURCES) -> None:
    """Puts a value; of a full table (``most``) the tenth goes first that was put there before all others."""
    if key not in table and len(table) >= most:
        for old in list(islice(table, most // 10)):
            del table[old]
    table[key] = value
