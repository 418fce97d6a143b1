"""Addresses and port ranges as they are written in the settings, taken apart."""

import ipaddress
import re
from typing import Literal, NamedTuple


class Address(NamedTuple):
    """A host (name or IP literal, without brackets) and a port; port 0 takes a free one."""

    host: str
    port: int


SipTransport = Literal["udp", "tcp", "tls"]
_TRANSPORTS: dict[str, SipTransport] = {"udp": "udp", "tcp": "tcp", "tls": "tls"}


class SipAddress(NamedTuple):
    """A SIP listener: transport, host and port."""

    transport: SipTransport
    host: str
    port: int


def host_port(text: str) -> Address:
    """``127.0.0.1:8080`` or ``[::1]:8080`` in two; raises ValueError."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:\[\]/]+)):(\d{1,5})", text)
    if found is not None and int(found[3]) > 65535:
        raise ValueError(f"{found[3]} is no port: 65535 is the highest")
    if found is None:
        raise ValueError("write host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(found[1] or found[2], int(found[3]))


def sip_address(text: str) -> SipAddress:
    """``udp://0.0.0.0:5060`` in three; raises ValueError."""
    written, _, rest = text.partition("://")
    transport = _TRANSPORTS.get(written)
    if transport is None:
        raise ValueError("write transport://host:port with udp, tcp or tls, such as udp://0.0.0.0:5060")
    host, port = host_port(rest)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        remedy = "an IP address of this machine, or 0.0.0.0 or [::] for all; our names go into sip.domains"
        raise ValueError(f"{host} is a name: write {remedy}") from None
    return SipAddress(transport, host, port)


def port_range(text: str) -> range:
    """``16384-32767``: both ends included; raises ValueError."""
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    if found is None or not 1024 <= int(found[1]) < int(found[2]) <= 65535:
        raise ValueError("write first-last within 1024-65535, such as 16384-32767")
    return range(int(found[1]), int(found[2]) + 1)
