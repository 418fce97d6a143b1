"""Who is heard at all: a token bucket and a score per unknown source, asked before anything is parsed.

Known sources (trunks, targets, proxies in front, the allow list) may send what an honest one never
reaches; a trunk has one bucket for all its addresses, and what is over it is lost as on a bad line, or read
later.  Everybody else may send a little; what is no SIP, comes from no trunk, or fails to log in adds to
the source's score, which decays; too much of it bans the source for a while.

Anybody can forge a datagram's source.  So what datagrams tell against a source holds for its datagrams alone,
and where strangers may log in it is heard a little nevertheless; and what only somebody can have sent who
hears our answers goes first: what answers a challenge of ours, or has the tag of a dialog of ours.  A first
request, which is like any forged one, is known by its patience: it comes again.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from edge.networks import first_of, source_of
from edge.sip.bans import Ban, Reason
from edge.sip.known import Sources
from edge.sip.meters import Allowance, Bucket, Meter
from edge.sip.repeats import Repeats
from edge.sip.strangers import OCTETS, Strangers, cost_of, remember
from edge.sip.ways import Ways

RATE: Final = 50.0
"""Messages a second of one unknown source, with a burst of two seconds: the same again over connections."""
RATE_OF_ALL: Final = 1000.0
"""The same of all unknown sources together: source addresses of datagrams can be forged."""
SUSPECT_RATE: Final = 10.0
"""Datagrams a second of a source that is banned for what may have been forged, where strangers may log in;
as many again of any source that come again patiently."""
SUSPECT_RATE_OF_ALL: Final = 200.0
ANSWERS: Final = 5000.0
"""Datagrams a second of which it is found out whether they answer a challenge: each takes 8 us."""
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
MOST_EXAMINED: Final = 1000
"""Bans of which the figures know whether they have any effect: the newest."""


class _Pace:
    """An address that is known, and the meter that it shares, as they were found: until ``until``."""

    __slots__ = ("allowance", "meter", "until")

    def __init__(self, allowance: Allowance, meter: Meter, until: float) -> None:
        self.allowance, self.meter, self.until = allowance, meter, until


class Guard:
    """Judges sources by their address.  ``sources`` tells whether one may never be banned; it is asked
    again before anything of a stranger is dropped, so that an edit of the configuration holds at once.
    ``ways`` are the hosts to which dialogs go on: no strangers either, for as long as those live.
    ``answers`` says whether a datagram answers a challenge that was sent to its source, ``in_call`` whether
    one has the tag of a dialog of ours, or takes back a call.

    ``counters``: ``dropped_banned``, ``dropped_flood``, ``bans_imposed``; of known sources over their
    allowance ``dropped_known_flood`` (datagrams) and ``slowed_known_flood`` (messages of streams).
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sources: Sources,
        answers: Callable[[str, bytes], bool] = lambda host, data: False,
    ) -> None:
        self._clock = clock
        self._sources = sources
        self._answers = answers
        self.in_call: Callable[[bytes], bool] = lambda data: False
        self._paced: dict[str, _Pace] = {}
        self._meters: dict[str, Meter] = {}
        self._in_calls: dict[str, Meter] = {}
        self._proven: dict[str, float] = {}
        self._dialled: dict[str, float] = {}
        self.ways = Ways()
        now = clock()
        self._certain = Strangers(RATE, RATE_OF_ALL, now)
        self._forgeable = Strangers(RATE, RATE_OF_ALL, now, datagrams_only=True)
        self._suspect = Strangers(SUSPECT_RATE, SUSPECT_RATE_OF_ALL, now)
        self._patient = Strangers(SUSPECT_RATE, SUSPECT_RATE_OF_ALL, now)
        self._repeats = Repeats()
        self._asked = Bucket(ANSWERS, now)
        self.counters: Counter[str] = Counter()

    def admits(self, host: str, data: bytes = b"") -> bool:
        """Whether to read a datagram that this address has sent."""
        now = self._clock()
        pace = self._paced.get(host)
        if pace is None or pace.until <= now:
            pace = self._known(host, now)
            if pace is None:
                return self._admits_stranger(host, data, now)
        cost = 1.0 if len(data) < OCTETS else min(cost_of(len(data)), max(1.0, pace.allowance.per_second))
        if pace.meter.takes(cost, now) or (self.in_call(data) and self._in_call(pace.allowance, now)):
            return True
        return self._drop_known(host, pace, now)

    def lets_in(self, host: str, cost: float = 1.0) -> bool:
        """The same for a connection, before anything is done for it; ``cost`` is in messages."""
        now = self._clock()
        pace = self._pace(host, now)
        if pace is None:
            return self._connects(source_of(host), cost, now)
        return pace.meter.takes(cost, now) or self._drop_known(host, pace, now)

    def pause_s(self, host: str, size: int = 0) -> float | None:
        """The same for a message of a stream, or a part of one with so many octets: None, or how many seconds
        not to read on after it.

        What is known is slowed down and not cut off, for nothing that came over a stream comes again.
        """
        now = self._clock()
        pace = self._pace(host, now)
        if pace is None:
            return 0.0 if self._connects(source_of(host), cost_of(size), now) else None
        over_s = pace.meter.over_s(now)
        if over_s > 0.0:
            self.counters["slowed_known_flood"] += 1
            self._tell(host, pace, now)
        return over_s

    def _admits_stranger(self, host: str, data: bytes, now: float) -> bool:
        """A datagram: one that nobody can have forged is none of the forged ones' fault."""
        source, forgeable = source_of(host), self._forgeable
        ban = self._certain.bans.of(source, now)
        if ban is None:
            ban = forgeable.bans.of(source, now)
            heard = forgeable if ban is None else self._suspect if self._sources.may_log_in else None
            cost = cost_of(len(data))
            if heard is not None and heard.take(source, cost, now):
                return True
            if self._is_real(host, data) and self._certain.take(source, cost, now):
                return True
            again = self._sources.may_log_in and self._repeats.is_patient(host, data, now)
            if again and self._patient.take(source, cost, now):
                return True
        self._drop(ban)
        if ban is None:
            self._offend(forgeable, source, "flood", now)
        return False

    def _connects(self, source: str, cost: float, now: float) -> bool:
        """What came over a connection, or wants to make one: nobody else can have sent that."""
        ban = self._certain.bans.of(source, now)
        if ban is None and self._certain.take(source, cost, now):
            return True
        self._drop(ban)
        if ban is None:
            self._offend(self._certain, source, "flood", now)
        return False

    def _is_real(self, host: str, data: bytes) -> bool:
        """Whether who sent a datagram hears what we send there."""
        return self.in_call(data) or self._answered(host, data)

    def _answered(self, host: str, data: bytes) -> bool:
        now = self._clock()
        self._asked.refill(ANSWERS, now)
        return self._asked.take(1.0) and self._answers(host, data)

    def _drop(self, ban: Ban | None) -> None:
        if ban is not None:
            ban.dropped += 1
        self.counters["dropped_flood" if ban is None else "dropped_banned"] += 1

    def is_free(self, host: str) -> bool:
        """Whether an address that was admitted is no stranger's: known, logged in, or dialled."""
        return host in self._paced or self._known(host, self._clock()) is not None

    def banned(self, host: str, login: bytes = b"") -> bool:
        """Whether an address is banned: for sources that only a message tells (behind a proxy).

        ``login`` are its credentials.
        """
        now, source = self._clock(), source_of(host)
        if self._never_banned(host, now):
            return False
        ban = self._certain.bans.of(source, now)
        if ban is None:
            ban = self._forgeable.bans.of(source, now)
            if ban is None or (
                self._sources.may_log_in
                and (self._suspect.take(source, 1.0, now) or self._answered(host, login))
            ):
                return False
        self._drop(ban)
        return True

    def offend(self, host: str, reason: Reason, *, certain: bool = False) -> None:
        """Notes an offence of an address; known ones are forgiven.  ``certain``: nobody else can have sent
        it, since it came over a connection, or answers what we sent there.

        Who has logged in is forgiven all but wrong answers to our challenges, or somebody at the same address
        (or, by a single datagram, anybody) could keep a trunk without addresses off.
        """
        now = self._clock()
        if self._never_banned(host, now):
            return
        guesses = certain and reason == "wrong credentials"
        if self._proven.get(host, 0.0) > now and not guesses:
            return
        source = source_of(host)
        if certain and self._offend(self._certain, source, reason, now):
            self._proven.pop(host, None)
            self._paced.pop(host, None)
        elif not certain and self._forgeable.bans.of(source, now) is None:
            self._offend(self._forgeable, source, reason, now)

    def proven(self, host: str, until: float | None = None) -> None:
        """Someone there has just logged in with right credentials, or (``until``) before the start."""
        now = self._clock()
        self._trust(self._proven, host, PROVEN_S if until is None else min(until - now, PROVEN_S))
        self._certain.forget(source_of(host))
        self._forgeable.lift(source_of(host))  # what was sent in its name

    def is_proven(self, host: str) -> bool:
        """Whether someone there has logged in, and has not been banned since."""
        return self._proven.get(host, 0.0) > self._clock()

    def dialled(self, host: str) -> None:
        """We send a call there: answers will come, and it is never banned."""
        self._trust(self._dialled, host, DIALLED_S)

    def is_dialled(self, host: str) -> bool:
        """Whether we dialled an address within the hour."""
        return self._dialled.get(host, 0.0) > self._clock()

    def reconsider(self) -> None:
        """The configuration was edited: everybody is looked up again."""
        for host in self._sources.reconsider():
            self._proven.pop(host, None)
        self._paced.clear()

    # -- for whoever operates the server -------------------------------------------------------------

    def active(self, limit: int) -> Sequence[Ban]:
        """The newest bans that hold; of sources that have become known meanwhile none does."""
        now = self._clock()
        found = (ban for ban in self._held(now) if not self._never_banned(ban.source, now))
        return list(islice(found, limit))

    def remembered(self) -> list[Ban]:
        """Every ban that a further one would count, oldest first; of a source the one that is certain."""
        now = self._clock()
        found = {ban.source: ban for ban in self._forgeable.bans.remembered(now)}
        return list((found | {ban.source: ban for ban in self._certain.bans.remembered(now)}).values())

    def remember(self, bans: Iterable[Ban]) -> None:
        """Takes up bans of before the start, oldest first, but for those whose source is known now.

        What was noted by a clock that was ahead lasts no longer than a ban can.
        """
        now = self._clock()
        for ban in bans:
            if not self._never_banned(ban.source, now):
                (self._forgeable if ban.datagrams_only else self._certain).bans.put(ban.mended(now))

    def figures(self) -> dict[str, int]:
        """The counters, and ``bans`` that hold now."""
        now = self._clock()
        held = list(self._held(now))
        idle = sum(self._never_banned(ban.source, now) for ban in held[:MOST_EXAMINED])
        return {**self.counters, "bans": len(held) - idle}

    def lift(self, source: str | None) -> bool:
        """Ends the ban of a source or address, or all (None); False if there was none of it."""
        key = None if source is None else source_of(first_of(source))
        lifted = self._certain.lift(key)
        return self._forgeable.lift(key) or lifted

    # -- inside ----------------------------------------------------------------------------------------

    def _never_banned(self, host: str, now: float) -> bool:
        """Whether an address is known; of a banned network its first one tells."""
        host = first_of(host)
        return self._dialled.get(host, 0.0) > now or host in self.ways or self._sources.knows(host)

    def _pace(self, host: str, now: float) -> _Pace | None:
        pace = self._paced.get(host)
        return self._known(host, now) if pace is None or pace.until <= now else pace

    def _known(self, host: str, now: float) -> _Pace | None:
        """Looks an address up anew: how it is paced; None for a stranger."""
        self._paced.pop(host, None)
        if self._proven.get(host, 0.0) <= now and not self._never_banned(host, now):
            return None
        allowance = self._sources.allowance(host, dialled=self._dialled.get(host, 0.0) > now)
        meter = self._meters.get(allowance.owner)
        if meter is None:
            meter = Meter()
            remember(self._meters, allowance.owner, meter)
        meter.seconds = 1.0 / allowance.per_second
        pace = _Pace(allowance, meter, now + FREE_S)
        remember(self._paced, host, pace)
        return pace

    def _drop_known(self, host: str, pace: _Pace, now: float) -> bool:
        self.counters["dropped_known_flood"] += 1
        self._tell(host, pace, now)
        return False

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
        remember(table, host, now + seconds)

    def _in_call(self, allowance: Allowance, now: float) -> bool:
        """Whether an owner over its rate is not so within calls: others may have sent that in its name."""
        meter = self._in_calls.get(allowance.owner)
        if meter is None:
            meter = Meter()
            remember(self._in_calls, allowance.owner, meter)
        meter.seconds = 1.0 / allowance.per_second
        return meter.takes(1.0, now)

    def _held(self, now: float) -> Iterator[Ban]:
        """The bans that hold, newest first; of a source the one that is certain."""
        certain = self._certain.bans
        others = (ban for ban in self._forgeable.bans.active(now) if certain.of(ban.source, now) is None)
        return heapq.merge(certain.active(now), others, key=attrgetter("since"), reverse=True)

    def _offend(self, strangers: Strangers, source: str, reason: Reason, now: float) -> bool:
        banned = strangers.offend(source, reason, now)
        self.counters["bans_imposed"] += banned
        return banned
