"""Offers of a bridge that are nobody's but ours: no peer has offered anything that they pass on.

A caller that was told another codec than its target chose, who is left by somebody that had it on hold,
a peer that took an offer which then came to nothing on the other side.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from edge.calls.happenings import CallOver
from edge.calls.leg import Leg
from edge.media.sdp import Description

if TYPE_CHECKING:
    from edge.calls.bridge import Bridge


MOST_TRIES: Final = 2
"""A peer that never says whether it takes what it had before is asked so often, each time for 64 s."""


class _Restoring(NamedTuple):
    """A peer is offered what it had before it was ``told`` something else, and answered that with ``heard``
    (None: perhaps it never took it).  ``stays``: it is with what it had that the other one has to talk."""

    told: Description
    heard: Description | None
    stays: bool = False
    tries: int = 1


class OwnOffers:
    """Those of one bridge: one at a time.  ``_asked`` is who got the last one, and what it has if it refuses
    that."""

    __slots__ = ("_asked", "_before", "_bridge", "_last_try", "_restoring")

    def __init__(self, bridge: "Bridge") -> None:
        self._bridge = bridge
        self._asked: tuple[Leg, Description | None] | None = None
        self._before: tuple[Leg, Description | None] | None = None
        self._last_try = False
        self._restoring: _Restoring | None = None

    @property
    def out(self) -> bool:
        """Whether one has no answer yet: another's would be taken for it."""
        return self._before is not None or self._last_try or self._restoring is not None

    def settle(self, leg: Leg) -> None:
        """With a new peer at the other side: who was put on hold by the last one, or talks another codec, is
        told; and the new one, if it was put on hold by who has taken it off since.

        A peer that has not said yet what it takes is waited for.
        """
        other = self._bridge.other(leg)
        if other.remote is not None and (leg.held or leg.needs_reoffer(other)):
            self.offer(leg)
        self._free(other)

    def offer(self, leg: Leg) -> None:
        """What the other peer says by now, if this one was told something else."""
        if leg.undecided is not None:
            return  # and then once it has said whether it takes that
        before, bridge = leg.local, self._bridge
        other = bridge.other(leg)
        if not (other.deaf or leg.deaf):
            other.off_hold()  # it said that it only listens to a hold that is over, as it will be told
        sdp = bridge.offer(leg, other)
        if sdp is None:
            self._stay(leg, before)
        elif leg.local is not before:
            self._before = leg, before
            self._send(leg, sdp, before)

    def restore(self, leg: Leg, told: Description, heard: Description | None = None) -> None:
        """Offers a peer that was ``told`` something, and perhaps took it (``heard``), what it had before."""
        sdp = leg.tell_again(told)
        if sdp is not None:
            self._restore(leg, sdp, _Restoring(told, heard))

    def follow(self, leg: Leg, allowed: tuple[str, ...] | None = None) -> None:
        """The other peer is offered what this one takes; without it there is no call."""
        other = self._bridge.other(leg)
        before, sdp = other.local, other.offer_of(leg.remote, allowed=allowed)
        if sdp is None:
            raise _no_codec()
        self._last_try = True
        self._send(other, sdp, before)

    def leave(self) -> None:
        """Nobody waits for the answer any more: who has the offer may yet take it."""
        if self.out and self._asked is not None:
            leg, before = self._asked
            leg.undecided = before

    def answered(self, leg: Leg, sdp: bytes) -> None:
        """A peer takes it (the codec that the target chose, say)."""
        left, leg.undecided = leg.undecided, None
        last_try, other, restoring = self._last_try, self._bridge.other(leg), self._restoring
        before, had = self._before, leg.remote
        talked = had is not None and not leg.declined
        if left is None:
            self._before, self._last_try, self._restoring = None, False, None
        if leg.hear(sdp):
            self._bridge.relay()
        if left is None and talked and leg.declined and (last_try or before is not None):
            self._no_audio(leg, before, had)
        elif restoring is not None and restoring.stays and not leg.declined:
            self._stay(leg, leg.local)
        elif left is not None:  # who had it offered is gone
            self.offer(leg)
        elif not last_try and other.needs_reoffer(leg):
            # Out of what the other one takes it chose what that was never offered (RFC 3264 section 6.1).
            self.follow(leg)
        self.tell_hold(other)

    def _no_audio(
        self, leg: Leg, before: tuple[Leg, Description | None] | None, had: Description | None
    ) -> None:
        """A peer takes an offer, and none of the audio in it: it has refused, and its audio is off.
        Raises CallOver if that was the last one that there is."""
        if before is None:
            raise _no_codec()
        told, declined = leg.local, leg.remote
        leg.local, leg.remote = before[1], had
        again = None if told is None else leg.tell_again(told)
        if told is not None and again is not None:
            self._restore(leg, again, _Restoring(told, declined, stays=True))

    def _free(self, leg: Leg) -> None:
        """A peer that is on hold although the other one does not hold is told so, when its turn has come."""
        other = self._bridge.other(leg)
        if leg.on_hold and other.remote is not None and not other.deaf and not self._bridge.busy:
            self.offer(leg)

    def tell_hold(self, leg: Leg) -> None:
        """The other peer has answered an offer of ours: it may hold this one by that, or no longer."""
        if leg.on_hold:
            self._free(leg)
        elif self._bridge.other(leg).holds and not self._bridge.busy:
            self.offer(leg)

    def refused(self, leg: Leg, status: int) -> None:
        """The peer does not take it: it goes on as before.  Raises CallOver if the two can not talk then."""
        if leg.undecided is not None:
            self._not_taken(leg, status)
            return
        restoring, self._restoring = self._restoring, None
        if restoring is None:
            self._refused()
        elif status == 408 and restoring.tries < MOST_TRIES and (again := _once_more(leg)) is not None:
            self._restore(leg, again, restoring._replace(tries=restoring.tries + 1))
        elif restoring.heard is not None:
            self._keep(leg, restoring.told, restoring.heard)

    def _keep(self, leg: Leg, told: Description, heard: Description) -> None:
        """A peer does not go back: what it took instead stands, and the other one has to follow."""
        leg.local, leg.remote = told, heard
        self._bridge.relay()
        other = self._bridge.other(leg)
        if other.needs_reoffer(leg):
            self.offer(other)

    def _refused(self) -> None:
        """By one of the two, or then by the other."""
        if self._last_try:
            raise _no_codec()
        if self._before is not None:
            self._stay(*self._before)

    def _stay(self, leg: Leg, before: Description | None) -> None:
        """A peer stays with what it has, and does not take what the other one speaks: that is offered what it
        stays with; without it there is no call."""
        leg.local, self._before = before, None
        other = self._bridge.other(leg)
        allowed: tuple[str, ...] | None = None
        if leg is self._bridge.caller:
            allowed = (leg.voice,) if leg.voice is not None else ()
        elif not leg.may_speak_to(other):
            allowed = leg.voices
        elif not other.needs_reoffer(leg):
            self._free(other)
            return
        self.follow(leg, allowed)

    def _not_taken(self, leg: Leg, status: int) -> None:
        """An offer for which nobody waited was refused, and what had to wait for that may go."""
        told, again, bridge = leg.local, leg.not_taken(status), self._bridge
        bridge.relay()
        if leg.needs_reoffer(bridge.other(leg)):
            self.offer(leg)
        elif again is not None and told is not None:
            self._restore(leg, again, _Restoring(told, None))

    def _restore(self, leg: Leg, sdp: bytes, restoring: _Restoring) -> None:
        self._restoring = restoring
        self._send(leg, sdp, restoring.told if restoring.heard is not None else leg.local)

    def _send(self, leg: Leg, sdp: bytes, before: Description | None) -> None:
        assert leg.invite is not None, "a bridged leg has its dialog"
        self._asked = leg, before
        leg.invite.offer_again(sdp, renewed=leg.renewed)


def _no_codec() -> CallOver:
    return CallOver("server", "caller and target share no codec", "rejected_no_codec")


def _once_more(leg: Leg) -> bytes | None:
    """The same offer, as a description newer than the one that may have been taken."""
    return None if leg.local is None else leg.tell_again(leg.local)
