"""Another phone of the target takes the call: an INVITE with Replaces (RFC 3891; rule: Transfers)."""

from typing import TYPE_CHECKING

from edge.calls.bridge import Bridge
from edge.calls.leg import Leg, calling
from edge.media.engine import MediaUnavailable, NoAddress
from edge.sip.headers import printable
from edge.sip.invite import Invite
from edge.sip.reason import ELSEWHERE

if TYPE_CHECKING:
    from edge.calls.call import Call


def take_over(call: "Call", bridge: Bridge, replaced: Leg, invite: Invite) -> Bridge:
    """In a call that is up, at either side; the bridge that goes on: with the new phone or, if that can not
    be, the old."""
    if bridge.busy:
        invite.reject(491)
        return bridge
    stays = bridge.other(replaced)
    told = stays.remote
    stays.off_hold()
    leg = welcomed(call, replaced, stays, invite)
    if leg is None:
        stays.remote = told
        return bridge
    seated = seat(call, bridge, leg) if leg.name == "target" else _seat_caller(call, bridge, leg, invite)
    if replaced.invite is not None:
        replaced.invite.hang_up(ELSEWHERE)
    return seated


def welcomed(call: "Call", replaced: Leg, stays: Leg | None, invite: Invite) -> Leg | None:
    """A leg for the phone, which has its 200; None if it has gone, or shares no codec with who ``stays``."""
    if invite.state != "trying":
        return None
    reception = call.reception
    try:
        leg = calling(replaced.name, reception.media, invite, reception.inbox)
    except NoAddress as error:
        _refuse(call, invite, str(error))
        return None
    except MediaUnavailable:
        invite.reject(503)
        return None
    sdp = _description(leg, stays, invite.offer)
    if sdp is None:
        reception.media.close_leg(leg.media)
        _refuse(call, invite, "no shared codec")
        return None
    who = _who(call, invite)
    call.services.traces.open(invite.call_id, call.trace)
    call.record.step(
        "transfer", "taken over", f"by {who}" if leg.name == "target" else f"from the caller by {who}"
    )
    if replaced.invite is not None and replaced.invite.takes_refer:
        invite.let_refer()
    leg.attach(invite)
    invite.answer(sdp)
    return leg


def _who(call: "Call", invite: Invite) -> str:
    return call.trace.shown(printable(invite.request.headers.get("From") or ""))[:100]


def _refuse(call: "Call", invite: Invite, why: str) -> None:
    """The phone can not have the call: neither of the two could hear the other."""
    invite.reject(488)
    call.record.step("transfer", "refused", f"{_who(call, invite)}: {why}")


def _description(leg: Leg, other: Leg | None, offer: bytes) -> bytes | None:
    """What the phone is told: the other side's codecs, ours while that has named none."""
    heard = leg.remote is not None
    if offer and not heard:
        return None
    if other is None or other.remote is None:
        return leg.answer_locally() if heard else leg.offer_ours()
    return leg.answer_of(other.remote) if heard else leg.offer_of(other.remote)


def seat(call: "Call", bridge: Bridge, leg: Leg, *, recorded: bool = True) -> Bridge:
    """``leg`` talks with the caller instead of the old target, whose dialog is left to be ended."""
    caller, old, reception = bridge.caller, bridge.target, call.reception
    if old not in call.former:
        call.former.append(old)
    call.target = leg
    bridge.hush()
    seated = Bridge(caller, leg)
    seated.hold = bridge.hold
    reception.phase = "bridged"
    reception.media.bridge(caller.media, leg.media)
    seated.relay()
    seated.ours.settle(caller)
    if recorded:
        call.recordings.join(reception, leg)
    old.detach()
    reception.media.close_leg(old.media)
    return seated


def _seat_caller(call: "Call", bridge: Bridge, leg: Leg, invite: Invite) -> Bridge:
    """``leg`` talks with the target instead of the old caller.  It heard no consent message: what the call
    records from now on is the target alone (rule: Recordings)."""
    old, target, reception = bridge.caller, bridge.target, call.reception
    call.former.append(old)
    call.recordings.asked = False
    reception.caller, reception.invite = leg, invite
    bridge.hush()
    seated = Bridge(leg, target)
    seated.hold = bridge.hold
    reception.media.bridge(leg.media, target.media)
    seated.relay()
    seated.ours.settle(target)
    old.detach()
    reception.media.close_leg(old.media)
    return seated
