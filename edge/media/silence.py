"""Whether a peer is still there: neither RTP nor RTCP for a time, and not on hold."""

from edge.media.engine import Plan


class Silence:
    """One leg's peer.  Sans-IO: ``now`` is monotonic seconds, ``sweep`` is called about once a second."""

    __slots__ = ("_activity", "_since", "_timeout_s", "heard")

    def __init__(self, timeout_s: float, now: float) -> None:
        self._timeout_s = timeout_s
        self._activity = 0
        self._since = now
        self.heard = now
        """When the peer was last known to send, late by a sweep at most."""

    def restart(self, now: float) -> None:
        """The peer has a reason to talk only from now on."""
        self._since = now

    def sweep(self, activity: int, plan: Plan, now: float, *, bridged: bool) -> bool:
        """``activity`` counts the peer's packets.  True each time that the time is up.

        A leg that was never bridged nor heard is only ringing: nobody need talk yet.
        """
        if activity != self._activity:
            self._activity = activity
            self.heard = self._since = now
        elif plan.silence_ok:
            self._since = now
        elif (bridged or activity) and now - self._since >= self._timeout_s:
            self._since = now
            return True
        return False
