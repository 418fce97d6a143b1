"""Symmetric RTP with source checks (RFC 4961, and the guard against RTP Bleed): pure.

A leg sends where its peer's SDP says until a valid source is heard, then to that source, and
listens to nobody else:

* The very address that the SDP names latches with its first packet.  Any other source needs packets
  in sequence of one SSRC, which a spray over many ports does not send: two from the same host, or
  where the SDP names a private address (a peer behind NAT); half a second of them from a foreign
  host where the SDP names a public one, for then the peer itself is most likely about to be heard.
* For ``LEARN_S`` after the first latch a source that fits the SDP better may take its place (same
  host over a foreign one, the exact address over both); then the latch is locked.
* Later another source is taken only after new signalling, or when the locked peer has been silent
  for ``relatch_silence_s`` and the newcomer goes on with its SSRC or is what the SDP names.
* Without an address from signalling nothing latches; nor does the peer of the port's earlier call,
  should it still be sending.
"""

from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

Address = tuple[str, int]

LEARN_S: Final = 3.0
_CANDIDATES: Final = 4
_IN_SEQUENCE: Final = 2
"""RFC 3550 A.1, MIN_SEQUENTIAL."""
_FOREIGN_IN_SEQUENCE: Final = 25


class Verdict(Enum):
    """What to do with a packet from some source."""

    PASS = "pass"  # noqa: S105 - the latched peer's
    LATCH = "latch"
    """From now on this is the peer; the packet is its first."""
    STRAY = "stray"


class Latch:
    """Where one leg's peer is.  Sans-IO: ``now`` and ``heard`` are monotonic seconds."""

    __slots__ = (
        "_candidates",
        "_foreign_needs",
        "_learn_until",
        "_rank",
        "_silence",
        "_stale",
        "remote",
        "source",
        "ssrc",
    )

    def __init__(self, relatch_silence_s: float, stale: tuple[Address, int] | None = None) -> None:
        self._silence = relatch_silence_s
        self._stale = stale
        self._candidates: dict[tuple[Address, int], tuple[int, int]] = {}
        self._foreign_needs = _IN_SEQUENCE
        self._learn_until = 0.0
        self._rank = 0
        self.remote: Address | None = None
        self.source: Address | None = None
        self.ssrc: int | None = None
        """What the latched peer sends at present."""

    def signal(self, remote: Address | None) -> bool:
        """Takes the address of the peer's latest SDP; True when a latch was given up for it.

        None (c=0.0.0.0: an old way to hold) keeps what is known: the peer comes back from there.
        """
        if remote is None or remote == self.remote:
            return False
        self.remote = remote
        self._foreign_needs = _foreign_needs(remote[0])
        self._candidates.clear()
        if self.source is None or self.source == remote:
            return False
        self.source = None
        return True

    def judge(self, source: Address, ssrc: int, sequence: int, now: float, heard: float) -> Verdict:
        """What to do with a valid packet; ``heard`` is when the locked peer was last heard."""
        if source == self.source:
            return Verdict.PASS
        rank = self._rank_of(source)
        if not self._may_take(rank, ssrc, now, heard):
            return Verdict.STRAY
        if rank < _EXACT and not self._in_sequence(source, ssrc, sequence, rank):
            return Verdict.STRAY
        if self.source is None:
            self._learn_until = now + LEARN_S
        self.source, self._rank, self.ssrc = source, rank, ssrc
        self._candidates.clear()
        return Verdict.LATCH

    def _rank_of(self, source: Address) -> int:
        if self.remote is None:
            return _NEVER
        if source == self.remote:
            return _EXACT
        return _SAME_HOST if source[0] == self.remote[0] else _FOREIGN

    def _may_take(self, rank: int, ssrc: int, now: float, heard: float) -> bool:
        if rank == _NEVER:
            return False
        if self.source is None:
            return True
        if now < self._learn_until and rank > self._rank:
            return True
        return now - heard >= self._silence and (rank == _EXACT or ssrc == self.ssrc)

    def _in_sequence(self, source: Address, ssrc: int, sequence: int, rank: int) -> bool:
        """Whether this candidate has sent as many packets in sequence as it needs."""
        key = (source, ssrc)
        if key == self._stale:
            return False
        expected, count = self._candidates.pop(key, (sequence, 0))
        count = count + 1 if sequence == expected else 1
        if count >= (self._foreign_needs if rank == _FOREIGN else _IN_SEQUENCE):
            return True
        if len(self._candidates) >= _CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        self._candidates[key] = ((sequence + 1) & 0xFFFF, count)
        return False


# A gateway is the peer of many calls.
@lru_cache(maxsize=1024)
def _foreign_needs(host: str) -> int:
    # Not all addresses without a way to them are private: 100.64.0.0/10 is a carrier's NAT (RFC 6598).
    return _FOREIGN_IN_SEQUENCE if ip_address(host).is_global else _IN_SEQUENCE


_NEVER, _FOREIGN, _SAME_HOST, _EXACT = 0, 1, 2, 3
