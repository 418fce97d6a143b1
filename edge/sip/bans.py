"""Which sources are banned, why and until when: bounded, forgotten after a day, no IO."""

from dataclasses import dataclass, replace
from typing import Final, Literal, cast, get_args

Reason = Literal["scanner", "wrong credentials", "no credentials", "unknown source", "bad messages", "flood"]

FIRST_S: Final = 600.0
"""Seconds of a first ban; each further one lasts twice as long."""
LONGEST_S: Final = 86_400.0
MEMORY_S: Final = 86_400.0
"""Seconds after the end of a ban in which a new one counts as a further one."""
MAX_BANS: Final = 10_000


def as_reason(text: str) -> Reason:
    """A reason as it was stored; one that is not known any more counts as the mildest."""
    return cast(Reason, text) if text in get_args(Reason) else "unknown source"


@dataclass(slots=True)
class Ban:
    """A banned source (an IPv4 address, or an IPv6 network of 64 bits).

    ``since`` and ``until`` are seconds of the guard's clock; ``times`` counts the bans of this source;
    ``dropped`` what was dropped since the last one.  ``datagrams_only``: it is banned for datagrams, whose
    source may be forged, and holds for those alone.
    """

    source: str
    reason: Reason
    since: float
    until: float
    times: int = 1
    dropped: int = 0
    datagrams_only: bool = False

    def mended(self, now: float) -> "Ban":
        """As it can only be: begun by now, and no longer than the longest, whatever clock it was noted by."""
        ahead = max(0.0, self.since - now)
        since = self.since - ahead
        return replace(self, since=since, until=min(self.until - ahead, since + LONGEST_S))


class BanList:
    """Bans by source.  ``now`` is in seconds of any clock that never goes back."""

    def __init__(self, *, datagrams_only: bool = False) -> None:
        self._datagrams_only = datagrams_only
        self._bans: dict[str, Ban] = {}

    def of(self, source: str, now: float) -> Ban | None:
        """The ban of a source that holds; who drops something for it counts that."""
        ban = self._bans.get(source)
        return None if ban is None or ban.until <= now else ban

    def add(self, source: str, reason: Reason, now: float) -> Ban:
        """Bans a source, for longer than the last time."""
        old = self._bans.pop(source, None)
        times = 1 if old is None or old.until + MEMORY_S < now else old.times + 1
        length = min(FIRST_S * 2.0 ** min(times - 1, 20), LONGEST_S)
        ban = Ban(source, reason, now, now + length, times, datagrams_only=self._datagrams_only)
        self.put(ban)
        return ban

    def put(self, ban: Ban) -> None:
        """Takes up a ban as it is; when the list is full the oldest one ends."""
        if len(self._bans) >= MAX_BANS and ban.source not in self._bans:
            del self._bans[next(iter(self._bans))]
        self._bans[ban.source] = ban

    def active(self, now: float) -> list[Ban]:
        """The bans that hold, newest first."""
        return [ban for ban in reversed(self._bans.values()) if ban.until > now]

    def remembered(self, now: float) -> list[Ban]:
        """The bans that hold, and those over which a new one would last longer; oldest first."""
        return [ban for ban in self._bans.values() if ban.until + MEMORY_S >= now]

    def lift(self, source: str) -> bool:
        """Ends and forgets a ban; False if there was none."""
        return self._bans.pop(source, None) is not None

    def clear(self) -> None:
        """Ends and forgets all bans."""
        self._bans.clear()
