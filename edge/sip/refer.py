"""A peer that transfers its call: REFER within the dialog, and the NOTIFYs that tell how it goes.

RFC 3515, 3892 and 5589; without NOTIFYs if the peer wants none (RFC 4488).  Only a dialog that was made
for it takes REFER: any other answers 405.
"""

from typing import Final, Protocol

from edge.sip.core import METHODS_LINE, Core
from edge.sip.dialog import Dialog
from edge.sip.errors import SipParseError
from edge.sip.events import Credentials, InviteEvent, Referred
from edge.sip.exchange import Exchange
from edge.sip.headers import parse_name_addr, writable
from edge.sip.message import Request, Response
from edge.sip.printing import Lines
from edge.sip.server_transaction import ServerTransaction
from edge.sip.status import phrase
from edge.sip.timers import LIMIT, Timer
from edge.sip.uri import Uri, parse_uri, unescape

ALLOW_REFER: Final = ("Allow", f"{METHODS_LINE}, REFER")
EXPIRES_S: Final = 180
"""Seconds that a transfer is told of at most: no target rings so long."""
SIPFRAG: Final = ("Content-Type", "message/sipfrag;version=2.0")


class ReferringUsage(Protocol):
    """The usage whose peer transfers."""

    core: Core
    dialog: Dialog | None
    credentials: Credentials | None

    @property
    def state(self) -> str:
        """``up`` while it may."""
        ...

    def contact_line(self) -> tuple[str, str]:
        """Our Contact."""
        ...

    def emit(self, event: InviteEvent) -> None:
        """Queues an event for the owner."""
        ...

    def hang_up(self, reason: str | None = None) -> None:
        """Ends the call with this peer."""
        ...


class Referrals:
    """The transfers of one peer: one at a time."""

    __slots__ = ("_current", "_seen", "_usage")

    def __init__(self, usage: ReferringUsage) -> None:
        self._usage = usage
        self._current: Transfer | None = None
        self._seen = 0

    def receive(self, request: Request, transaction: ServerTransaction) -> None:
        """A REFER: refused if it is malformed, or comes while another one is under way."""
        target = _target(request)
        if target is None:
            transaction.respond(400, "Refer-To is not one SIP or tel URI")
        elif self._usage.state != "up" or (self._current is not None and not self._current.over):
            transaction.respond(491)
        else:
            self._seen += 1
            event_id = f";id={request.cseq}" if self._seen > 1 else ""  # RFC 3515 section 2.4.6
            self._current = Transfer(self._usage, request, transaction, event_id)
            by = request.headers.get("Referred-By")
            self._usage.emit(
                Referred(
                    str(target._replace(headers="")),
                    _replaces(target),
                    None if by is None else writable(by),
                    self._current,
                )
            )

    def close(self) -> None:
        """The dialog ends: nothing is told any more."""
        if self._current is not None:
            self._current.close()


class Transfer:
    """One REFER: ``take`` it up, ``accept`` or ``refuse`` it, then tell how it ended by ``end``."""

    __slots__ = (
        "_event",
        "_leave",
        "_queue",
        "_quiet",
        "_sending",
        "_timer",
        "_transaction",
        "_usage",
        "over",
    )

    def __init__(
        self, usage: ReferringUsage, request: Request, transaction: ServerTransaction, event_id: str
    ) -> None:
        self._usage = usage
        self._transaction = transaction
        self._event = f"refer{event_id}"
        self._quiet = (request.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
        self._queue: list[tuple[str, str]] = []
        self._sending = False
        self._leave = False
        self._timer: Timer | None = usage.core.timers.start(LIMIT / 2, self._nobody_cared)
        self.over = False

    def take(self) -> bool:
        """The owner decides; False if it is over already."""
        self._stop()
        return not self.over

    def accept(self) -> None:
        """202, and that it is being tried."""
        self._stop()
        quiet: Lines = (("Refer-Sub", "false"),) if self._quiet else ()
        self._transaction.respond(202, headers=(self._usage.contact_line(), *quiet))
        self._tell(f"active;expires={EXPIRES_S}", 100)

    def refuse(self, status: int) -> None:
        """It is not to be: the call goes on as before."""
        self._stop()
        self.over = True
        self._transaction.respond(status)

    def end(self, status: int, *, leave: bool) -> None:
        """What became of it; then, if asked, the call with this peer is hung up."""
        self.over = True
        self._leave = leave
        self._tell("terminated;reason=noresource", status)
        if not self._sending:
            self._left()

    def close(self) -> None:
        """The dialog ends."""
        self._stop()
        self.over = True
        self._queue.clear()
        self._transaction.respond(487)

    def _nobody_cared(self) -> None:
        """The owner was in no state to transfer."""
        self._timer = None
        self.refuse(603)

    def _tell(self, state: str, status: int) -> None:
        if not self._quiet:
            self._queue.append((state, f"SIP/2.0 {status} {phrase(status)}\r\n"))
            self._send()

    def _send(self) -> None:
        """One NOTIFY at a time: the last one must arrive last."""
        usage = self._usage
        if self._sending or not self._queue or usage.dialog is None or usage.state != "up":
            return
        state, fragment = self._queue.pop(0)
        self._sending = True
        lines = (usage.contact_line(), ("Event", self._event), ("Subscription-State", state), SIPFRAG)
        Exchange(
            usage.core, usage.dialog, "NOTIFY", lines, fragment.encode(),
            on_answer=self._told, credentials=usage.credentials,
        )  # fmt: skip

    def _told(self, response: Response) -> None:
        self._sending = False
        if response.status >= 300:  # RFC 6665 section 4.2.2: nobody listens any more
            self._queue.clear()
            self._quiet = True
        self._send()
        if not self._sending:
            self._left()

    def _left(self) -> None:
        if self._leave:
            self._leave = False
            self._usage.hang_up()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _target(request: Request) -> Uri | None:
    """The URI of the one Refer-To (RFC 3515 section 2.4.2)."""
    values = request.headers.values("Refer-To")
    try:
        uri = parse_uri(parse_name_addr(values[0]).uri) if len(values) == 1 else None
    except SipParseError:
        return None
    return uri if uri is not None and uri.params.get("method") in (None, "INVITE") else None


def _replaces(uri: Uri) -> str | None:
    """The Replaces header that the URI asks for (RFC 3891); others are not honoured."""
    for part in uri.headers.split("&"):
        name, _, value = part.partition("=")
        if unescape(name).lower() == "replaces" and value:
            return writable(unescape(value))
    return None
