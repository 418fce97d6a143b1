"""Where revocation lists come from: a directory of the operator's, and the hosts that it allows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509

from edge.clock import Clock
from edge.logs import get_logger
from edge.stir import revocation
from edge.stir.errors import Unproven
from edge.stir.revocation import Listing
from edge.stir.web import Web

FAILED_S: Final = 60.0
MAX_KEPT: Final = 100
MAX_FILES: Final = 100

log = get_logger("edge.stir")


@dataclass(frozen=True, slots=True)
class ListConfig:
    """``directory`` holds lists (``*.crl``, ``*.pem``); ``hosts`` are those that lists are fetched from, if
    a certificate says that its list is there; ``refresh_s`` is how old such a list may become,
    ``patience_s`` how long a fetch is waited for."""

    directory: Path | None = None
    hosts: frozenset[str] = frozenset()
    patience_s: float = 0.5
    refresh_s: float = 300.0


class Lists:
    """Lists are read, and judged, in a thread; those of the web are fetched again after ``refresh_s``, or
    when their next is due.  Nothing is waited for long: what has not come in time is there for the next
    call, and a list that has only just become too old serves until the new one is there."""

    def __init__(self, config: ListConfig, web: Web, clock: Clock) -> None:
        self._config = config
        self._web = web
        self._clock = clock
        self._files: dict[Path, tuple[tuple[int, int], Listing | None]] = {}
        self._kept: dict[str, tuple[float, Listing | Unproven]] = {}
        self._asked: dict[str, asyncio.Task[Listing | Unproven]] = {}

    async def doubt(self, way: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> str:
        """Raises Wrong if a certificate of a chain was revoked; else why that is not certain, or nothing."""
        fetched = await self._fetched(way)
        listings = [found for found in fetched if isinstance(found, Listing)]
        doubt = await asyncio.to_thread(self._judged, way, listings, trusted)
        why = next((str(found) for found in fetched if isinstance(found, Unproven)), "")
        return f"{doubt}: {why}" if doubt and why else doubt

    async def close(self) -> None:
        """Ends what is still being fetched."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    def _judged(
        self, way: Sequence[x509.Certificate], fetched: list[Listing], trusted: Sequence[x509.Certificate]
    ) -> str:
        listings = [*self._stored(), *fetched]
        return revocation.check(way, listings, trusted, self._clock.utc())

    # -- files -----------------------------------------------------------------------------------------

    def _stored(self) -> list[Listing]:
        """The lists of the directory; blocks.  A file is read again when it has changed."""
        if self._config.directory is None:
            return []
        try:
            found = sorted(p for p in self._config.directory.iterdir() if p.suffix in (".crl", ".pem"))
        except OSError:
            return []
        self._files = {path: self._file(path) for path in found[:MAX_FILES]}
        return [listing for _, listing in self._files.values() if listing is not None]

    def _file(self, path: Path) -> tuple[tuple[int, int], Listing | None]:
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            known = self._files.get(path)
            if known is not None and known[0] == stamp:
                return known
            return stamp, revocation.read(path.read_bytes()) if stamp[1] <= revocation.MAX_OCTETS else None
        except (OSError, Unproven):  # ``edge check`` tells of them
            return (0, 0), None

    # -- the web ---------------------------------------------------------------------------------------

    async def _fetched(self, way: Sequence[x509.Certificate]) -> list[Listing | Unproven]:
        if not self._config.hosts:
            return []
        found = revocation.places(way)
        wanted = [place for place in found if (urlsplit(place).hostname or "") in self._config.hosts]
        tasks = {place: self._asking(place) for place in wanted if self._recent(place) is None}
        missing = [task for place, task in tasks.items() if not self._serves_yet(place)]
        if missing:
            await asyncio.wait(missing, timeout=self._config.patience_s)
        refused = [Unproven("its host is not one of stir.crl_hosts")] * (len(wanted) < len(found))
        late = Unproven("it did not come in time")
        return [self._recent(place) or self._last(place) or late for place in wanted] + refused

    def _recent(self, place: str) -> Listing | Unproven | None:
        until, found = self._kept.get(place, (0.0, None))
        return found if self._clock.monotonic() < until else None

    def _last(self, place: str) -> Listing | None:
        """The list of a place, however old: it tells so itself."""
        _, found = self._kept.get(place, (0.0, None))
        return found if isinstance(found, Listing) else None

    def _serves_yet(self, place: str) -> bool:
        """Whether the new list of a place need not be waited for: the last one is not much too old."""
        until, _ = self._kept.get(place, (0.0, None))
        last, now = self._last(place), self._clock.monotonic()
        return last is not None and now < until + self._config.refresh_s and self._clock.utc() < last.until

    def _asking(self, place: str) -> "asyncio.Task[Listing | Unproven]":
        task = self._asked.get(place)
        if task is None:
            task = self._asked[place] = asyncio.create_task(self._ask(place), name="revocation list")
            task.add_done_callback(lambda _: self._asked.pop(place, None))
        return task

    async def _ask(self, place: str) -> Listing | Unproven:
        try:
            data = await self._web.get(place, revocation.MAX_OCTETS)
            found: Listing | Unproven = await asyncio.to_thread(revocation.read, data)
        except Unproven as error:
            found = error
        except Exception:
            log.exception("identity.list_failed", address=place)
            found = Unproven("an internal error; the log has it")
        last = self._kept.get(place)
        if isinstance(found, Unproven) and last is not None and isinstance(last[1], Listing):
            self._kept[place] = self._clock.monotonic() + FAILED_S, last[1]  # it tells itself how old it is
            return last[1]
        if len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[place] = self._clock.monotonic() + self._lasts_s(found), found
        return found

    def _lasts_s(self, found: Listing | Unproven) -> float:
        if isinstance(found, Unproven):
            return FAILED_S
        left_s = (found.until - self._clock.utc()).total_seconds()
        return max(FAILED_S, min(self._config.refresh_s, left_s))
