"""Before the bridge: what the target hears, and the key by which it takes the call (rule: Whisper)."""

from collections.abc import Callable

from edge.calls.happenings import Happening, MediaHappened, SipHappened, put_off
from edge.calls.invitation import Transferring
from edge.calls.keys import RELAY_TYPE, Keys, info_body
from edge.calls.leg import Leg
from edge.calls.reception import Reception
from edge.media.engine import PlayDone
from edge.media.presses import PAUSE, PAUSE_MS
from edge.model.config import Target
from edge.sip.events import Acked, Ended, OfferAnswered, Offered, OfferRefused, Refreshed

ACCEPT_S = 10.0
"""How long the key is waited for, once the prompt is over."""
_PRESS_S = 0.25
_PAUSE_S = PAUSE_MS / 1000


def asks_target(target: Target) -> bool:
    """Whether a target hears or is pressed anything before it has the call."""
    return (
        target.whisper_prompt_id is not None
        or target.accept_key is not None
        or target.send_digits is not None
    )


async def accepted(
    reception: Reception, leg: Leg, target: Target, transfer: Transferring | None = None
) -> bool:
    """Presses the target's digits to it and plays the whisper; False when it hung up or pressed no key.

    Raises CallOver when the caller is gone.  The caller goes on hearing ringing.  Whom a call is transferred
    to hears no whisper; another place than the target's own gets no digits either (rule: Transfers).
    """
    if transfer is not None and (transfer.uri is not None or target.send_digits is None):
        return True
    whispers = target.whisper_prompt_id is not None or target.accept_key is not None
    if reception.early is leg:
        reception.end_early()
    leg.plan()
    others = put_off if transfer is None else transfer.others
    if target.send_digits is not None and not await _Dialling(reception, leg, others).run(target.send_digits):
        return False
    return not whispers or transfer is not None or await _Whisper(reception, leg, target).run()


def _gone(happening: Happening, leg: Leg, caller: Leg | None) -> bool:
    """Whether the target hung up; an offer of it is answered with what the caller said."""
    if not isinstance(happening, SipHappened) or happening.leg is not leg:
        return False
    match happening.event:
        case Ended():
            return True
        case Offered(sdp=offer):
            leg.take_alone(offer, said=None if caller is None else caller.remote)
        case Acked(sdp=answer) | OfferAnswered(sdp=answer):  # the caller's offer crossed the answer, perhaps
            leg.undecided = None
            leg.hear(answer)
        case Refreshed(sdp=answer):
            leg.hear(answer)
        case OfferRefused(status=status) if leg.undecided is not None:
            leg.refuses(status)
        case _:
            return False
    leg.plan()
    return False


def _is_done(happening: Happening, leg: Leg, token: int | None) -> bool:
    match happening:
        case MediaHappened(leg=where, event=PlayDone(token=done)):
            return where is leg and done == token
        case _:
            return False


class _Dialling:
    """Keys that a PBX gets once it has answered: telephone-events, or INFO where it takes none.

    ``others`` is told what happens to other legs meanwhile.
    """

    def __init__(self, reception: Reception, leg: Leg, others: Callable[[Happening], None]) -> None:
        self._reception = reception
        self._leg = leg
        self._others = others

    async def run(self, digits: str) -> bool:
        """False when the target hung up meanwhile."""
        events = self._leg.events
        self._reception.record.step("send_digits", "events" if events is not None else "info", digits)
        if events is not None:
            token = self._leg.media.press(digits, events.payload, events.clock_rate)
            return await self._until(self._reception.until, token)
        for digit in digits:
            if digit != PAUSE:
                assert self._leg.invite is not None
                self._leg.invite.info(RELAY_TYPE, info_body(digit))
            clock = self._reception.services.clock
            if not await self._until(clock.monotonic() + (_PAUSE_S if digit == PAUSE else _PRESS_S)):
                return False
        return True

    async def _until(self, until: float, token: int | None = None) -> bool:
        """Waits for the end of the presses, or until an instant (monotonic seconds)."""
        while (happening := await self._reception.next(until)) is not None:
            if _gone(happening, self._leg, self._reception.caller):
                return False
            if token is not None and _is_done(happening, self._leg, token):
                return True
            ours = isinstance(happening, SipHappened) and happening.leg is self._leg
            (put_off if ours else self._others)(happening)
        return True


class _Whisper:
    def __init__(self, reception: Reception, leg: Leg, target: Target) -> None:
        self._reception = reception
        self._leg = leg
        self._key = target.accept_key
        self._keys = Keys()
        source = target.whisper_prompt_id or "press-1"
        ready = reception.services.prompt_ready(source)
        self._token = leg.media.play(source) if ready else None
        reception.record.step("whisper", "played" if ready else "skipped", source)

    async def run(self) -> bool:
        if self._token is None and self._key is None:
            return True
        clock = self._reception.services.clock
        until = self._reception.until if self._token is not None else clock.monotonic() + ACCEPT_S
        while (happening := await self._reception.next(until)) is not None:
            if _is_done(happening, self._leg, self._token):
                if self._key is None:
                    return True
                until = clock.monotonic() + ACCEPT_S
            elif self._key is not None and self._keys.pressed(self._leg, happening) == self._key:
                self._leg.media.stop()
                return True
            elif _gone(happening, self._leg, self._reception.caller):
                return False
            else:
                put_off(happening)
        return False
