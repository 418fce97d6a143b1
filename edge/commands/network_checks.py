"""Checks of the network: listeners, RTP ports, and the addresses that others are told."""

import fcntl
import ipaddress
import socket
import struct
from array import array
from collections.abc import Iterator, Sequence
from typing import Literal

from edge.commands.finding import Finding
from edge.derived import OUTSIDE, media_address, second_media_address
from edge.descriptors import most
from edge.media.room import calls_within, files_for, workers_of
from edge.near import WILDCARDS, local_address_toward, wildcard_of
from edge.settings import Settings
from edge.settings.addresses import SipTransport

# Enough to see a range that something else sits in; all 16,384 would take seconds.
_SAMPLE = 64
_PORTS_PER_CALL = 4
_ANY = next(iter(WILDCARDS))
_SIOCGIFCONF = 0x8912
_MOST_INTERFACES = 1024


def listeners(settings: Settings, running: bool) -> Iterator[Finding]:
    """Every listening address can be bound, or is held by the server that runs already."""
    for written, (transport, host, port) in zip(settings.sip.listen, settings.sip.addresses, strict=True):
        yield _listener("sip.listen", written, bind_error(transport, host, port), running)
        if transport == "udp" and host == _ANY:
            yield from _several(written, interfaces())
    yield _listener(
        "admin.listen", settings.admin.listen, bind_error("tcp", *settings.admin.address), running
    )
    if settings.public.address is not None:
        error = bind_error("tcp", *settings.public.address)
        yield _listener("public.listen", settings.public.listen, error, running)


def _listener(key: str, written: str, error: str | None, running: bool) -> Finding:
    if error is None:
        free = "takes a free port at each start" if written.endswith(":0") else "is free"
        return Finding("ok", f"{key} {written} {free}")
    if "in use" in error and running:
        return Finding("ok", f"{key} {written} is held by the server that runs now")
    remedies = {
        "in use": "end the program that holds it ('ss -lunpt' shows it), or choose another port",
        "assign": "this machine has no such address ('ip addr' lists them); use one it has, or 0.0.0.0",
        "denied": "ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose a higher one",
    }
    remedy = next((text for word, text in remedies.items() if word in error), "correct the address")
    return Finding("fail", f"{key} {written!r} can not be used: {error}", remedy)


def _several(written: str, found: dict[str, list[str]]) -> Iterator[Finding]:
    """Interfaces with more than one address: what such a socket sends comes from the first of them."""
    for name, addresses in found.items():
        if len(addresses) > 1:
            text = f"sip.listen {written}: {name} has {len(addresses)} addresses ({', '.join(addresses)})"
            yield Finding(
                "warn",
                f"{text}; whichever of them is called, answers leave from the one that the system prefers",
                "if peers call another one, list that address in sip.listen instead",
            )


def interfaces() -> dict[str, list[str]]:
    """The IPv4 addresses of each interface but loopback, by its name."""
    entry = struct.Struct("16s2xH4s16x")  # ifreq with a sockaddr_in (netdevice(7))
    room = array("B", bytes(entry.size * _MOST_INTERFACES))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        filled = fcntl.ioctl(probe, _SIOCGIFCONF, struct.pack("iP", len(room), room.buffer_info()[0]))
    found: dict[str, list[str]] = {}
    used = room.tobytes()[: struct.unpack("iP", filled)[0]]
    for label, _, address in entry.iter_unpack(used):
        name = label.rstrip(b"\0").decode().partition(":")[0]
        if name != "lo":
            found.setdefault(name, []).append(socket.inet_ntoa(address))
    return found


def bind_error(transport: SipTransport, host: str, port: int) -> str | None:
    """Why a socket can not be bound there, in lower case; None when it can."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as probe:
            if transport != "udp":
                # As servers do: connections that linger after a restart do not count as use.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def media_ports(settings: Settings, running: bool) -> Iterator[Finding]:
    """The RTP range is mostly free and large enough for the calls that we would admit."""
    ports = settings.media.port_range
    told = (media_address(settings), second_media_address(settings))
    taken = 0 if running else _taken(ports, [wildcard_of(host) for host in told if host])
    if taken * 10 > _SAMPLE:
        text = f"media.ports {settings.media.ports!r}: {taken} of {_SAMPLE} ports tried are in use"
        yield Finding("fail", text, "choose a range that nothing else uses")
    calls, most_calls = len(ports) // _PORTS_PER_CALL, settings.calls.max_live
    families, workers = sum(bool(host) for host in told), workers_of(settings.media.workers)
    files = most()
    fit = calls_within(ports.start, ports.stop - 1, workers, open_files=files, families=families)
    if calls < most_calls:
        text = f"media.ports {settings.media.ports!r} has room for {calls} calls; calls.max_live is"
        remedy = "widen media.ports or lower calls.max_live: calls without a port are refused"
        yield Finding("warn", f"{text} {most_calls}", remedy)
    elif fit < most_calls:
        text = f"{files} open files a process are enough for {fit} calls; calls.max_live is {most_calls}"
        needed = files_for(most_calls, workers, families)
        remedy = f"allow {needed} (LimitNOFILE of the service, 'ulimit -Hn'), or lower calls.max_live"
        yield Finding("warn", text, remedy)
    elif taken * 10 <= _SAMPLE:
        yield Finding("ok", f"media.ports {settings.media.ports} has room for {calls} calls")


def _taken(ports: range, hosts: Sequence[str]) -> int:
    """How many of a sample are in use on one of the hosts: a port is bound on all of them."""
    tried = ports[:: max(1, len(ports) // _SAMPLE)][:_SAMPLE]
    return sum(any(bind_error("udp", host, port) is not None for host in hosts) for port in tried)


def advertised(settings: Settings) -> Iterator[Finding]:
    """Peers on the Internet are told an address that they can reach."""
    hosts = {address.host for address in settings.sip.addresses}
    name: Literal["IPv4", "IPv6"] = "IPv4" if any(":" not in host for host in hosts) else "IPv6"
    reached = own_address(name) if hosts & WILDCARDS.keys() else min(hosts)
    for key, given in (
        ("sip.advertised_address", settings.sip.advertised_address),
        ("media.advertised_address", settings.media.advertised_address or settings.sip.advertised_address),
    ):
        if not given and reached is not None and _loopback(reached):
            yield Finding("ok", f"{key}: only this machine reaches {reached}")
        elif not given and reached is not None and _private(reached):
            text = f"{key} is empty and this machine's address {reached} is private"
            yield Finding("warn", text, f"behind NAT, set {key} to the public address that carriers reach")
        else:
            yield Finding("ok", f"{key}: peers are told {given or reached or 'the address of the socket'}")
    yield from _second_family(second_media_address(settings))


def _second_family(host: str) -> Iterator[Finding]:
    """With IPv4 and IPv6 in ``sip.listen``: what peers of the other one than above are told for audio."""
    if not host:
        return
    name: Literal["IPv4", "IPv6"] = "IPv6" if ":" in host else "IPv4"
    told = own_address(name) if host in WILDCARDS else host
    text = f"audio by {name}: peers are told {told}"
    if not told:
        yield Finding(
            "warn",
            f"sip.listen has {name}, and this machine has no {name} address that leads to the Internet",
            f"give it one, or take {name} out of sip.listen: calls with such peers fail",
        )
    elif _private(told) and not _loopback(told):
        remedy = (
            f"give this machine a public {name} address, if carriers on the Internet are to call it by {name}"
        )
        yield Finding("warn", f"{text}, which is private", remedy)
    else:
        yield Finding("ok", text)


def own_address(name: Literal["IPv4", "IPv6"]) -> str | None:
    """The address that this machine uses toward the Internet, by its routes (nothing is sent)."""
    return local_address_toward(OUTSIDE[name]) or None


def _private(host: str) -> bool:
    address = _literal(host)
    return address is not None and address.is_private


def _loopback(host: str) -> bool:
    address = _literal(host)
    return address is not None and address.is_loopback


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def public_url(settings: Settings) -> Iterator[Finding]:
    """Browsers load the snippet from ``public.url``: it must be there, and https."""
    url = settings.public.url
    if not url:
        text = "public.url is empty: no links for browsers can be built"
        yield Finding("warn", text, "set it to https://… as browsers reach this server, if web pages use it")
    elif not url.startswith("https://"):
        text = f"public.url {url!r} is not https: browsers block it on secure pages"
        yield Finding("warn", text, "put a TLS proxy in front and write its https:// address")
    else:
        yield Finding("ok", f"public.url {url}")
