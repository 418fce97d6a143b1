"""Reliable provisional answers (RFC 3262): ours, repeated until their PRACK, and PRACK for the peer's.

Whoever lists ``100rel`` gets every 180 and 183 of ours reliably: early media and ringing then reach
it through a network that loses datagrams.
"""

from typing import Final, NamedTuple, Protocol

from edge.sip.core import Core
from edge.sip.dialog import Dialog
from edge.sip.events import Credentials
from edge.sip.exchange import Exchange
from edge.sip.grammar import decimal
from edge.sip.message import Request, Response
from edge.sip.printing import Lines
from edge.sip.server_transaction import InviteServer
from edge.sip.timers import LIMIT, T1, Timer

TAG: Final = "100rel"
FIRST_MOST: Final = 2**31 - 1
"""The highest number that the first answer may have (section 3)."""


def wants(request: Request) -> str:
    """``Require`` or ``Supported``, whichever of a request's headers lists 100rel; else empty."""
    for name in ("Require", "Supported"):
        said = ",".join(request.headers.all(name)).lower()
        if TAG in said and TAG in _options(request, name):
            return name
    return ""


class Rack(NamedTuple):
    """A RAck header (section 7.2)."""

    number: int
    cseq: int
    method: str


def rack(request: Request) -> Rack | None:
    """What a PRACK acknowledges; None if it does not say so."""
    parts = (request.headers.get("RAck") or "").split()
    if len(parts) != 3:
        return None
    number, cseq = decimal(parts[0], 2**32), decimal(parts[1], 2**32)
    return None if number is None or cseq is None else Rack(number, cseq, parts[2])


# -- a call to us ------------------------------------------------------------------------------------


class _Waiting(NamedTuple):
    status: int
    headers: Lines
    sdp: bytes


class AnsweringUsage(Protocol):
    """The call to us whose provisional answers these are."""

    core: Core
    request: Request

    def on_no_prack(self) -> None:
        """No PRACK came within 64*T1."""
        ...


class ReliableAnswers:
    """The reliable provisional answers of one call to us: one at a time, the next one waits.

    ``told`` says that a description has gone with one.
    """

    __slots__ = (
        "_interval",
        "_left",
        "_number",
        "_repeat",
        "_sdp",
        "_transaction",
        "_unacked",
        "_usage",
        "_waiting",
        "told",
    )

    def __init__(self, usage: AnsweringUsage, transaction: InviteServer) -> None:
        self._usage = usage
        self._transaction = transaction
        self._number = int(usage.core.chance.uniform(0, FIRST_MOST - 1))
        self._waiting: _Waiting | None = None
        self._repeat: Timer | None = None
        self._interval = T1
        self._left = LIMIT
        self._sdp = False
        self._unacked = False
        self.told = False

    @property
    def holds_answer(self) -> bool:
        """Whether a 2xx has to wait: a description of ours has no PRACK yet (section 3)."""
        return self._unacked and self._sdp

    def send(self, status: int, headers: Lines, sdp: bytes) -> None:
        """Sends it, or keeps it until the one before is acknowledged."""
        if not self._unacked:
            self._send(_Waiting(status, headers, sdp))
        elif self._waiting is not None and not sdp:
            self._waiting = _Waiting(status, self._waiting.headers, self._waiting.sdp)
        else:
            self._waiting = _Waiting(status, headers, sdp)

    def acknowledged_by(self, prack: Request) -> bool:
        """Whether a PRACK is for the answer that waits for it; then the next one goes."""
        said = rack(prack)
        wanted = Rack(self._number, self._usage.request.cseq, "INVITE")
        if said != wanted or not self._unacked:
            return False
        self._unacked = False
        self._stop()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._send(waiting)
        return True

    def close(self) -> None:
        """A final answer has gone: nothing more is sent; a late PRACK is still known."""
        self._waiting = None
        self._stop()

    def _stop(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None

    def _send(self, what: _Waiting) -> None:
        self._number += 1
        self._sdp, self._unacked = bool(what.sdp), True
        self.told = self.told or self._sdp
        lines = (*what.headers, ("Require", TAG), ("RSeq", str(self._number)))
        self._transaction.respond(what.status, None, lines, what.sdp)
        self._interval, self._left = T1, LIMIT - T1
        self._repeat = self._usage.core.timers.start(T1, self._again)

    def _again(self) -> None:
        """Doubles without a cap, as the INVITE itself does (section 3)."""
        self._repeat = None
        if self._left <= 0:
            self._waiting = None
            self._usage.on_no_prack()
            return
        self._transaction.repeat(None)
        self._interval = min(self._interval * 2, self._left)
        self._left -= self._interval
        self._repeat = self._usage.core.timers.start(self._interval, self._again)


# -- a call of ours ----------------------------------------------------------------------------------


class PeersProgress:
    """The reliable provisional answers to one INVITE of ours; each early dialog counts its own.

    ``settled`` holds, by tag, what came reliably as a dialog's description: offer and answer are complete
    there, and further descriptions in answers to the INVITE mean nothing (RFC 3261 13.2.1).
    """

    __slots__ = ("_core", "_credentials", "_seen", "settled")

    def __init__(self, core: Core, credentials: Credentials | None) -> None:
        self._core = core
        self._credentials = credentials
        self._seen: dict[str, int] = {}
        self.settled: dict[str, bytes] = {}

    def take(self, response: Response, dialog: Dialog) -> bool:
        """Acknowledges an answer with PRACK; False for a copy, and for one that came too early."""
        number = decimal((response.headers.get("RSeq") or "").strip(), 2**32)
        if number is None:
            return False
        before = self._seen.get(dialog.remote_tag)
        if before is not None and number != before + 1:
            return False  # section 4: a copy, or its forerunner is still on its way
        self._seen[dialog.remote_tag] = number
        if response.body:
            self.settled[dialog.remote_tag] = response.body
        lines = (("RAck", f"{number} {response.cseq} INVITE"),)
        Exchange(self._core, dialog, "PRACK", lines, credentials=self._credentials)
        return True


def is_reliable(response: Response) -> bool:
    """Whether a provisional answer wants a PRACK."""
    headers = response.headers
    return "RSeq" in headers and TAG in _options(response, "Require")


def _options(message: Request | Response, name: str) -> list[str]:
    return [option.strip().lower() for option in message.headers.values(name)]
