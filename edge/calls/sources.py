"""Who may send what, by address: asked before anything is read.

Addresses of trunks and targets, proxies in front and the allow list are never banned.  A trunk has one
bucket for messages of any kind, over all its addresses and connections, and with ``max_cps`` one for new
calls.  What is none, or is dialled too, so that its answers count, has one for each address.
"""

from typing import Final, NamedTuple

from pydantic import SecretStr

from edge.calls.peers import host_of
from edge.calls.ports import ConfigurationHolder, RefusedCall, RefusedLog
from edge.calls.trunk_load import Rates
from edge.clock import Clock
from edge.model.config import Trunk
from edge.networks import Networks
from edge.routing.snapshot import Snapshot
from edge.sip.connection import StreamLimits
from edge.sip.grammar import is_address
from edge.sip.guard import PROVEN_S
from edge.sip.meters import Allowance
from edge.sip.streams import NO_HANDSHAKE, TOO_MANY

MESSAGES_A_CALL: Final = 50
"""Messages of a trunk for each call that it may send: far more than any call needs."""
LEAST_MESSAGES: Final = 500
"""A second: calls that are up send some too, whatever comes anew."""
MAX_LOGINS: Final = 10_000
_SEVERAL: Final = ""
_REMEDIES: Final = {
    TOO_MANY: f"let it send more calls over each: {StreamLimits().per_address} of one address are taken",
    NO_HANDSHAKE: "see that it speaks TLS 1.2 or 1.3, and trusts our certificate",
}


class Login(NamedTuple):
    """An address from which a trunk without addresses has logged in (of several trunks: ``trunk_id`` is
    empty), and until when (monotonic seconds) that counts."""

    host: str
    trunk_id: str
    until: float


class Sources:
    """See ``edge.sip.known.Sources``.

    ``proxies`` in front of us, whatever trunk they may belong to, and ``never_ban`` are never banned;
    ``most`` is how many messages a second anybody may send who is not limited to fewer.
    """

    def __init__(
        self,
        configuration: ConfigurationHolder,
        refused: RefusedLog,
        clock: Clock,
        *,
        most: float,
        proxies: Networks[bool],
        never_ban: Networks[bool],
    ) -> None:
        self._configuration = configuration
        self._refused = refused
        self._clock = clock
        self._most = most
        self._proxies = proxies
        self._never_ban = never_ban
        self._index = configuration.current.trunk_index
        self._calls = Rates()
        self._logins: dict[str, tuple[str, float]] = {}
        self._targets: tuple[Snapshot | None, frozenset[str], Networks[bool]] = (
            None, frozenset(), Networks(()),
        )  # fmt: skip

    @property
    def may_log_in(self) -> bool:
        """Whether strangers may turn out to be a trunk without addresses."""
        return self._configuration.current.trunk_index.has_credentials_only

    def knows(self, host: str) -> bool:
        """Whether an address is a trunk's, a target's, a proxy's in front or on the allow list."""
        snapshot = self._configuration.current
        if snapshot.trunk_index.by_address(host) is not None or self.is_target(host):
            return True
        return host in self._never_ban or host in self._proxies

    def is_target(self, host: str) -> bool:
        """Whether a target is written with this address, or has it among its ``peer_addresses``."""
        snapshot = self._configuration.current
        if self._targets[0] is not snapshot:  # once for each snapshot
            hosts = (host_of(target.address) for target in snapshot.targets())
            more = (cidr for target in snapshot.targets() for cidr in target.sip.peer_addresses)
            known = frozenset(host for host in hosts if is_address(host))
            self._targets = (snapshot, known, Networks.of(more))
        _, known, networks = self._targets
        return host in known or host in networks

    def allowance(self, host: str, *, dialled: bool) -> Allowance:
        """The messages of an address's trunk; one that is dialled has its own, since it answers, too."""
        trunk = None if dialled or self.is_target(host) else self._trunk(host)
        if trunk is None:
            return Allowance(host, self._most)
        if trunk.max_cps is None:
            return Allowance(trunk.id, self._most)
        its = max(float(LEAST_MESSAGES), MESSAGES_A_CALL * trunk.max_cps)
        return Allowance(trunk.id, min(self._most, its))

    def flooded(self, host: str, allowance: Allowance, times: int) -> None:
        """Lists who sends more than its messages."""
        trunk = self._configuration.current.trunk_index.by_id(allowance.owner)
        whose = "this address" if trunk is None else f"trunk {trunk.name}"
        own = trunk is not None and trunk.max_cps is not None and allowance.per_second < self._most
        what = "the trunk's max_cps" if own else "sip.max_messages_per_second"
        remedy = f"raise {what}, or let them find out what they repeat"
        reason = f"more than {allowance.per_second:g} messages per second of {whose}"
        self._refused.note(RefusedCall(host, "", "", 0, reason, remedy, times))

    def cut_off(self, host: str, why: str) -> None:
        """Lists an address, known to us, of which a connection was not served."""
        self._refused.note(RefusedCall(host, "", "", 0, why, _REMEDIES.get(why, "")))

    def over(self, host: str) -> bool:
        """Whether a new call of this address is far more than its trunk may send.

        Twice ``max_cps`` is read, so that what is somewhat over the limit is refused with its reason; twice
        that where each call comes a second time with its credentials.
        """
        if not self._configuration.current.trunk_index.has_rates:
            return False
        trunk = self._trunk(host)
        if trunk is None or trunk.max_cps is None:
            return False
        times = 2 if trunk.username is None else 4
        return not self._calls.take(trunk.id, times * max(1.0, trunk.max_cps), self._clock.monotonic())

    def logged_in(self, host: str, trunk: Trunk) -> None:
        """Someone at an address has proven to be a trunk without addresses: what comes from there is its,
        for a day, unless several trunks share the address."""
        now = self._clock.monotonic()
        found, until = self._logins.pop(host, (trunk.id, now))
        shared = until > now and found != trunk.id
        self._keep(Login(host, _SEVERAL if shared else trunk.id, now + PROVEN_S))

    def reconsider(self) -> list[str]:
        """The configuration was edited: a login counts as long as it would be accepted again, where several
        trunks share an address as long as that of each.  Answers the addresses of those that do not."""
        before, self._index = self._index, self._configuration.current.trunk_index
        if before is self._index:
            return []
        ended = {t.id for t in before.trunks if _login_of(t) != _login_of(self._index.by_id(t.id))}
        ended |= {_SEVERAL} if ended else set()
        hosts = [host for host, (trunk_id, _) in self._logins.items() if trunk_id in ended]
        for host in hosts:
            del self._logins[host]
        return hosts

    def logins(self) -> list[Login]:
        """Those that count, the oldest first."""
        now = self._clock.monotonic()
        return [Login(host, *login) for host, login in self._logins.items() if login[1] > now]

    def remember(self, login: Login) -> bool:
        """Takes up one of before the start; False if its trunk is no such any more."""
        trunk = self._configuration.current.trunk_index.by_id(login.trunk_id)
        if login.trunk_id != _SEVERAL and _login_of(trunk) is None:
            return False
        latest = self._clock.monotonic() + PROVEN_S  # whatever clock it was noted by
        self._keep(login._replace(until=min(login.until, latest)))
        return True

    def _keep(self, login: Login) -> None:
        if len(self._logins) >= MAX_LOGINS:
            del self._logins[next(iter(self._logins))]
        self._logins[login.host] = (login.trunk_id, login.until)

    def _trunk(self, host: str) -> Trunk | None:
        """The one trunk that all comes from that an address sends, if there is one."""
        if host in self._proxies:
            return None
        index = self._configuration.current.trunk_index
        if index.is_shared(host):
            return None
        trunk = index.by_address(host)
        if trunk is not None or host not in self._logins:
            return trunk
        trunk_id, until = self._logins[host]
        return index.by_id(trunk_id) if until > self._clock.monotonic() else None


def _login_of(trunk: Trunk | None) -> tuple[str | None, SecretStr | None] | None:
    """By what an address proves to be a trunk's; None: it can not."""
    if trunk is None or trunk.addresses or trunk.state != "active":
        return None
    return trunk.username, trunk.password
