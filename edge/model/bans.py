"""Banned sources, as the store keeps them and the API shows them, and those that have logged in."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Banned:
    """``times`` counts the bans of this source (an IPv4 address, or an IPv6 network of 64 bits), ``dropped``
    what it has sent since this one began.  ``datagrams_only``: they may have been forged, and what it sends
    over connections is heard."""

    source: str
    reason: str
    since: datetime
    until: datetime
    times: int
    dropped: int
    datagrams_only: bool = False


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """An address from which a trunk without addresses has logged in (several: ``trunk_id`` is empty), and
    until when it is no stranger for that."""

    address: str
    trunk_id: str
    until: datetime
