"""Which addresses and trunks are those of one target's PBX: who may take its calls over, or name them in a
transfer (rule: Transfers)."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from edge.clock import Clock
from edge.model.config import Target
from edge.networks import is_among
from edge.routing.snapshot import Snapshot
from edge.routing.trunks import is_at
from edge.sip.core import Usage
from edge.sip.errors import SipParseError
from edge.sip.events import Destination
from edge.sip.uri import parse_uri

KEPT_S: Final = 4 * 3600.0
"""Seconds for which the addresses behind a target's name count as its own: as long as a call may be up."""
MAX_TARGETS: Final = 1000
MAX_HOSTS: Final = 64


def host_of(address: str) -> str:
    """The host of a target's address; empty for a telephone number."""
    try:
        return parse_uri(address).host
    except SipParseError:
        return ""


class Peer(NamedTuple):
    """Who is at the other end of a dialog: ``target`` is whose PBX that is (None: it is no target any more),
    ``host`` its address there, ``trunk_id`` the trunk by which it called us, if it did."""

    target: Target | None
    host: str
    trunk_id: str = ""


class Peers:
    """Knows whose PBX has an address.  ``led_to`` is told where the names of targets led."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: OrderedDict[str, dict[str, float]] = OrderedDict()
        self._may: tuple[Snapshot | None, tuple[Target, ...]] = (None, ())

    def led_to(self, target_id: str, destinations: Iterable[Destination]) -> None:
        """A target that may transfer was looked up: at these addresses is its PBX, too."""
        now, known = self._clock.monotonic(), self._found.get(target_id, {})
        hosts = {host: until for host, until in known.items() if until > now}
        for destination in destinations:
            hosts.pop(destination.host, None)
            hosts[destination.host] = now + KEPT_S
        self._found[target_id] = dict(list(hosts.items())[-MAX_HOSTS:])
        self._found.move_to_end(target_id)
        if len(self._found) > MAX_TARGETS:
            self._found.popitem(last=False)

    def of(self, usage: Usage, source: str, snapshot: Snapshot) -> Peer | None:
        """Who may have a dialog replaced: a target that may transfer, at whichever end it is of a call.

        ``source`` is where the dialog's INVITE came from, or went to.  None: nobody may.  A carrier is no
        target, so its calls are its own.
        """
        if usage.takes_refer:
            return Peer(snapshot.target(usage.peer_id), source)
        if usage.role == "client":
            return None
        for target in self._who_may(snapshot):
            if self._has(target, source) or usage.peer_id in target.sip.peer_trunk_ids:
                return Peer(target, source, usage.peer_id)
        return None

    def is_at(self, peer: Peer, host: str) -> bool:
        """Whether the PBX is at an address: the dialog's own, the target's, one of its ``peer_addresses``, or
        one to which its name led in the last hours."""
        return host == peer.host or (peer.target is not None and self._has(peer.target, host))

    def comes_by(self, peer: Peer, trunk_id: str, snapshot: Snapshot) -> bool:
        """Whether the PBX sends its calls by a trunk (as which somebody was accepted): one of its
        ``peer_trunk_ids``, or the one that has the dialog's address."""
        if trunk_id == peer.trunk_id or (
            peer.target is not None and trunk_id in peer.target.sip.peer_trunk_ids
        ):
            return True
        index, trunk = snapshot.trunk_index, snapshot.trunk(trunk_id)
        if trunk is not None and index.is_shared(peer.host):
            return is_at(trunk, peer.host)
        return trunk is not None and index.by_address(peer.host) is trunk

    def _has(self, target: Target, host: str) -> bool:
        if host == host_of(target.address) or is_among(host, target.sip.peer_addresses):
            return True
        return self._found.get(target.id, {}).get(host, 0.0) > self._clock.monotonic()

    def _who_may(self, snapshot: Snapshot) -> tuple[Target, ...]:
        """The targets that may transfer, looked for once in a snapshot."""
        if self._may[0] is not snapshot:
            self._may = (snapshot, tuple(one for one in snapshot.targets() if one.sip.allow_refer))
        return self._may[1]
