"""Our registrations with carriers (RFC 3261 section 10): made, refreshed, made again (rule: Registration)."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, Protocol, Self
from uuid import uuid4

from edge.calls import dialplan
from edge.calls.outcome import told
from edge.calls.ports import ConfigurationHolder
from edge.calls.reachability import Asker
from edge.calls.watches import Watches
from edge.clock import Clock
from edge.logs import get_logger
from edge.model.config import Trunk
from edge.model.peers import Registration
from edge.model.sip import RegisterSpec
from edge.routing.snapshot import Snapshot
from edge.sip.endpoint import Unresolvable
from edge.sip.errors import SipParseError
from edge.sip.events import Destination, OutgoingRequest
from edge.sip.headers import parse_name_addr, retry_after
from edge.sip.message import Response
from edge.sip.uri import escape_user, parse_uri

log = get_logger("edge.calls")

PATIENCE_S: Final = 8.0
"""Seconds that one address of a registrar has to answer."""
GOODBYE_S: Final = 1.0
"""Seconds that taking a registration back may take, when the server stops."""
BACKOFF_S: Final = (5.0, 600.0)
"""Seconds between attempts that failed: the first wait, doubled up to the last (RFC 5626 section 4.5)."""
SOONEST_S: Final = 1.0
"""Seconds between two refreshes, however short a time is granted."""
LONGEST_S: Final = 86_400
REFRESH: Final = (0.75, 0.85)
"""The part of the granted time after which it is asked for again."""
STANDS_S: Final = 60.0
"""Seconds after which a connection was meant to stay: one lost sooner is made again ever more slowly."""
AGAIN_S: Final = (1.0, 5.0)
"""Seconds between the loss of the connection and the attempt to make it again."""
CSEQS: Final = 8
"""Numbers kept for one attempt: its challenges and the longer time may take some each."""
_ELSEWHERE: Final = frozenset((408, 500, 502, 503, 504))
_EXPIRES: Final = re.compile(r';[ \t]*expires[ \t]*=[ \t]*"?(\d{1,9})', re.IGNORECASE)


class Registrant(Asker, Protocol):
    """The SIP endpoint, as far as registrations need it."""

    def hold(self, destination: Destination, seconds: float, lost: Callable[[], None]) -> None: ...


class Outcome(NamedTuple):
    """What one attempt came to: seconds granted (0: none), why not, and how long we are told to wait."""

    granted_s: int
    reason: str = ""
    retry_after_s: int = 0


@dataclass(slots=True)
class _Account:
    """One registration and its state; Call-ID and CSeq go on over its refreshes (section 10.2.4).

    ``until`` is when its time is over (monotonic), ``asking`` whether an answer is awaited.  ``lost`` is set
    when the connection ends over which the carrier reaches us; ``losses`` counts those that were lost soon,
    one after the other."""

    register: RegisterSpec
    since: datetime
    call_id: str
    expires_s: int
    cseq: int = 1
    state: Literal["registering", "registered", "failed"] = "registering"
    expires_at: datetime | None = None
    until: float = 0.0
    asking: bool = False
    reason: str = ""
    failures: int = 0
    losses: int = 0
    lost: asyncio.Event = field(default_factory=asyncio.Event)


class RegistrationWatch:
    """Keeps every trunk that has ``register`` registered; an async context manager that signs off.

    ``uniform`` answers a number between two others, so that registrations spread.
    """

    def __init__(
        self,
        asker: Registrant,
        configuration: ConfigurationHolder,
        clock: Clock,
        uniform: Callable[[float, float], float],
    ) -> None:
        self._asker = asker
        self._configuration = configuration
        self._clock = clock
        self._uniform = uniform
        self._accounts: dict[str, _Account] = {}
        self._stopping = False
        self._watches: Watches[Trunk] = Watches(configuration, _wanted, self._keep, self._forget)

    async def __aenter__(self) -> Self:
        await self._watches.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stopping = True
        await self._watches.__aexit__(*exc)

    def changed(self) -> None:
        """The configuration has changed."""
        self._watches.changed()

    def registration(self, trunk_id: str) -> Registration | None:
        """Our registration with a trunk's registrar; None while it has none."""
        account = self._accounts.get(trunk_id)
        if account is None:
            return None
        return Registration(
            state=account.state,
            since=account.since,
            expires_at=account.expires_at,
            reason=account.reason,
        )

    def counts(self) -> Mapping[str, int]:
        """How many registrations are in which state."""
        return Counter(account.state for account in self._accounts.values())

    def _forget(self, trunk_id: str) -> None:
        self._accounts.pop(trunk_id, None)

    # -- one registration ----------------------------------------------------------------------------

    async def _keep(self, trunk: Trunk) -> None:
        assert trunk.register is not None
        account = self._accounts.get(trunk.id)
        if account is None or account.register != trunk.register:
            now, asked = self._clock.utc(), trunk.register.expires_s
            account = self._accounts[trunk.id] = _Account(trunk.register, now, uuid4().hex, asked)
        try:
            while True:
                account.lost.clear()
                account.asking = True
                outcome = await self._attempt(trunk, account, account.expires_s)
                account.asking = False
                wait_s = self._note(trunk, account, outcome)
                with self._lapsing(trunk, account):
                    await self._rest(account, wait_s)
        finally:
            # What is asked for may still be granted.
            if (account.state == "registered" or account.asking) and self._is_over(trunk):
                with suppress(TimeoutError):
                    async with asyncio.timeout(GOODBYE_S):
                        await self._attempt(trunk, account, 0)

    async def _rest(self, account: _Account, seconds: float) -> None:
        """Waits for the next attempt; it comes sooner when the connection is lost (RFC 5626 section 4.5)."""
        began = self._clock.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await account.lost.wait()
                stood_s = self._clock.monotonic() - began
                account.losses = account.losses + 1 if stood_s < STANDS_S else 1
                # Some registrars close theirs at once, always.
                again = self._uniform(*AGAIN_S) if account.losses == 1 else self._backoff(account.losses - 1)
                await asyncio.sleep(again)
        if not account.lost.is_set():
            account.losses = 0

    def _is_over(self, trunk: Trunk) -> bool:
        """Whether to sign off: not while the same account is wanted, by this trunk or another one."""
        wanted = _wanted(self._configuration.current)
        return self._stopping or all(_account_of(one) != _account_of(trunk) for one in wanted)

    @contextmanager
    def _lapsing(self, trunk: Trunk, account: _Account) -> Iterator[None]:
        """While nothing is asked: a registration whose time is over stands no longer."""
        left_s = max(0.0, account.until - self._clock.monotonic())
        timer = asyncio.get_running_loop().call_later(left_s, self._lapse, trunk, account)
        try:
            yield
        finally:
            timer.cancel()

    def _lapse(self, trunk: Trunk, account: _Account) -> None:
        if account.state == "registered":
            account.since = self._clock.utc()
            account.state, account.expires_at = "failed", None
            account.reason = account.reason or "its time is over"
            self._tell(trunk, account)

    def _tell(self, trunk: Trunk, account: _Account) -> None:
        level = log.info if account.state == "registered" and not account.reason else log.warning
        level("trunk.registration", id=trunk.id, name=trunk.name, state=account.state, reason=account.reason)

    def _note(self, trunk: Trunk, account: _Account, outcome: Outcome) -> float:
        """Takes an outcome in; answers the seconds until the next attempt."""
        now = self._clock.utc()
        before, account.reason = account.state, outcome.reason
        if outcome.granted_s:
            account.state, account.failures = "registered", 0
            account.expires_at = now + timedelta(seconds=outcome.granted_s)
            account.until = self._clock.monotonic() + outcome.granted_s
            wait = max(SOONEST_S, outcome.granted_s * self._uniform(*REFRESH))
        else:
            account.failures += 1
            if account.state != "registered" or self._clock.monotonic() >= account.until:
                account.state, account.expires_at = "failed", None
            wait = self._backoff(account.failures, outcome.retry_after_s)
        if account.state != before:
            account.since = now
        if account.state != before or outcome.reason:
            self._tell(trunk, account)
        return wait

    def _backoff(self, failures: int, told_s: int = 0) -> float:
        first, last = BACKOFF_S
        longest = min(last, first * 2.0 ** min(failures - 1, 20))
        return max(float(min(told_s, 3600)), longest * self._uniform(0.5, 1.0))

    async def _attempt(self, trunk: Trunk, account: _Account, expires_s: int) -> Outcome:
        """One registration, at the registrar's addresses in order until one judges it."""
        via = dialplan.over(account.register.registrar, trunk.sip.transport)
        try:
            destinations = await self._asker.resolve(via)
        except Unresolvable as error:
            return Outcome(0, str(error))
        outcome = Outcome(0, "it has no address")
        for destination in destinations:
            answer = await self._ask(account, via, destination, expires_s)
            if answer.status == 423 and expires_s:  # section 10.3: our time is too short for it
                account.expires_s = expires_s = _longer(answer, expires_s)
                answer = await self._ask(account, via, destination, expires_s)
            outcome = _judged(answer, expires_s, self._asker.local_host(destination))
            if outcome.granted_s:
                self._asker.hold(destination, outcome.granted_s, account.lost.set)
            if answer.status not in _ELSEWHERE:
                break
            self._asker.avoid(destination)
        return outcome

    async def _ask(self, account: _Account, via: str, destination: Destination, expires_s: int) -> Response:
        register = account.register
        scheme, _, rest = register.registrar.partition(":")
        domain, user = rest.partition(";")[0], escape_user(register.username)
        identity = f"<{scheme}:{user}@{domain}>"
        cseq, account.cseq = account.cseq, account.cseq + CSEQS
        outgoing = OutgoingRequest(
            "REGISTER",
            f"{scheme}:{domain}",
            destination,
            identity,
            identity,
            (("Expires", str(expires_s)),),
            dialplan.registrar_login(register),
            account.call_id,
            cseq,
            user,
            dialplan.may_stream(via),
        )
        return await self._asker.ask(outgoing, PATIENCE_S)


def _wanted(snapshot: Snapshot) -> Iterator[Trunk]:
    return (trunk for trunk in snapshot.trunks() if trunk.register is not None and trunk.state == "active")


def _account_of(trunk: Trunk) -> tuple[str, str]:
    """What a trunk has its registrar bind: the user name there to our address, over one transport."""
    assert trunk.register is not None
    return dialplan.over(trunk.register.registrar, trunk.sip.transport), trunk.register.username


def _longer(answer: Response, asked_s: int) -> int:
    least = answer.headers.get("Min-Expires") or ""
    return min(LONGEST_S, max(asked_s, int(least))) if least.isdecimal() and len(least) < 10 else asked_s


def _judged(answer: Response, asked_s: int, our_host: str) -> Outcome:
    """What the registrar's final answer says (section 10.3)."""
    if answer.status // 100 != 2:
        return Outcome(0, told(answer), retry_after(answer.headers.get("Retry-After")) or 0)
    listed = {
        value: int(found[1])
        for value in answer.headers.values("Contact")
        if (found := _EXPIRES.search(value)) is not None
    }
    # Other devices of the account may be listed too.  Where a NAT has changed our address none is known as
    # ours: then the shortest time is never too late.
    times = [time for value, time in listed.items() if _is_at(value, our_host)] or [*listed.values()]
    whole = answer.headers.get("Expires") or ""
    if not times and whole.isdecimal() and len(whole) < 10:
        times = [int(whole)]
    granted = min((time for time in times if time), default=asked_s)
    return Outcome(min(granted, LONGEST_S))


def _is_at(contact: str, host: str) -> bool:
    try:
        uri = parse_uri(parse_name_addr(contact).uri)
    except SipParseError:
        return False
    return uri.hostport.removesuffix(f":{uri.port}").lower() == host.lower()
