"""Two legs that talk until one ends, and a target that sends its caller on to another (rule: Transfers)."""

from typing import TYPE_CHECKING, Final

from edge.calls.bridge import Bridge
from edge.calls.happenings import CallOver, Happening, MediaHappened, PartyWanted, SipHappened, put_off
from edge.calls.hunt import Bridged
from edge.calls.invitation import Transferring
from edge.calls.joining import Found, Joining, lend, other_call, why_not
from edge.calls.leg import Leg
from edge.calls.outcome import Result
from edge.calls.placeholders import fill_address
from edge.calls.redirect import allowed, plain
from edge.calls.takeover import seat, take_over
from edge.logs import get_logger
from edge.media.engine import MediaUnavailable
from edge.model.config import Target
from edge.model.decision import Candidate, CapClaim
from edge.model.ledger import Connect, Release
from edge.routing.choose import Skip
from edge.routing.e164 import normalise
from edge.sip.errors import SipParseError
from edge.sip.events import Ended, Offered, Referred, Replaced
from edge.sip.headers import printable
from edge.sip.uri import Uri, parse_uri

if TYPE_CHECKING:
    from edge.calls.call import Call
    from edge.calls.hunt import Hunt

log = get_logger("edge.calls")

_TOLD: Final = {"no_answer": 480, "unreachable": 503, "cap_taken": 480}
"""What the target is told of a transfer that came to no final answer."""


MOST_MOVES: Final = 50
"""Transfers and take-overs of one call that are looked at: each leaves something in its record."""


async def converse(call: "Call", hunt: "Hunt", bridge: Bridge) -> None:
    """Relays until the call is over: raises CallOver."""
    reception = call.reception
    while True:
        happening = await reception.next(reception.until)
        if happening is None:
            raise reception.too_long()
        bridge = await _one(call, hunt, bridge, happening)


async def _one(call: "Call", hunt: "Hunt", bridge: Bridge, happening: Happening) -> Bridge:
    """What one happening makes of the bridge."""
    if isinstance(happening, PartyWanted):
        await lend(call, bridge, happening)
    elif isinstance(happening, SipHappened | MediaHappened) and happening.leg in call.former:
        put_off(happening)  # what the old target still said crossed its transfer
    elif isinstance(happening, SipHappened) and isinstance(happening.event, Referred | Replaced):
        return await _moved(call, hunt, bridge, happening.leg, happening.event)
    else:
        bridge.handle(happening)
    return bridge


async def _moved(call: "Call", hunt: "Hunt", bridge: Bridge, leg: Leg, event: Referred | Replaced) -> Bridge:
    """Somebody moves the call; so often and no more."""
    if isinstance(event, Referred) and not event.transfer.take():
        return bridge  # the call was busy for so long that it was refused
    hunt.moves += 1
    if hunt.moves > MOST_MOVES:
        if hunt.moves == MOST_MOVES + 1:
            call.record.step("transfer", "limit", f"more than {MOST_MOVES}")
        _decline(event)
        return bridge
    if isinstance(event, Referred):
        return await Transfer(call, hunt, bridge, event).run()
    return take_over(call, bridge, leg, event.invite)


def _decline(event: Referred | Replaced) -> None:
    if isinstance(event, Referred):
        event.transfer.refuse(603)
    else:
        event.invite.reject(603)


class Transfer:
    """One REFER of the target: the caller hears ringing while the new one is dialled."""

    def __init__(self, call: "Call", hunt: "Hunt", bridge: Bridge, referred: Referred) -> None:
        self._call = call
        self._hunt = hunt
        self._bridge = bridge
        self._referred = referred
        self._gone = False
        self._by = call.snapshot.target(call.bridged.target_id)
        self._told = self._resumed = bridge.caller.remote

    async def run(self) -> Bridge:
        """The bridge that goes on: to the new target, or to the old one.  Raises CallOver."""
        call, by = self._call, self._by
        other = other_call(call, self._referred.replaces)
        if other is not None:
            return await self._attend(other)
        found = None if by is None else destination(self._referred.uri, by, call, self._hunt)
        if by is None or found is None:
            return self._refuse("it is no target of ours, nor at one of the target's redirect_hosts")
        if self._bridge.busy:
            return self._refuse("an offer is under way", 491)
        target, uri = found
        judged = self._hunt.judge(Candidate(target.id, 0, 1.0), target) if uri is None else ()
        if isinstance(judged, Skip):
            return self._refuse(f"{target.id}: {judged.detail}")
        attempt = self._hunt.attempt_number()
        full = await self._hunt.reserve(attempt, judged)
        if full is not None:
            if uri is None:
                self._hunt.undialled(target)
            return self._refuse(f"{target.id}: {full.reason}", full.status or 603)
        call.record.step("transfer", "accepted", call.trace.shown(printable(self._referred.uri))[:200])
        self._referred.transfer.accept()
        return await self._dial(target, uri, attempt, judged)

    async def _attend(self, other: Found) -> Bridge:
        """To the party of another call of the same target's (RFC 3891): the two calls become one."""
        call, reception = self._call, self._call.reception
        why = why_not(call, self._bridge, other, self._referred.replaces)
        if why is not None:
            return self._refuse(why)
        joining = Joining(call, self._bridge, other)
        if self._bridge.busy or not await joining.ask():
            return self._refuse("an offer is under way", 491)
        self._referred.transfer.accept()
        words = f"{other.party_name} of call {other.call.facts.call_id}"
        started, target = call.services.clock.utc(), other.call.snapshot.target(other.target_id)
        reception.phase = "transfer"
        joined = await joining.join(self._meanwhile)
        reception.phase = "bridged"
        if isinstance(joined, Bridge):
            result = Result(200, "answered", words)
        else:
            result = joined._replace(reason=f"{words}: {joined.reason}" if joined.reason else words)
        call.record.step("transfer", "joined" if isinstance(joined, Bridge) else "refused", result.reason)
        if target is not None:
            self._hunt.note(target, started, result, self._transferring(None))
        if not isinstance(joined, Bridge):
            return self._go_on(result)
        self._referred.transfer.end(200, leave=True)
        log.info("call.transferred", joined=other.call.facts.call_id)
        return joined

    def _refuse(self, why: str, status: int = 603) -> Bridge:
        where = self._call.trace.shown(printable(self._referred.uri))[:100]
        self._call.record.step("transfer", "refused", f"{where}: {why}")
        self._referred.transfer.refuse(status)
        return self._bridge

    async def _dial(
        self, target: Target, uri: str | None, attempt: int, claims: tuple[CapClaim, ...]
    ) -> Bridge:
        call, reception, caller = self._call, self._call.reception, self._bridge.caller
        call.former.append(self._bridge.target)
        caller.off_hold()
        self._resumed = caller.remote
        reception.phase = "transfer"
        self._bridge.hush()
        reception.media.unbridge()
        reception.ring_on()
        started, transfer = call.services.clock.utc(), self._transferring(uri)
        try:
            leg, result = await self._hunt.dial(target, started, transfer)
        except MediaUnavailable as error:
            leg, result = None, Result(0, "unreachable", str(error))
        if leg is not None:
            await self._connect(attempt, target.id, elsewhere=uri is not None)
        caller.media.stop()
        if leg is not None:
            return self._join(leg)
        if claims:
            call.services.store.post(Release(call.facts.call_id, attempt, call.services.clock.utc()))
        return self._go_on(result)

    def _transferring(self, uri: str | None) -> Transferring:
        words = f"transferred by {self._by.name if self._by is not None else '?'}"
        return Transferring(words, uri, self._headers(), self._meanwhile)

    def _headers(self) -> tuple[tuple[str, str], ...]:
        lines = []
        if self._referred.replaces is not None:
            lines += [("Replaces", self._referred.replaces), ("Require", "replaces")]
        if self._referred.referred_by is not None:
            lines.append(("Referred-By", self._referred.referred_by))
        return tuple(lines)

    def _meanwhile(self, happening: Happening) -> None:
        """The old target, while the new one rings: it may hang up, and is answered with what it has."""
        old = self._bridge.target
        if not isinstance(happening, SipHappened) or happening.leg is not old or old.invite is None:
            return
        if isinstance(happening.event, Ended):
            self._gone = True
        elif isinstance(happening.event, Offered) and happening.event.sdp:
            old.take_alone(happening.event.sdp, said=self._bridge.caller.remote)
        else:
            put_off(happening)

    def _go_on(self, result: Result) -> Bridge:
        """It came to nothing: back to the old target, if that is still there."""
        call, bridge = self._call, self._bridge
        status = result.status if result.status >= 300 else _TOLD.get(result.outcome, 603)
        self._referred.transfer.end(status, leave=False)
        if self._gone:
            raise CallOver("target", f"its transfer failed: {result.reason}", reason=f"SIP;cause={status}")
        if bridge.target in call.former:
            call.former.remove(bridge.target)
        if bridge.caller.remote is self._resumed:
            bridge.caller.remote = self._told
        call.target = bridge.target
        call.reception.phase = "bridged"
        call.reception.media.bridge(bridge.caller.media, bridge.target.media)
        bridge.relay()
        bridge.catch_up(told=True)  # one of them has offered anew meanwhile, or the new target
        return bridge

    async def _connect(self, attempt: int, target_id: str, *, elsewhere: bool) -> None:
        """The new target has answered, and counts from now on in the old one's place; where that has sent the
        call ``elsewhere`` it counts itself as before."""
        call, store, now = self._call, self._call.services.store, self._call.services.clock.utc()
        await store.submit(Connect(call.facts.call_id, attempt, target_id, now))
        if not elsewhere:
            store.post(Release(call.facts.call_id, call.bridged.attempt, now))
            call.bridged = Bridged(target_id, attempt)

    def _join(self, leg: Leg) -> Bridge:
        """The old target is told, and left."""
        self._call.reception.forget_early()
        bridge = seat(self._call, self._bridge, leg)
        self._referred.transfer.end(200, leave=True)
        log.info("call.transferred", target=self._call.bridged.target_id)
        return bridge


def destination(uri: str, by: Target, call: "Call", hunt: "Hunt") -> tuple[Target, str | None] | None:
    """Where a Refer-To leads: a target of ours, or ``by`` itself at a URI that it may send calls to.

    A phone number is that of a target, whatever the host: it is dialled through the target's own trunks.
    """
    try:
        wanted = parse_uri(uri)
    except SipParseError:
        return None
    number = normalise(wanted.subscriber, call.trunk.country)
    for target in call.snapshot.targets():
        if target.address == number or _same_place(wanted, _address_of(target, hunt)):
            return target, None
    if wanted.scheme == "tel" or not allowed(uri, by.sip.redirect_hosts):
        return None
    return by, str(plain(wanted))


def _address_of(target: Target, hunt: "Hunt") -> str:
    address = target.address
    return fill_address(address, hunt.values.toward(target)) if "[" in address else address


def _same_place(wanted: Uri, address: str) -> bool:
    """Whether a target's address is where a URI leads: user, host and port."""
    if address.startswith("+") or wanted.host.lower() not in address.lower():
        return False  # without a look at all of it: there may be thousands of targets
    try:
        ours = parse_uri(address)
    except SipParseError:
        return False
    return (wanted.user, wanted.host.lower(), wanted.port or 0) == (
        ours.user,
        ours.host.lower(),
        ours.port or 0,
    )
