"""Another phone of the target takes the call: an INVITE with Replaces (RFC 3891; rule: Transfers)."""

from typing import TYPE_CHECKING

from edge.calls.bridge import Bridge
from edge.calls.leg import Leg
from edge.media.engine import MediaUnavailable
from edge.sip.headers import printable
from edge.sip.invite import Invite
from edge.sip.reason import ELSEWHERE

if TYPE_CHECKING:
    from edge.calls.call import Call


def take_over(call: "Call", bridge: Bridge, invite: Invite) -> Bridge:
    """In a call that is up; the bridge that goes on: with the new phone or, if that can not be, the old."""
    if bridge.busy:
        invite.reject(491)
        return bridge
    caller, told = bridge.caller, bridge.caller.remote
    caller.off_hold()
    leg = welcomed(call, invite)
    if leg is None:
        caller.remote = told
        return bridge
    seated = seat(call, bridge, leg)
    if bridge.target.invite is not None:
        bridge.target.invite.hang_up(ELSEWHERE)
    return seated


def welcomed(call: "Call", invite: Invite) -> Leg | None:
    """A leg for the phone, which has its 200; None if it has gone, or has no codec of the caller's."""
    if invite.state != "trying":
        return None
    reception = call.reception
    try:
        leg = Leg("target", reception.media.leg(), reception.inbox)
    except MediaUnavailable:
        invite.reject(503)
        return None
    sdp = _description(leg, reception.caller, invite.offer)
    who = printable(invite.request.headers.get("From") or "")[:100]
    if sdp is None:
        reception.media.close_leg(leg.media)
        invite.reject(488)
        call.record.step("transfer", "refused", f"{who}: no shared codec")
        return None
    call.services.traces.open(invite.call_id, call.trace)
    call.record.step("transfer", "taken over", f"by {who}")
    invite.let_refer()
    leg.attach(invite)
    invite.answer(sdp)
    return leg


def _description(leg: Leg, caller: Leg | None, offer: bytes) -> bytes | None:
    """What the phone is told: the caller's codecs, ours while the caller has named none."""
    heard = leg.hear(offer)
    if offer and not heard:
        return None
    if caller is None or caller.remote is None:
        return leg.answer_locally() if heard else leg.offer_ours()
    return leg.answer_of(caller) if heard else leg.offer_of(caller)


def seat(call: "Call", bridge: Bridge, leg: Leg, *, recorded: bool = True) -> Bridge:
    """``leg`` talks with the caller instead of the old target, whose dialog is left to be ended."""
    caller, old, reception = bridge.caller, bridge.target, call.reception
    if old not in call.former:
        call.former.append(old)
    call.target = leg
    seated = Bridge(caller, leg)
    reception.phase = "bridged"
    reception.media.bridge(caller.media, leg.media)
    seated.relay()
    seated.settle_caller()
    if recorded:
        call.recordings.join(reception, leg)
    old.detach()
    reception.media.close_leg(old.media)
    return seated
