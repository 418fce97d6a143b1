"""A 2xx of ours, repeated until its ACK comes (RFC 3261 section 13.3.1.4)."""

from collections.abc import Callable

from edge.sip.server_transaction import InviteServer
from edge.sip.timers import LIMIT, T1, T2, Timer, Timers


class UnackedAnswer:
    """Repeats the answer over every transport, as proxies behind us may lose it too."""

    __slots__ = ("_interval", "_left", "_on_lost", "_repeat", "_timers", "_transaction", "cseq")

    def __init__(
        self, timers: Timers, transaction: InviteServer, cseq: int, on_lost: Callable[[], None]
    ) -> None:
        self._timers = timers
        self._transaction = transaction
        self._on_lost = on_lost
        self.cseq = cseq
        self._interval = T1
        self._left = LIMIT - T1
        self._repeat: Timer = timers.start(T1, self._again)

    def stop(self) -> None:
        """The ACK came, or nobody waits for it any more."""
        self._repeat.cancel()
        self._transaction.acknowledged()

    def _again(self) -> None:
        if self._left <= 0:
            self.stop()
            self._on_lost()
            return
        self._transaction.repeat_answer()
        self._interval = min(self._interval * 2, T2, self._left)
        self._left -= self._interval
        self._repeat = self._timers.start(self._interval, self._again)
