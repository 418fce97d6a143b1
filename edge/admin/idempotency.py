"""``Idempotency-Key``: a repeated POST is answered with the first one's reply.

Replies are kept in memory for an hour, the latest 1,000 of them and 8 MB in all; what is forgotten runs
again.  Of one that is larger than 1 MB only that it was given is kept: a repeat is told so, and runs nothing.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge.admin.problem import Problem
from edge.admin.routes import Reply

KEEP_S = 3600.0
_MOST = 1000
MOST_OCTETS = 8 << 20
LARGEST = 1 << 20
_LONGEST_KEY = 255
_SMALL = 1 << 20


@dataclass(slots=True)
class _Entry:
    at: float
    digest: bytes
    reply: Reply | None = None
    too_large: bool = False

    @property
    def running(self) -> bool:
        return self.reply is None and not self.too_large

    @property
    def octets(self) -> int:
        return 0 if self.reply is None else len(self.reply.body)


async def _digest(body: bytes | bytearray) -> bytes:
    """In a thread where it takes milliseconds."""
    if len(body) <= _SMALL:
        return hashlib.sha256(body).digest()
    return (await asyncio.to_thread(hashlib.sha256, body)).digest()


class Repeats:
    """The replies already given, by token, path (with its query) and key."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()
        self._octets = 0

    async def once(
        self, who: str, path: str, key: str, body: bytes | bytearray, run: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """The reply of ``run``, or the one that the same request had before.

        Raises Problem 409 while the first is still running, 422 when the key came with another
        body, 409 too when the reply was too large to be kept.  A failed run is forgotten, so that it can
        be tried again.
        """
        if not 0 < len(key) <= _LONGEST_KEY:
            raise Problem(400, f"an Idempotency-Key has 1 to {_LONGEST_KEY} characters")
        digest = await _digest(body)
        name = (who, path, key)
        known = self._known(name)
        if known is not None:
            return _repeat(known, digest)
        entry = self._entries[name] = _Entry(self._monotonic(), digest)
        try:
            reply = await run()
        except BaseException:
            del self._entries[name]
            raise
        entry.too_large = len(reply.body) > LARGEST
        if not entry.too_large:
            entry.reply = reply
            self._octets += entry.octets
            self._make_room(0)
        return reply

    def _known(self, name: tuple[str, str, str]) -> _Entry | None:
        self._make_room(1)
        return self._entries.get(name)

    def _make_room(self, entries: int) -> None:
        """Forgets what is too old, and the oldest of too many; never what still runs."""
        now = self._monotonic()
        for name, entry in list(self._entries.items()):
            over = len(self._entries) + entries > _MOST or self._octets > MOST_OCTETS
            if now - entry.at < KEEP_S and not over:
                return
            if not entry.running:
                self._octets -= entry.octets
                del self._entries[name]


def _repeat(entry: _Entry, digest: bytes) -> Reply:
    if entry.digest != digest:
        raise Problem(422, "this Idempotency-Key was used with another body before")
    if entry.reply is None:
        said = "was done; its reply was too large to be kept" if entry.too_large else "is still running"
        raise Problem(409, f"the first request with this Idempotency-Key {said}")
    return entry.reply
