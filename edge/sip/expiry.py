"""Session timers (RFC 4028): a dialog whose refreshes stop coming is ended.

We never ask for one, but keep those that the peer asks for, in either role: as the refresher we send
UPDATE, or a re-INVITE with the description unchanged where the peer allows no UPDATE; else we end the
call when the peer's refresh is overdue.
"""

from functools import partial
from typing import Final, NamedTuple, Protocol

from edge.sip.core import Core
from edge.sip.dialog import Dialog
from edge.sip.events import Credentials, Ended, Flow
from edge.sip.exchange import Exchange
from edge.sip.grammar import decimal
from edge.sip.message import Request, Response
from edge.sip.printing import Lines
from edge.sip.timers import LongTimer

MIN_SE: Final = 90
"""Seconds: the shortest interval that is accepted (section 4)."""
MAX_SE: Final = 86_400
"""Seconds: a longer interval counts as this one; no call lasts longer."""
MOST_LONGER: Final = 5
"""Longer intervals that are tried in a row: each proxy on the way may want its own (section 7.4)."""


class Wish(NamedTuple):
    """A Session-Expires header: seconds, and who refreshes (``uac``, ``uas``, or not said)."""

    interval: int
    refresher: str | None


def wish(message: Request | Response) -> Wish | None:
    """What a message says of session timers; None where it says nothing usable."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    seconds, *params = (part.strip().lower() for part in value.split(";"))
    interval = decimal(seconds, 2**32)
    named = [
        param.partition("=")[2].strip() for param in params if param.partition("=")[0].strip() == "refresher"
    ]
    refresher = named[0] if named and named[0] in ("uac", "uas") else None
    return None if interval is None else Wish(min(interval, MAX_SE), refresher)


def too_small(request: Request) -> bool:
    """Whether a request is to be answered 422: its interval is too short, and its sender would know (9)."""
    wanted = wish(request)
    return wanted is not None and wanted.interval < MIN_SE and _supports(request)


class TimedUsage(Protocol):
    """The usage that a session timer belongs to; ``told`` is the description we last agreed to."""

    core: Core
    dialog: Dialog | None
    flow: Flow
    credentials: Credentials | None
    told: bytes

    @property
    def state(self) -> str:
        """``up`` while it can be refreshed."""
        ...

    def refresh_by_offer(self) -> None:
        """A re-INVITE that nobody need hear of."""
        ...

    def contact_line(self) -> tuple[str, str]:
        """Our Contact."""
        ...

    def break_off(self, event: Ended) -> None:
        """The dialog can not go on."""
        ...


class ExpiryTimer:
    """The timer of one dialog, from the first agreement on."""

    __slots__ = ("_interval", "_least", "_longer", "_ours", "_timer", "_updates", "_usage")

    def __init__(self, usage: TimedUsage) -> None:
        self._usage = usage
        self._interval = 0
        self._least: Lines = ()
        self._longer = 0
        self._ours = False
        self._updates = False
        self._timer: LongTimer | None = None

    def answer(self, request: Request) -> Lines:
        """A refresh, or the INVITE itself, is being accepted: what our 2xx says (section 9)."""
        wanted, known = wish(request), _supports(request)
        if wanted is None or wanted.interval < MIN_SE:
            self.stop()
            return ()
        self._updates = self._updates or "UPDATE" in request.headers.values("Allow")
        refresher = (wanted.refresher or "uac") if known else "uas"
        self._run(wanted.interval, ours=refresher == "uas")
        line = ("Session-Expires", f"{wanted.interval};refresher={refresher}")
        return (line, ("Require", "timer")) if refresher == "uac" else (line,)

    def agreed(self, response: Response) -> None:
        """The peer has accepted a request of ours (section 7.2)."""
        wanted, self._longer = wish(response), 0
        self._updates = self._updates or "UPDATE" in response.headers.values("Allow")
        if wanted is None or wanted.interval < MIN_SE:
            self.stop()
        else:
            self._run(wanted.interval, ours=wanted.refresher != "uas")

    def lines(self) -> Lines:
        """What a request of ours that refreshes says; nothing while no timer runs."""
        if self._timer is None:
            return ()
        wanted = f"{self._interval};refresher={'uac' if self._ours else 'uas'}"
        return (("Supported", "timer"), ("Session-Expires", wanted), *self._least)

    def longer(self, refusal: Response) -> bool:
        """Whether the peer, by 422, wants a longer interval than was asked for: the same request is due again
        with that (section 7.4)."""
        least = decimal((refusal.headers.get("Min-SE") or "").partition(";")[0].strip(), MAX_SE)
        if least is None or least <= self._interval or self._longer >= MOST_LONGER:
            return False
        self._longer += 1
        self._interval, self._least = least, (("Min-SE", str(least)),)
        return True

    def stop(self) -> None:
        """No refresh is due any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self, interval: int, *, ours: bool) -> None:
        self.stop()
        self._interval, self._ours = interval, ours
        if ours:
            self._timer = LongTimer(self._usage.core.timers, interval / 2, self._refresh)
        else:
            self._timer = LongTimer(self._usage.core.timers, _end_after(interval), self._expire)

    def _refresh(self) -> None:
        """Half of the interval is over; should nobody answer, the rest of it ends the call (section 10)."""
        usage, lines = self._usage, self.lines()
        rest = (_end_after(self._interval) - self._interval / 2) / 2
        self._timer = LongTimer(usage.core.timers, rest, partial(self._refresh_again, rest))
        if usage.state != "up" or usage.dialog is None:
            return
        if self._updates:
            headers = (usage.contact_line(), *lines)
            answered = self._refreshed
            Exchange(
                usage.core, usage.dialog, "UPDATE", headers, on_answer=answered, credentials=usage.credentials
            )
        else:
            usage.refresh_by_offer()

    def _refresh_again(self, rest: float) -> None:
        """Who has refused it, for it was busy perhaps, is asked once more before the call ends by that."""
        self._timer = LongTimer(self._usage.core.timers, rest, self._expire)
        if self._usage.state == "up":
            self._usage.refresh_by_offer()

    def _refreshed(self, response: Response) -> None:
        if self._timer is None:
            return  # the call is over
        if response.status < 300:
            self.agreed(response)
        elif response.status in (408, 481):
            self._usage.break_off(Ended("gone" if response.status == 481 else "timeout", None))
        elif response.status == 422:
            if self.longer(response):
                self._timer.cancel()
                self._refresh()
        else:  # a re-INVITE may do, and is tried again in glare
            self._usage.refresh_by_offer()

    def _expire(self) -> None:
        self._timer = None
        self._usage.break_off(Ended("timeout", None))


def _end_after(interval: float) -> float:
    """Seconds after the last refresh at which BYE is due (section 10)."""
    return interval - min(32.0, interval / 3)


def _supports(message: Request) -> bool:
    supported = message.headers.values("Supported") + message.headers.values("Require")
    return "timer" in (name.strip().lower() for name in supported)
