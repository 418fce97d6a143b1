"""``Idempotency-Key``: a repeated POST is answered with the first one's reply.

Replies are kept in memory for an hour, the latest 1,000 of them.
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
_LONGEST_KEY = 255
_SMALL = 1 << 20


@dataclass(slots=True)
class _Entry:
    at: float
    digest: bytes
    reply: Reply | None = None


async def _digest(body: bytes | bytearray) -> bytes:
    """In a thread where it takes milliseconds."""
    if len(body) <= _SMALL:
        return hashlib.sha256(body).digest()
    return (await asyncio.to_thread(hashlib.sha256, body)).digest()


class Repeats:
    """The replies already given, by token, path and key."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[tuple[str, str, str], _Entry] = OrderedDict()

    async def once(
        self, who: str, path: str, key: str, body: bytes | bytearray, run: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """The reply of ``run``, or the one that the same request had before.

        Raises Problem 409 while the first is still running, 422 when the key came with another
        body.  A failed run is forgotten, so that it can be tried again.
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
            entry.reply = await run()
        finally:
            if entry.reply is None:
                self._entries.pop(name, None)
        return entry.reply

    def _known(self, name: tuple[str, str, str]) -> _Entry | None:
        now = self._monotonic()
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if now - oldest.at < KEEP_S and len(self._entries) < _MOST:
                break
            self._entries.popitem(last=False)
        return self._entries.get(name)


def _repeat(entry: _Entry, digest: bytes) -> Reply:
    if entry.digest != digest:
        raise Problem(422, "this Idempotency-Key was used with another body before")
    if entry.reply is None:
        raise Problem(409, "the first request with this Idempotency-Key is still running")
    return entry.reply
