"""Which address of ours a peer reaches us at, if it stands on this side of the NAT in front of us."""

import socket
from contextlib import suppress
from typing import Final

from edge.networks import Networks

WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound
"""Listening addresses that mean every address, and the one to reach them by from here."""
_MOST_KNOWN: Final = 4096


def wildcard_of(host: str) -> str:
    """Every address of the family (IPv4, IPv6) of one."""
    return "::" if ":" in host else "0.0.0.0"  # noqa: S104 - RTP comes from anywhere


def local_address_toward(host: str) -> str:
    """The address of ours that the kernel would use toward ``host``; empty if there is no way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))  # sends nothing
        return str(probe.getsockname()[0])
    return ""


class Near:
    """The hosts of some networks, to which our own address is told instead of the advertised one (rule: Local
    networks); those of ``others`` do not count, though they stand in them."""

    def __init__(self, networks: Networks[bool], others: Networks[bool] | None = None) -> None:
        self._networks = networks
        self._others = others if others is not None else Networks.of(())
        self._known: dict[str, str] = {}

    def address_toward(self, host: str) -> str:
        """Our own address toward a host that is near; empty for all others."""
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            near = host in self._networks and host not in self._others
            known = self._known[host] = local_address_toward(host) if near else ""
        return known
