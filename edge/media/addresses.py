"""Our addresses for audio: the one that a peer is told, of the family (IPv4, IPv6) in which it receives."""

import socket
from collections.abc import Sequence

from edge.media.engine import NoAddress
from edge.media.ports import family_of
from edge.near import WILDCARDS, Near, local_address_toward, wildcard_of
from edge.networks import Networks


class Addresses:
    """Peers of the family of ``first``, and those of whom nothing is known, are told that address, the others
    ``second`` (empty: there is none for them); where it is a wildcard, the one that the system uses toward
    them.  Hosts of ``near`` (CIDR) are told our own address toward them, but not ``proxies``: whose audio
    they bring is elsewhere.  ``bind_hosts`` is where sockets are bound, in each family: at the address told
    where this machine has it (RTP then leaves from where peers send to) and nobody is told another, else at
    every address.
    """

    def __init__(
        self, first: str, second: str = "", near: Sequence[str] = (), proxies: Sequence[str] = ()
    ) -> None:
        self._first, self._second = first, second
        self._near = Near(Networks.of(near), Networks.of(proxies))
        told = (first, second) if second else (first,)
        self.bind_hosts = tuple(wildcard_of(host) if near else _local_or_any(host) for host in told)

    def toward(self, peer: str, heard: str = "") -> str:
        """What one is told who speaks SIP from ``peer``, and said that it receives audio at ``heard`` (empty:
        not known).  Raises NoAddress.
        """
        # A link-local address is reached by an interface that it does not name.
        near = ":" in heard and ":" in peer and _is_link_local(heard)
        reached = peer if near else heard or peer
        told = self._first
        if reached and (":" in reached) != (":" in told):
            if not self._second:
                raise NoAddress(f"{_nothing_toward(reached)}: sip.listen has none")
            told = self._second
        if told not in WILDCARDS:
            asked = peer if peer and (":" in peer) == (":" in told) else heard
            return self._near.address_toward(asked) or told
        # Asked anew each time: an IPv6 address of ours may be another one tomorrow.
        own = local_address_toward(reached).partition("%")[0]
        if not own:
            raise NoAddress(f"{_nothing_toward(reached)}: there is no way to it")
        return own


def _is_link_local(host: str) -> bool:
    """fe80::/10."""
    return host[:3] in ("fe8", "fe9", "fea", "feb")


def _nothing_toward(host: str) -> str:
    return f"no {'IPv6' if ':' in host else 'IPv4'} address of ours for audio with {host}"


def _local_or_any(host: str) -> str:
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:  # the address of a NAT in front of us
            return wildcard_of(host)
    return host
