"""Before the bridge: what the target hears, and the key by which it takes the call (rule: Whisper)."""

from edge.calls.happenings import Happening, MediaHappened, SipHappened
from edge.calls.keys import Keys
from edge.calls.leg import Leg
from edge.calls.reception import Reception
from edge.media.engine import PlayDone
from edge.model.config import Target
from edge.sip.events import Ended, Offered

ACCEPT_S = 10.0
"""How long the key is waited for, once the prompt is over."""


async def accepted(reception: Reception, leg: Leg, target: Target) -> bool:
    """Plays the whisper; False when the target hung up, or did not press its key.

    Raises CallOver when the caller is gone.  The caller goes on hearing ringing.
    """
    if target.whisper_prompt_id is None and target.accept_key is None:
        return True
    if reception.early is leg:
        reception.media.unbridge()
        reception.forget_early()
        reception.ring_on()
    leg.plan()
    return await _Whisper(reception, leg, target).run()


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
            if self._is_done(happening):
                if self._key is None:
                    return True
                until = clock.monotonic() + ACCEPT_S
            elif self._key is not None and self._keys.pressed(self._leg, happening) == self._key:
                self._leg.media.stop()
                return True
            elif self._gone(happening):
                return False
        return False

    def _is_done(self, happening: Happening) -> bool:
        match happening:
            case MediaHappened(leg=leg, event=PlayDone(token=token)):
                return leg is self._leg and token == self._token
            case _:
                return False

    def _gone(self, happening: Happening) -> bool:
        """Whether the target hung up; an offer of it is answered with what it has."""
        if not isinstance(happening, SipHappened) or happening.leg is not self._leg:
            return False
        if isinstance(happening.event, Offered) and self._leg.local is not None:
            assert self._leg.invite is not None
            self._leg.invite.accept_offer(self._leg.local.to_bytes())
        return isinstance(happening.event, Ended)
