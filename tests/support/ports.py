"""Loopback addresses and ports that nobody else uses, and waiting until one is bound."""

import asyncio
import contextlib
import itertools
import os
import random
import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_counter = itertools.count()


def own_address() -> str:
    """A loopback address that this process hands out once, so that a peer is known by its address."""
    n = next(_counter)
    first = 0x7F400000 + (os.getpid() % 0x3FFF << 8)  # 127.64.0.0 upwards, 254 addresses a process
    return str(IPv4Address(first + 1 + n % 254))


def link_local() -> tuple[str, int] | None:
    """A link-local IPv6 address of this machine, and the number of its interface; None without one."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
            address, number, _, scope, flags, *_ = line.split()
            if scope == "20" and not int(flags, 16) & 0x48:  # of one link; neither tentative nor refused
                return str(IPv6Address(int(address, 16))), int(number, 16)
    return None


def free_port(host: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port that is free on ``host`` now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_media_ports(*hosts: str, count: int = 4) -> int:
    """The first (even) of so many UDP ports that are free on each host: below what servers of the tests and
    the kernel hand out."""
    while True:
        first = 10000 + 2 * random.randrange(5000 - count // 2)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for host, port in itertools.product(hosts, range(first, first + count)):
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                probe = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((host, port))
            return first


def is_bound(host: str, port: int, transport: str = "udp") -> bool:
    """True when a socket of this machine is bound to that UDP port, or listens on that TCP port."""
    wanted = "".join(f"{byte:02X}" for byte in reversed(IPv4Address(host).packed)) + f":{port:04X}"
    rows = Path(f"/proc/net/{transport}").read_text(encoding="ascii").splitlines()[1:]
    states = ("07",) if transport == "udp" else ("0A",)
    return any(row.split()[1] == wanted and row.split()[3] in states for row in rows)


async def until_bound(host: str, port: int, transport: str = "udp", limit_s: float = 30) -> None:
    """Waits for another process to bind a port; raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not is_bound(host, port, transport):
            await asyncio.sleep(0.005)
