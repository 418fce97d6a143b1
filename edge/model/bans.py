"""A banned source, as the store keeps it and the API shows it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Banned:
    """``times`` counts the bans of this source (an IPv4 address, or an IPv6 network of 64 bits), ``dropped``
    what it has sent since this one began."""

    source: str
    reason: str
    since: datetime
    until: datetime
    times: int
    dropped: int
