"""Who is heard at all: a token bucket and a score per unknown source, asked before anything is parsed.

Known sources (trunks, targets, proxies in front, the allow list) may send what an honest one never
reaches; a trunk has one bucket for all its addresses, and what is over it is lost as on a bad line, or read
later.  Everybody else may send a little; what is no SIP, comes from no trunk, or fails to log in adds to
the source's score, which decays; too much of it bans the source for a while.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

from edge.networks import source_of
from edge.sip.bans import Ban, BanList, Reason
from edge.sip.meters import Allowance, Bucket, Meter
from edge.sip.ways import Ways

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
RATE: Final = 50.0
"""Messages a second of one unknown source, with a burst of two seconds."""
RATE_OF_ALL: Final = 1000.0
"""The same of all unknown sources together: source addresses of datagrams can be forged."""
MAX_SOURCES: Final = 10_000
TELL_S: Final = 0.1
"""Seconds between two tellings of one owner's flood."""
FREE_S: Final = 60.0
"""Seconds for which a known source is not asked about again."""
HANDSHAKE: Final = 10.0
"""Messages that a TLS handshake counts for: it costs us a signature."""
PROVEN_S: Final = 86_400.0
"""Seconds for which who has logged in is no stranger: a trunk without addresses must be heard though
strangers, or somebody in their names, send all that such may."""
DIALLED_S: Final = 3600.0
"""The same for who was dialled by us."""


class Sources(Protocol):
    """Who the sources are; asked again at times, and after each edit of the configuration."""

    def knows(self, host: str) -> bool:
        """Whether an address may never be banned."""
        ...

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        """What an address that is known, has logged in, or was ``dialled`` by us, may send."""
        ...

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        """An address, among others of its owner, has sent so many messages more than its allowance."""
        ...


class Friends:
    """Everybody is known."""

    def knows(self, host: str) -> bool:
        """They are."""
        return True

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        """Without a limit."""
        return Allowance("", math.inf)

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        """Never called: nobody has a limit."""


class _Pace:
    """An address that is known, and the meter that it shares, as they were found: until ``until``."""

    __slots__ = ("allowance", "meter", "until")

    def __init__(self, allowance: Allowance, meter: Meter, until: float) -> None:
        self.allowance, self.meter, self.until = allowance, meter, until


class Guard:
    """Judges sources by their address.  ``sources`` tells whether one may never be banned; it is asked
    again before anything of a stranger is dropped, so that an edit of the configuration holds at once.
    ``ways`` are the hosts to which dialogs go on: no strangers either, for as long as those live.

    ``counters``: ``dropped_banned``, ``dropped_flood``, ``bans_imposed``; of known sources over their
    allowance ``dropped_known_flood`` (datagrams) and ``slowed_known_flood`` (messages of streams).
    """

    def __init__(self, clock: Callable[[], float], sources: Sources) -> None:
        self._clock = clock
        self._sources = sources
        self._paced: dict[str, _Pace] = {}
        self._meters: dict[str, Meter] = {}
        self._proven: dict[str, float] = {}
        self._dialled: dict[str, float] = {}
        self.ways = Ways()
        self._buckets: dict[str, Bucket] = {}
        self._all = Bucket(RATE_OF_ALL, clock())
        self._bans = BanList()
        self.counters: Counter[str] = Counter()

    def admits(self, host: str, cost: float = 1.0) -> bool:
        """Whether to read what this address has sent: asked once for each datagram or connection.

        ``cost`` is what it counts for, in messages.
        """
        now = self._clock()
        pace = self._paced.get(host)
        if pace is None or pace.until <= now:
            pace = self._known(host, now)
            if pace is None:
                return self._admits_stranger(source_of(host), now, cost)
        if pace.meter.takes(cost, now):
            return True
        self.counters["dropped_known_flood"] += 1
        self._tell(host, pace, now)
        return False

    def pause_s(self, host: str) -> float | None:
        """The same for a message of a stream: None, or how many seconds not to read on after it.

        What is known is slowed down and not cut off, for nothing that came over a stream comes again.
        """
        now = self._clock()
        pace = self._paced.get(host)
        if pace is None or pace.until <= now:
            pace = self._known(host, now)
            if pace is None:
                return 0.0 if self._admits_stranger(source_of(host), now, 1.0) else None
        over_s = pace.meter.over_s(now)
        if over_s > 0.0:
            self.counters["slowed_known_flood"] += 1
            self._tell(host, pace, now)
        return over_s

    def _admits_stranger(self, source: str, now: float, cost: float) -> bool:
        if self._bans.holds(source, now):
            self.counters["dropped_banned"] += 1
            return False
        bucket = self._bucket(source, now)
        self._all.refill(RATE_OF_ALL, now)
        if bucket.take(cost) and self._all.take(cost):
            return True
        self.counters["dropped_flood"] += 1
        self._score(source, bucket, "flood")
        return False

    def is_free(self, host: str) -> bool:
        """Whether an address that was admitted is no stranger's: known, logged in, or dialled."""
        return host in self._paced or self._known(host, self._clock()) is not None

    def banned(self, host: str) -> bool:
        """Whether an address is banned: for sources that only a message tells (behind a proxy)."""
        now = self._clock()
        return not self._never_banned(host, now) and self._bans.holds(source_of(host), now)

    def offend(self, host: str, reason: Reason, *, certain: bool = False) -> None:
        """Notes an offence of an address; known ones are forgiven.

        Who has logged in is forgiven, too, unless it is ``certain`` that nobody else has forged it: one
        datagram in the name of a trunk without addresses would do, else, to keep the trunk off.
        """
        now = self._clock()
        if not self._never_banned(host, now) and (certain or self._proven.get(host, 0.0) <= now):
            source = source_of(host)
            if self._score(source, self._bucket(source, now), reason):
                self._proven.pop(host, None)
                self._paced.pop(host, None)

    def proven(self, host: str) -> None:
        """Someone there has just logged in with right credentials."""
        self._trust(self._proven, host, PROVEN_S)
        self._buckets.pop(source_of(host), None)

    def dialled(self, host: str) -> None:
        """We send a call there: answers will come, and it is never banned."""
        self._trust(self._dialled, host, DIALLED_S)

    def is_dialled(self, host: str) -> bool:
        """Whether we dialled an address within the hour."""
        return self._dialled.get(host, 0.0) > self._clock()

    def reconsider(self) -> None:
        """The configuration was edited: everybody is looked up again."""
        self._paced.clear()

    # -- for whoever operates the server -------------------------------------------------------------

    def active(self, limit: int) -> Sequence[Ban]:
        """The newest bans that hold; of sources that have become known meanwhile none does."""
        now = self._clock()
        found = self._bans.active(now)
        return list(islice((ban for ban in found if not self._never_banned(ban.source, now)), limit))

    def remembered(self) -> list[Ban]:
        """Every ban that a further one would count, oldest first."""
        return self._bans.remembered(self._clock())

    def remember(self, bans: Iterable[Ban]) -> None:
        """Takes up bans of before the start, oldest first, but for those whose source is known now.

        What was noted by a clock that was ahead lasts no longer than a ban can.
        """
        now = self._clock()
        for ban in bans:
            if not self._never_banned(ban.source, now):
                self._bans.put(ban.mended(now))

    def figures(self) -> dict[str, int]:
        """The counters, and ``bans`` that hold now."""
        return {**self.counters, "bans": len(self._bans.active(self._clock()))}

    def lift(self, source: str | None) -> bool:
        """Ends the ban of a source or address, or all (None); False if there was none of it."""
        if source is None:
            self._bans.clear()
            self._buckets.clear()
            return True
        key = source_of(source.removesuffix("/64").removesuffix("/32"))
        self._buckets.pop(key, None)
        return self._bans.lift(key)

    # -- inside ----------------------------------------------------------------------------------------

    def _never_banned(self, host: str, now: float) -> bool:
        """Whether an address is known; of a banned network its first one tells."""
        host = host.partition("/")[0]
        return self._dialled.get(host, 0.0) > now or host in self.ways or self._sources.knows(host)

    def _known(self, host: str, now: float) -> _Pace | None:
        """Looks an address up anew: how it is paced; None for a stranger."""
        self._paced.pop(host, None)
        if self._proven.get(host, 0.0) <= now and not self._never_banned(host, now):
            return None
        allowance = self._sources.allowance(host, dialled=self._dialled.get(host, 0.0) > now)
        meter = self._meters.get(allowance.owner)
        if meter is None:
            meter = Meter()
            _remember(self._meters, allowance.owner, meter)
        meter.seconds = 1.0 / allowance.per_second
        pace = _Pace(allowance, meter, now + FREE_S)
        _remember(self._paced, host, pace)
        return pace

    def _tell(self, host: str, pace: _Pace, now: float) -> None:
        """Of messages over an allowance, now and then: to tell of each would cost more than to drop it."""
        meter = pace.meter
        meter.untold += 1
        if now >= meter.tell_at:
            meter.tell_at = now + TELL_S
            self._sources.flooded(host, pace.allowance, meter.untold)
            meter.untold = 0

    def _trust(self, table: dict[str, float], host: str, seconds: float) -> None:
        """Notes an address for so long; it is looked up again if that is news."""
        now = self._clock()
        if table.pop(host, 0.0) <= now:
            self._paced.pop(host, None)
        _remember(table, host, now + seconds)

    def _bucket(self, source: str, now: float) -> Bucket:
        bucket = self._buckets.get(source)
        if bucket is None:
            bucket = Bucket(RATE, now)
            _remember(self._buckets, source, bucket)
        else:
            bucket.refill(RATE, now)
        return bucket

    def _score(self, source: str, bucket: Bucket, reason: Reason) -> bool:
        """Adds to a score (just brought up to date); True when that banned the source."""
        bucket.score += OFFENCES[reason]
        if bucket.worst is None or OFFENCES[reason] > OFFENCES[bucket.worst]:
            bucket.worst = reason
        if bucket.score < BAN_AT:
            return False
        self._bans.add(source, bucket.worst, bucket.at)
        bucket.score, bucket.worst = 0.0, None
        self.counters["bans_imposed"] += 1
        return True


def _remember(table: dict[str, T], key: str, value: T) -> None:
    """Puts a value; from a full table the tenth goes first that was put there before all others."""
    if key not in table and len(table) >= MAX_SOURCES:
        for old in list(table)[: MAX_SOURCES // 10]:
            del table[old]
    table[key] = value
