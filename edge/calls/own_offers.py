"""Offers of a bridge that are nobody's but ours: no peer has offered anything that they pass on.

A caller that was told another codec than its target chose, who is left by somebody that had it on hold,
a peer that took an offer which then came to nothing on the other side.
"""

from typing import TYPE_CHECKING

from edge.calls.happenings import CallOver
from edge.calls.leg import Leg
from edge.media.sdp import Description

if TYPE_CHECKING:
    from edge.calls.bridge import Bridge


class OwnOffers:
    """Those of one bridge: one at a time."""

    __slots__ = ("_before", "_bridge", "_last_try", "_restoring")

    def __init__(self, bridge: "Bridge") -> None:
        self._bridge = bridge
        self._before: tuple[Leg, Description | None] | None = None
        self._last_try = False
        self._restoring = False

    @property
    def out(self) -> bool:
        """Whether one has no answer yet: another's would be taken for it."""
        return self._before is not None or self._last_try or self._restoring

    def settle(self, leg: Leg) -> None:
        """With a new peer at the other side: who was put on hold by the last one, or talks another codec, is
        told.

        A peer that has not said yet what it takes is waited for.
        """
        other = self._bridge.other(leg)
        if other.remote is not None and (leg.held or leg.needs_reoffer(other)):
            self.offer(leg)

    def offer(self, leg: Leg) -> None:
        """What the other peer says by now, if this one was told something else."""
        if leg.undecided is not None:
            return  # and then once it has said whether it takes that
        before, bridge = leg.local, self._bridge
        sdp = bridge.offer(leg, bridge.other(leg))
        if sdp is None:
            self._stay(leg, before)
        elif leg.local is not before:
            self._before = leg, before
            _send(leg, sdp)

    def restore(self, leg: Leg, told: Description) -> None:
        """Offers a peer that was ``told`` something what it had before that."""
        sdp = leg.tell_again(told)
        if sdp is not None:
            self._restore(leg, sdp)

    def answered(self, leg: Leg, sdp: bytes) -> None:
        """A peer takes it (the codec that the target chose, say)."""
        left, leg.undecided = leg.undecided, None
        if left is None:
            self._before, self._last_try, self._restoring = None, False, False
        if leg.hear(sdp):
            self._bridge.relay()
        if left is not None:  # who had it offered is gone
            self.offer(leg)

    def refused(self, leg: Leg, status: int) -> None:
        """The peer does not take it: it goes on as before.  Raises CallOver if the two can not talk then."""
        if leg.undecided is not None:
            self._not_taken(leg, status)
            return
        if not self._restoring:
            self._refused()
        self._restoring = False

    def _refused(self) -> None:
        """By the caller, or then by the target."""
        if self._last_try:
            raise CallOver("server", "caller and target share no codec", "rejected_no_codec")
        if self._before is not None:
            self._stay(*self._before)

    def _stay(self, leg: Leg, before: Description | None) -> None:
        """A peer does not take what the other one speaks; a target stays with what it has."""
        leg.local, self._before = before, None
        if leg is self._bridge.caller:
            self._meet_the_caller()

    def _meet_the_caller(self) -> None:
        """The caller stays with its codec: the target is offered that one; without it there is no call."""
        caller, target = self._bridge.caller, self._bridge.target
        voice = caller.voice
        sdp = target.offer_of(caller.remote, allowed=(voice,)) if voice is not None else None
        if sdp is None:
            raise CallOver("server", "caller and target share no codec", "rejected_no_codec")
        self._last_try = True
        _send(target, sdp)

    def _not_taken(self, leg: Leg, status: int) -> None:
        """An offer for which nobody waited was refused, and what had to wait for that may go."""
        again, bridge = leg.not_taken(status), self._bridge
        bridge.relay()
        if leg.needs_reoffer(bridge.other(leg)):
            self.offer(leg)
        elif again is not None:
            self._restore(leg, again)

    def _restore(self, leg: Leg, sdp: bytes) -> None:
        self._restoring = True
        _send(leg, sdp)


def _send(leg: Leg, sdp: bytes) -> None:
    assert leg.invite is not None, "a bridged leg has its dialog"
    leg.invite.offer_again(sdp, renewed=leg.renewed)
