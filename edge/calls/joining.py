"""Attended transfer between two calls of ours: a REFER whose Replaces names a dialog of another call.

The caller of the call that is transferred gets the other call's party; what the transferring target had with
either is ended (RFC 3891, 5589; rule: Transfers).  The two calls are two stories: one asks for the party,
the other lends it until it hears that the two were joined.
"""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from edge.calls.bridge import Bridge, ended
from edge.calls.happenings import (
    CallOver,
    Happening,
    MediaHappened,
    PartySettled,
    PartyWanted,
    SipHappened,
    put_off,
)
from edge.calls.hunt import Bridged
from edge.calls.leg import Leg
from edge.calls.outcome import NO_SLOT, NOT_COUNTED, Result
from edge.calls.peers import Peer
from edge.calls.recordings import RECORDABLE
from edge.calls.takeover import seat
from edge.media.engine import MediaUnavailable
from edge.media.plans import receives_at
from edge.media.sdp import Description
from edge.model.decision import Candidate, CapClaim
from edge.model.ledger import Connect, HandBack, Release, Reserve, Unavailable
from edge.routing.choose import concurrency
from edge.sip.errors import SipParseError
from edge.sip.events import Ended, InviteEvent, OfferAnswered, OfferRefused, Refreshed
from edge.sip.replaces import Replaces, parse_replaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.calls.call import Call

GRANT_S: Final = 2.0
"""Seconds for the other call to lend its party: it has nothing to wait for."""
ANSWER_S: Final = 33.0
"""Seconds for the party to take its new address: as long as a re-INVITE may go without an answer."""
GONE: Final = Ended("gone", None)


class Others(Protocol):
    """The live calls (``edge.calls.switch``)."""

    def holding(self, replaces: Replaces) -> "tuple[Call, Leg] | None":
        """The call and the leg that have a dialog."""
        ...


class Found(NamedTuple):
    """The other call, and its leg whose dialog is to be replaced."""

    call: "Call"
    leg: Leg

    @property
    def party_name(self) -> str:
        """Who is to be joined: the other side of the replaced dialog."""
        return "target" if self.leg is self.call.reception.caller else "caller"

    @property
    def target_id(self) -> str:
        """The target that is to be joined; empty if it is a caller."""
        return self.call.bridged.target_id if self.leg is self.call.reception.caller else ""


def other_call(call: "Call", replaces: str | None) -> Found | None:
    """Whose dialog a REFER wants replaced; None if it is none of ours."""
    if replaces is None:
        return None
    try:
        found = call.others.holding(parse_replaces(replaces))
    except SipParseError:
        return None
    return None if found is None else Found(*found)


def why_not(call: "Call", bridge: Bridge, found: Found, replaces: str | None) -> str | None:
    """What forbids it: a target moves only its own calls, and only those that are up (RFC 3891 section 3)."""
    other, leg = found
    if other is call:
        return "the dialog to replace is of the same call"
    if not _same_peer(call, bridge.target, found):
        return "the dialog to replace is not the target's own"
    if other.reception.phase != "bridged" or leg.invite is None or leg.invite.state != "up":
        return "the dialog to replace is not up"
    if replaces is not None and parse_replaces(replaces).early_only:
        return "the dialog to replace is answered, and early-only was asked"
    return None


def _same_peer(call: "Call", target: Leg, found: Found) -> bool:
    """Whether the dialog is with who transfers: at an address of its PBX, or from a trunk of that."""
    assert target.invite is not None and found.leg.invite is not None
    peers = call.services.peers
    peer = Peer(call.snapshot.target(call.bridged.target_id), target.invite.flow.remote[0])
    if peers.is_at(peer, found.leg.invite.flow.remote[0]):
        return True
    called_us = found.leg is found.call.reception.caller
    return called_us and peers.comes_by(peer, found.call.trunk.id, call.snapshot)


class Joining:
    """One such transfer, told by the call that is transferred."""

    def __init__(self, call: "Call", bridge: Bridge, found: Found) -> None:
        self._call = call
        self._bridge = bridge
        self._other, self._replaced = found
        self._party: Leg | None = None
        self._leg: Leg | None = None
        self._told: Description | None = None
        self._said: list[InviteEvent] = []
        self._attempt = len(call.record.attempts) + 1
        self._held: tuple[CapClaim, ...] | None = None

    async def ask(self) -> bool:
        """Borrows the other party; False if its call is in no state to lend it, or one of ours was asked for
        first: if each call waited for the other, neither would lend."""
        for one in self._call.reception.inbox.items:
            if isinstance(one, PartyWanted) and not one.granted.done():
                return False
        granted: asyncio.Future[Leg | None] = asyncio.get_running_loop().create_future()
        wanted = PartyWanted(self._replaced, self._call.facts.call_id, granted)
        self._other.reception.inbox.put(wanted)
        try:
            async with asyncio.timeout(GRANT_S):
                self._party = await granted
        except TimeoutError:
            if granted.done() and not granted.cancelled():  # it came in the very moment in which we gave up
                self._party = granted.result()
            if self._party is not None:
                self._give_back(None)
            return False
        return self._party is not None

    async def join(self, meanwhile: "Callable[[Happening], None]") -> Bridge | Result:
        """Offers the party the caller's codecs at our new address.  The bridge to it, or what says why
        not: then both calls are as before.  Raises CallOver if the call ends meanwhile."""
        caller = self._bridge.caller
        told = caller.remote
        caller.off_hold()
        resumed, status, over = caller.remote, 503, None
        try:
            full = await self._move_slots()
            if full is not None:
                return full
            status, over = await self._ask_party(meanwhile)
        except MediaUnavailable:
            pass
        finally:
            if status != 200:
                caller.remote = told if caller.remote is resumed else caller.remote
                self._give_back(over)
        return await self._seat() if status == 200 else Result(status, "refused", "")

    @property
    def _joined(self) -> Bridged:
        """Whom the caller would talk with, as the other call has it; nobody's slot counts for a caller."""
        return self._other.bridged if self._party is self._other.target else Bridged("", 0)

    async def _move_slots(self) -> Result | None:
        """The conversation's slots go from call to call, in one step: nobody gets them in between.  What this
        call's own configuration asks on top must be free, else why not (rule: Caps)."""
        call, other, joined = self._call, self._other, self._joined
        if not joined.target_id:
            return None
        candidate = Candidate(joined.target_id, 0, 1.0, joined.group_id)
        held = concurrency(candidate, other.facts, other.snapshot)
        caps = {claim.cap_id for claim in held}
        own = concurrency(candidate, call.facts, call.snapshot)
        claims = (*held, *(claim for claim in own if claim.cap_id not in caps))
        if not claims:
            return None
        giver = (other.facts.call_id, joined.attempt)
        facts = call.facts
        full = await call.services.store.submit(
            Reserve(facts.call_id, self._attempt, claims, facts.arrived_at, giver)
        )
        if isinstance(full, Unavailable):
            return NOT_COUNTED
        if full is not None:
            return NO_SLOT
        call.holds_slots = True
        self._held = held
        return None

    def _return_slots(self) -> None:
        """The party stays with its call, and so does what it holds."""
        if self._held is None:
            return
        mine, theirs = self._call.facts.call_id, self._other.facts.call_id
        caps, now = [claim.cap_id for claim in self._held], self._call.services.clock.utc()
        back = HandBack(mine, self._attempt, theirs, self._joined.attempt, caps, now)
        self._call.services.store.post(back)

    async def _ask_party(self, meanwhile: "Callable[[Happening], None]") -> tuple[int, Ended | None]:
        party, reception = self._party, self._call.reception
        assert party is not None and party.invite is not None
        media = reception.media.leg(party.invite.flow.remote[0], receives_at(party.remote))
        self._leg = leg = Leg("target", media, reception.inbox)
        leg.local, leg.remote = party.local, party.remote
        sdp = self._offer(leg)
        if sdp is None:
            return 488, None
        if party.invite.state != "up":
            return 480, None  # its own call will hear of it
        leg.attach(party.invite)
        party.invite.offer_again(sdp, renewed=leg.renewed)
        self._told = leg.local
        return await self._answer(leg, meanwhile)

    def _give_back(self, over: Ended | None) -> None:
        """The party is the other call's again, with what it has said meanwhile."""
        party, leg, inbox = self._party, self._leg, self._other.reception.inbox
        assert party is not None and party.invite is not None
        party.attach(party.invite)
        self._return_slots()
        inbox.put(PartySettled(joined=False, ended=over, told=self._told))
        for event in self._said:
            inbox.put(SipHappened(party, event))
        if leg is not None:
            self._call.reception.media.close_leg(leg.media)
            for said in self._call.reception.inbox.take(lambda one: _is_of(one, leg)):
                if isinstance(said, SipHappened):
                    inbox.put(SipHappened(party, said.event))

    def _offer(self, leg: Leg) -> bytes | None:
        """The caller's codecs; where the call is recorded those that can be, if the party has one."""
        caller = self._bridge.caller
        sdp = leg.offer_of(caller.remote, allowed=RECORDABLE) if self._call.recordings.wanted else None
        return sdp or leg.offer_of(caller.remote)

    async def _answer(self, leg: Leg, meanwhile: "Callable[[Happening], None]") -> tuple[int, Ended | None]:
        reception = self._call.reception
        until = self._call.services.clock.monotonic() + ANSWER_S
        while (happening := await reception.next(min(until, reception.until))) is not None:
            if not isinstance(happening, SipHappened) or happening.leg is not leg:
                meanwhile(happening)
                continue
            assert leg.invite is not None
            if isinstance(happening.event, Refreshed | OfferAnswered | OfferRefused):
                self._said.append(happening.event)
            match happening.event:
                case OfferAnswered() if leg.invite.state != "up":
                    return 480, GONE  # its own call has ended in this very moment
                case OfferAnswered(sdp=sdp):
                    return (200 if leg.hear(sdp) and leg.agreed else 488), None
                case OfferRefused(status=status):
                    return status, None
                case Ended() as over:
                    return 480, over
                case _:
                    put_off(happening)
        return 408, None

    async def _seat(self) -> Bridge:
        call, other, leg, party = self._call, self._other, self._leg, self._party
        assert leg is not None and party is not None
        leg.passage, party.passage = party.passage, None
        joined = self._joined
        other.give_away(party)
        other.reception.inbox.put(PartySettled(joined=True))
        assert leg.invite is not None
        call.services.traces.open(leg.invite.call_id, call.trace)
        # A caller who heard no consent message is not recorded.
        asked = party is other.target or other.recordings.asked
        seated = seat(call, self._bridge, leg, recorded=asked)
        await self._account(joined)
        return seated

    async def _account(self, joined: Bridged) -> None:
        """The old target's slot is given back; the new one's is held already (rule: Caps)."""
        call, store, now = self._call, self._call.services.store, self._call.services.clock.utc()
        store.post(Release(call.facts.call_id, call.bridged.attempt, now))
        if joined.target_id:
            await store.submit(Connect(call.facts.call_id, self._attempt, joined.target_id, now))
        call.bridged = joined._replace(attempt=self._attempt)


def _is_of(happening: Happening, leg: Leg) -> bool:
    return isinstance(happening, SipHappened | MediaHappened) and happening.leg is leg


async def _lent(call: "Call", kept: Leg) -> tuple[PartySettled, Ended | None]:
    """Until it is known what became of the party; and whether who is left has hung up meanwhile."""
    gone: Ended | None = None
    refreshed: list[Happening] = []
    while (happening := await call.reception.next(call.reception.until)) is not None:
        match happening:
            case PartySettled():
                call.reception.inbox.put_back(refreshed)
                return happening, gone
            case SipHappened(leg=leg, event=Ended() as event) if leg is kept:
                gone = event
            case SipHappened(event=Refreshed()):
                refreshed.append(happening)
            case _:
                put_off(happening)
    raise call.reception.too_long()


async def lend(call: "Call", bridge: Bridge, wanted: PartyWanted) -> None:
    """The other call's side of it: returns if the call goes on as before, else raises CallOver."""
    kept, party = wanted.leg, bridge.other(wanted.leg)
    mine = kept in (bridge.caller, bridge.target)
    said = any(isinstance(one, SipHappened) and one.leg is party for one in call.reception.inbox.items)
    if not mine or said or wanted.granted.done() or bridge.busy or party.invite is None:
        wanted.refuse()
        return
    party.invite.on_event = None  # what it says waits for who borrows it
    wanted.granted.set_result(party)
    try:
        happening, gone = await _lent(call, kept)
    except CallOver:
        if party.invite.on_event is not None:  # who borrows it waits for it no longer
            party.invite.on_event(GONE)
        raise
    if happening.joined:
        call.record.step("transfer", "joined", f"the {party.name} went to call {wanted.by}")
        raise CallOver("caller" if kept is bridge.caller else "target", f"transferred to call {wanted.by}")
    if gone is not None:
        raise ended(kept, gone)
    if happening.ended is not None:
        raise ended(party, happening.ended)
    if happening.told is not None:
        party.undecided, party.local = party.local, happening.told
