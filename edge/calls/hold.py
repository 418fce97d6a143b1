"""What the caller hears while its target has it on hold: the campaign's prompt (rule: Answering)."""

from collections.abc import Callable

from edge.calls.leg import Leg
from edge.media.sdp import Description
from edge.media.streams import audible


class HoldPrompt:
    """A prompt that is played, over and over, to a caller on hold, in place of what the target sends."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._playing = False

    def play(self, caller: Leg, target: Leg) -> None:
        """Plays while the target has the caller on hold; goes on where nothing changed."""
        held = target.deaf and caller.listens
        if held and not self._playing:
            caller.media.play(self._source, loop=True)
        elif not held:
            self.hush(caller)
        self._playing = held

    def hush(self, caller: Leg) -> None:
        """It is over: something else is to be heard."""
        if self._playing:
            self._playing = False
            caller.media.stop()

    def told(
        self, caller: Leg, said: Description, tell: Callable[[Description], bytes | None]
    ) -> bytes | None:
        """What ``tell`` says to the caller of its target, who ``said`` that of itself: one that neither sends
        nor listens leaves it to us what the caller hears, if it can hear us."""
        before = caller.local
        told = tell(audible(said))
        if told is None or caller.can_hear_us:
            return told
        caller.local = before
        return tell(said)
