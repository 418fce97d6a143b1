"""Who may send what, by address: asked before anything is read.

Addresses of trunks and targets, proxies in front and the allow list are never banned.  A trunk with
``max_cps`` has one bucket for new calls and one for messages of any kind, over all its addresses and
connections; where a target has the same address there is none for messages, since its answers count too.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from edge.calls.ports import ConfigurationHolder, RefusedCall, RefusedLog
from edge.calls.trunk_load import Rates
from edge.clock import Clock
from edge.model.config import Trunk
from edge.routing.snapshot import Snapshot
from edge.sip.errors import SipParseError
from edge.sip.grammar import is_address
from edge.sip.guard import Allowance
from edge.sip.uri import parse_uri

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MESSAGES_A_CALL: Final = 50
"""Messages of a trunk for each call that it may send: far more than any call needs."""
LEAST_MESSAGES: Final = 500
"""A second: calls that are up send some too, whatever comes anew."""
_LOGIN_S: Final = 3600.0
_MAX_LOGINS: Final = 10_000
_SEVERAL: Final = ""


class Sources:
    """See ``edge.sip.guard.Sources``; ``never_ban`` are addresses and networks that are never banned."""

    def __init__(
        self,
        configuration: ConfigurationHolder,
        refused: RefusedLog,
        clock: Clock,
        never_ban: Sequence[Network] = (),
    ) -> None:
        self._configuration = configuration
        self._refused = refused
        self._clock = clock
        self._never_ban = tuple(never_ban)
        self._calls = Rates()
        self._logins: dict[str, tuple[str, float]] = {}
        self._targets: tuple[Snapshot | None, frozenset[str]] = (None, frozenset())

    def knows(self, host: str) -> bool:
        """Whether an address is a trunk's, a target's, a proxy's in front or on the allow list."""
        snapshot = self._configuration.current
        if snapshot.trunk_index.by_address(host) is not None or self.is_target(host):
            return True
        return bool(self._never_ban) and is_in(host, self._never_ban)

    def is_target(self, host: str) -> bool:
        """Whether a target is written with this address."""
        snapshot = self._configuration.current
        if self._targets[0] is not snapshot:  # once for each snapshot
            hosts = (_host(target.address) for target in snapshot.targets())
            self._targets = (snapshot, frozenset(host for host in hosts if is_address(host)))
        return host in self._targets[1]

    def allowance(self, host: str) -> Allowance | None:
        """The messages of an address's trunk; None where it has no limit."""
        trunk = None if self.is_target(host) else self._limited_trunk(host)
        if trunk is None or trunk.max_cps is None:
            return None
        return Allowance(trunk.id, max(float(LEAST_MESSAGES), MESSAGES_A_CALL * trunk.max_cps))

    def flooded(self, host: str, allowance: Allowance) -> None:
        """Lists a trunk that sends more than its messages."""
        trunk = self._configuration.current.trunk_index.by_id(allowance.owner)
        if trunk is not None:
            reason = f"more than {allowance.per_second:g} messages per second of trunk {trunk.name}"
            remedy = "raise the trunk's max_cps, or let the carrier find out what it repeats"
            self._refused.note(RefusedCall(host, "", "", 0, reason, remedy))

    def over(self, host: str) -> bool:
        """Whether a new call of this address is far more than its trunk may send.

        Twice ``max_cps`` is read, so that what is somewhat over the limit is refused with its reason; twice
        that where each call comes a second time with its credentials.
        """
        trunk = self._limited_trunk(host)
        if trunk is None or trunk.max_cps is None:
            return False
        times = 2 if trunk.username is None else 4
        return not self._calls.take(trunk.id, times * max(1.0, trunk.max_cps), self._clock.monotonic())

    def logged_in(self, host: str, trunk: Trunk) -> None:
        """Someone at an address has proven to be a trunk without addresses: what comes from there is its,
        for an hour, unless several trunks share the address."""
        now = self._clock.monotonic()
        found, until = self._logins.get(host, (trunk.id, now))
        if len(self._logins) >= _MAX_LOGINS and host not in self._logins:
            del self._logins[next(iter(self._logins))]
        shared = until > now and found != trunk.id
        self._logins[host] = (_SEVERAL if shared else trunk.id, now + _LOGIN_S)

    def _limited_trunk(self, host: str) -> Trunk | None:
        """The trunk that an address belongs to, looked for only while any trunk has a rate."""
        index = self._configuration.current.trunk_index
        if not index.has_rates:
            return None
        trunk = index.by_address(host)
        if trunk is not None or host not in self._logins:
            return trunk
        trunk_id, until = self._logins[host]
        return index.by_id(trunk_id) if until > self._clock.monotonic() else None


def networks(written: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and networks as configured."""
    return tuple(ipaddress.ip_network(each) for each in written)


def is_in(host: str, those: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in those)


def _host(address: str) -> str:
    try:
        return parse_uri(address).host
    except SipParseError:
        return ""
