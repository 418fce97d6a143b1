"""Calls and sources that we did not serve: aggregated, bounded, kept over restarts."""

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

import structlog

from edge.calls.ports import RefusedCall
from edge.clock import Clock
from edge.logs import Sparing
from edge.services.periodic import Periodic
from edge.store.errors import StoreError
from edge.store.refused import Refused, RefusedSources

MAX_SOURCES = 1000
_MAX_TEXT = 200
_WRITE_EVERY_S = 30.0
LOGIN_S = 5.0
"""Seconds in which who was asked to log in does so."""
_Key = tuple[str, str, str]
_NONE: Final[OrderedDict[_Key, Refused]] = OrderedDict()

log = structlog.get_logger(__name__)


class RefusedService:
    """An async context manager: notes in memory (cheap, on the call path), writes now and then.

    The latest ``MAX_SOURCES`` of source, called number and reason are kept.  When they are too many, the
    oldest of the reason that has most of them goes: a flood of strangers pushes out no carrier's wrong
    number.  ``total`` counts all since the start.
    """

    def __init__(self, sources: RefusedSources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._seen: dict[str, OrderedDict[_Key, Refused]] = {}
        self._kept = 0
        self._dirty = False
        self._sparing = Sparing(clock.monotonic)
        self._asked: OrderedDict[str, tuple[float, RefusedCall]] = OrderedDict()
        self.total = 0
        self._writing = Periodic("refused sources", self._write, _WRITE_EVERY_S, first_s=_WRITE_EVERY_S)

    async def __aenter__(self) -> Self:
        with contextlib.suppress(StoreError):
            for refused in await self._sources.all():
                self._put((refused.source, refused.called, refused.reason), refused)
        await self._writing.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._writing.__aexit__(*exc)
        await self._write()

    def note(self, refused: RefusedCall) -> None:
        """Counts a refusal."""
        self.total += refused.times
        now = self._clock.utc()
        key = (refused.source[:_MAX_TEXT], refused.called[:_MAX_TEXT], refused.reason[:_MAX_TEXT])
        found = self._seen.get(key[2], _NONE).get(key)
        if found is None:
            self._say(refused, key)
            found = Refused(*key, refused.remedy[:_MAX_TEXT], 0, now, now)
        self._put(key, replace(found, count=found.count + refused.times, last_seen=now))
        self._dirty = True

    def asked(self, refused: RefusedCall) -> None:
        """Counts a call that was asked to log in, unless its source does within ``LOGIN_S``."""
        if refused.source not in self._asked:
            self._give_up(MAX_SOURCES - 1)
            self._asked[refused.source] = self._clock.monotonic() + LOGIN_S, refused

    def answered(self, source: str) -> None:
        """A source has sent credentials."""
        self._asked.pop(source, None)

    def _give_up(self, most: int = MAX_SOURCES) -> None:
        """Counts those that did not log in in time, and the oldest of more than ``most``."""
        now, asked = self._clock.monotonic(), self._asked
        while asked and (len(asked) > most or next(iter(asked.values()))[0] <= now):
            self.note(asked.popitem(last=False)[1][1])

    def _put(self, key: _Key, refused: Refused) -> None:
        alike = self._seen.setdefault(key[2], OrderedDict())
        self._kept += key not in alike
        alike[key] = refused
        alike.move_to_end(key)
        if self._kept > MAX_SOURCES:
            reason, most = max(self._seen.items(), key=lambda rows: len(rows[1]))
            most.popitem(last=False)
            self._kept -= 1
            if not most:
                del self._seen[reason]

    def _say(self, refused: RefusedCall, key: tuple[str, str, str]) -> None:
        """One line for each that is new in the list, and few in a second."""
        withheld = self._sparing.allows()
        if withheld is not None:
            what = dict(zip(("source", "called", "reason"), key, strict=True))
            log.info("sip_refused", **what, method=refused.method, status=refused.status, withheld=withheld)

    def recent(self, limit: int) -> Sequence[Refused]:
        """The latest, newest first."""
        self._give_up()
        rows = [row for alike in self._seen.values() for row in alike.values()]
        return sorted(rows, key=lambda row: row.last_seen, reverse=True)[:limit]

    async def _write(self) -> None:
        self._give_up()
        if not self._dirty:
            return
        self._dirty = False
        try:
            await self._sources.replace(row for alike in self._seen.values() for row in alike.values())
        except StoreError:
            self._dirty = True
